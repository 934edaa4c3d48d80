"""IFT data: solutions into `Step n: ` form, with the proof that nothing else was changed (paper, section 3.1)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType, ModuleType
from typing import Any

from pipeline.core.files import content, counts, quantiles
from pipeline.core.records import Dropped, Problem, Solution
from pipeline.inference.annotator import Texts
from pipeline.language import markers, steps

Parts = tuple[ModuleType, ModuleType]  # `final` and `solutions` of the domain


def segmented(
    problems: Iterable[Problem],
    texts: Mapping[str, str],
    domain: Parts,
    missing: Mapping[str, tuple[str, str]] = MappingProxyType({}),
) -> tuple[list[Solution], list[Dropped]]:
    """IFT rows and every row that was left out with its reason.

    texts: each problem's solution in steps (`pipeline.language.markers`), by problem_id; missing: reason and
    cause where the annotator wrote none. Reasons: those, `no_solution`,
    `broken_escapes` (in problem or solution, as `\\frac` read as a form feed and `rac`), `no_steps`, `altered` (a
    character other than white space and the markers changed), `no_final_answer`.
    """
    kept: list[Solution] = []
    dropped: list[Dropped] = []
    for problem in problems:
        if none := missing.get(problem.problem_id):
            dropped.append(Dropped("ift", problem.problem_id, *none))
            continue
        reason, parts = _segmented(problem, texts.get(problem.problem_id, ""), domain)
        if reason is None:
            kept.append(Solution(problem.problem_id, problem.prompt, tuple(parts)))
        else:
            dropped.append(Dropped("ift", problem.problem_id, reason, (problem.solution or "")[:500]))
    return kept, dropped


def in_two_attempts(
    solutions: Mapping[str, Problem], domain: Parts, ask: Callable[[Sequence[Problem], int], Texts]
) -> tuple[dict[str, str], dict[str, tuple[str, str]]]:
    """The annotator's texts by problem_id, and why there is none; what cannot be used is asked again once.

    ask: for some problems and the number of the attempt. A prompt that the server refused is not asked again.
    """
    first = ask(list(solutions.values()), 0)
    _, failed = segmented(solutions.values(), first, domain, first.missing)
    refused = {row.key: (row.reason, row.text) for row in failed if row.reason == "refused"}
    again = ask([solutions[row.key] for row in failed if row.key not in refused], 1)
    return {**first, **again}, again.missing | refused


def _segmented(problem: Problem, text: str, domain: Parts) -> tuple[str | None, list[str]]:
    if not problem.solution:
        return "no_solution", []
    final, solutions = domain
    if solutions.broken(problem.prompt) or solutions.broken(problem.solution):
        return "broken_escapes", []
    try:
        parts = steps.split(markers.normal(text))
    except ValueError:
        return "no_steps", []
    if not preserved(problem.solution, text):
        return "altered", []
    if final.end(parts[-1]) is None:
        return "no_final_answer", []
    return None, parts


def preserved(solution: str, text: str) -> bool:
    """Whether `text` is `solution` but for step markers and white space."""
    return _bare(solution) == _bare(text)


def _bare(text: str) -> str:
    bodies = [steps.MARKER.sub("", step, count=1) for step in steps.parts(markers.normal(text))]
    return "".join("".join(bodies).split())


def statistics(kept: Sequence[Solution], dropped: Sequence[Dropped]) -> dict[str, Any]:
    """Problems, rows kept, their steps and the characters of a step, and why the others were left out."""
    return {
        "problems": len(kept) + len(dropped),
        "kept": len(kept),
        "content": content(kept),
        "steps": quantiles(len(row.steps) for row in kept),
        "step_characters": quantiles(len(step) for row in kept for step in row.steps),
        "dropped": counts([row.reason for row in dropped]),
    }
