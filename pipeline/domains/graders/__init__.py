"""Graders by name: how an answer is compared with the gold one. A source of problems may name one (else the domain's).

A grader is a module with `right(answer, gold)`, which runs in a worker process that can be killed (`pool`): it may
hang, raise or eat memory, and its answer is then unreadable. It may have `plain(answer, gold)`, the grade where no
worker is needed (None where one is); `alike(answer, other)`, whether two answers count as one in a vote (else equal
texts do); `warm_up()`, called once in a worker; `MEMORY_MB`, what a worker may use. What follows the name after a colon
(`number:0.01`) is the last argument of `right` and `warm_up`, and `fault` says what is wrong with it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from importlib import import_module

LISTED = {
    "math": "pipeline.domains.math.grading",
    "exact": "pipeline.domains.graders.exact",
    "choice": "pipeline.domains.graders.choice",
    "number": "pipeline.domains.graders.number",
    "json": "pipeline.domains.graders.json",
    "python": "pipeline.domains.graders.python",
    "gym": "pipeline.domains.graders.gym",
}
FORMS = "math, exact, choice, number, number:<tolerance>, json or python:<module>:<function>"


def same_as(answer: str, earlier: Iterable[str], alike: Callable[[str, str], bool]) -> str:
    """What a vote counts `answer` under: the first of the earlier answers that counts as the same, or itself."""
    return next((first for first in earlier if alike(answer, first)), answer)


def checked(grader: str) -> str:
    """The grader as params.yaml names it, "" for the domain's own. Raises ValueError where there is none such."""
    name, colon, argument = grader.partition(":")
    if name not in LISTED:
        if grader:
            raise ValueError(f"must be {FORMS}")
        return grader
    fault = getattr(import_module(LISTED[name]), "fault", None)
    if fault is None and colon:
        raise ValueError(f"must be {name} alone, without what follows it; or one of {FORMS}")
    if fault is not None and (what := fault(argument)):
        raise ValueError(what)
    return grader


def modules(grader: str) -> list[str]:
    """The modules that a grader is made of, for the cache key: the library's, and the user's own."""
    name, _, argument = grader.partition(":")
    return [LISTED[name], *([argument.partition(":")[0]] if name == "python" else [])]
