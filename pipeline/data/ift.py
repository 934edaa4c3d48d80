"""IFT data: solutions into `Step n: ` form, with the proof that nothing else was changed (paper, section 3.1)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pipeline.core.files import content, counts, quantiles
from pipeline.core.records import Dropped, Problem, Solution
from pipeline.language import steps

_MARKER_ANYWHERE = re.compile(r"Step \d+: ?")


def segmented(
    problems: Iterable[Problem], texts: Mapping[str, str], missing: Mapping[str, tuple[str, str]] = {}
) -> tuple[list[Solution], list[Dropped]]:
    """IFT rows and every row that was left out with its reason.

    texts: each problem's solution in `Step n: ` form, by problem_id; missing: reason and cause where the annotator
    wrote none. Reasons: those, `no_solution`, `no_steps` (not in that
    form), `altered` (a character other than white space and the markers changed), `no_boxed_answer`.
    """
    kept: list[Solution] = []
    dropped: list[Dropped] = []
    for problem in problems:
        if none := missing.get(problem.problem_id):
            dropped.append(Dropped("ift", problem.problem_id, *none))
            continue
        reason, parts = _segmented(problem, texts.get(problem.problem_id, ""))
        if reason is None:
            kept.append(Solution(problem.problem_id, problem.prompt, tuple(parts)))
        else:
            dropped.append(Dropped("ift", problem.problem_id, reason, (problem.solution or "")[:500]))
    return kept, dropped


def _segmented(problem: Problem, text: str) -> tuple[str | None, list[str]]:
    if not problem.solution:
        return "no_solution", []
    try:
        parts = steps.split(text)
    except ValueError:
        return "no_steps", []
    if not preserved(problem.solution, text):
        return "altered", []
    if not steps.is_answer(parts[-1]):
        return "no_boxed_answer", []
    return None, parts


def preserved(solution: str, text: str) -> bool:
    """Whether `text` is `solution` but for `Step n: ` markers and white space."""
    return _bare(solution) == _bare(text)


def _bare(text: str) -> str:
    return "".join(_MARKER_ANYWHERE.sub("", text).split())


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


def by_line(solution: str) -> str:
    """The rule-based segmenter: every line that is not empty is one step; a formula over lines is never cut."""
    parts: list[str] = []
    for line in solution.splitlines():
        open_formula = bool(parts) and (parts[-1].count("$$") % 2 or parts[-1].count("\\[") > parts[-1].count("\\]"))
        if open_formula:
            parts[-1] += "\n" + line
        elif line.strip():
            parts.append(line.strip())
    return steps.join([f"Step {number}: {part}" for number, part in enumerate(parts, start=1)])
