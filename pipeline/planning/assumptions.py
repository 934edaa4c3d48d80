"""What no file says before a run: shares and lengths that a plan assumes, each printed with it.

A domain may have its own in its part `assumed`; `--assume name=value` wins. Lengths are those of mathematics, measured
with SmolLM2's tokenizer, which has each digit apart, as Qwen's has:

| text | problem | steps | step | solution |
|---|---|---|---|---|
| GSM8K train, 1,500 problems, a step a line | 60 | 3.6 | 31 | 112 |
| MATH test, 1,667 problems, a step a line | 73 | 2.2 | 108 | 237 |
| PRM800K phase 1 test, 98 problems, rows of the PRM | 72 | 14.0 | 34 | 475 |
| OlympiadBench, Gaokao 2023, AIME 2024, AMC 2023 | 103, 71, 111, 87 | | | |

The paper's 7B takes 9.4 (M1) to 5.2 (M4) steps on MATH. NuminaMath, which the paper profiles read, was not at hand.
"""

from __future__ import annotations

from collections.abc import Sequence

from pipeline import domains
from pipeline.core import plugins
from pipeline.core.errors import PipelineError

_ASSUMED = {  # by name: the default, and what it is
    "problem": (75.0, "tokens of a problem, where none is at hand"),
    "steps": (8.0, "steps of a solution, where none is at hand"),
    "step": (40.0, "tokens of a step, where none is at hand"),
    "judgment": (300.0, "tokens of a judgment of two steps"),
    "scoring": (250.0, "tokens of a score with its reasons"),
    "thinking": (1000.0, "tokens that an endpoint thinks before each answer, paid as output"),
    "candidates": (5.0, "distinct candidates of an expanded node, at most the width"),
    "compared": (0.8, "share of a state's width * (width - 1) / 2 pairs of candidates that are different and compared"),
    "later_compared": (0.8, "the same, later rounds"),
    "needed": (0.75, "share of their verdicts that can change best, worst or their wins, where not judged in full"),
    "varied": (0.95, "share of states whose first wave of candidates is not all equal"),
    "revisited": (0.1, "states visited again after a tie, for each step of a solution"),
    "expanded": (0.9, "share of the iterations of a tree search that expand a node"),
    "layers": (0.95, "share of the expanded nodes with two different candidates"),
    "decided": (0.5, "share of annotated pairs kept: orders agree, with the PRM too"),
    "pairs": (0.6, "preference pairs for each visited state, rounds from a root"),
    "later_pairs": (0.6, "the same, later rounds"),
    "rated": (67.0, "rated steps of a problem of PRM800K (800,000 of 12,000 problems), each a row"),
    "rated_steps": (14.0, "steps of such a row: the rated one and those before it"),
    "rated_step": (34.0, "tokens of each"),
    "solutions": (1.0, "share of sampled whole solutions that are distinct"),
    "pairs_of_problem": (0.8, "preference pairs of a problem, whole solutions"),
    "readable": (0.8, "share of few-shot judgments that can be read"),
    "prefill": (0.05, "time of a prompt token in times of a sampled one, what the prefix cache holds included"),
    "rows": (1000.0, "rows of a source of unknown size that is read whole"),
}
DEFAULTS = {name: value for name, (value, _) in _ASSUMED.items()}
MEANING = {name: meaning for name, (_, meaning) in _ASSUMED.items()}


def assumptions(domain: str, given: Sequence[str] = ()) -> dict[str, float]:
    """The values of all assumptions. given: `name=value` each, see `stated`."""
    own: dict[str, float] = {}
    if plugins.has(domains.__name__, domain, "assumed"):
        own = getattr(plugins.part(domains.__name__, domain, "assumed"), "ASSUMED", {})  # one file is every part
    return DEFAULTS | own | stated(given)


def stated(given: Sequence[str]) -> dict[str, float]:
    """Assumptions given as `name=value` each. Raises PipelineError for another name or value."""
    values = {}
    for entry in given:
        name, _, value = entry.partition("=")
        if name not in DEFAULTS:
            raise PipelineError(f"--assume {entry}: no assumption {name!r}; give one of {', '.join(DEFAULTS)}")
        try:
            values[name] = float(value)
        except ValueError as error:
            raise PipelineError(f"--assume {entry}: {value!r} is no number; give {name}=<number>") from error
        if not 0 <= values[name] < float("inf"):
            raise PipelineError(f"--assume {entry}: must be 0 or more")
    return values
