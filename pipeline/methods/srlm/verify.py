"""What must hold inside a search of SRLM and its EFT data (`psr verify`): scores and the solutions that were scored."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from pipeline.core import files
from pipeline.core.records import Dropped, SampledSolution, SampleSet, ScoredSolution
from pipeline.methods.srlm import eft, scoring
from pipeline.methods.srlm.settings import FILE, Search


def searched(folder: Path, settings: Search) -> Iterator[tuple[str, str]]:
    """Faults of a round's solutions: the place (`row 3 (p-7), solution 2`) and what is wrong there."""
    for row, one in enumerate(_sampled(folder)):
        where = f"row {row} ({one.problem_id})"
        if (votes := sum(solution.votes for solution in one.solutions)) != settings.samples:
            yield where, f"its solutions have {votes} votes, {settings.samples} were sampled"
        for number, solution in enumerate(one.solutions):
            for what in _of_solution(solution):
                yield f"{where}, solution {number}", what


def _sampled(folder: Path) -> Iterator[SampleSet]:
    return files.rows(folder / FILE, SampleSet, size=64)


def _of_solution(solution: SampledSolution) -> Iterator[str]:
    for number, scored in enumerate(solution.scorings):
        if scored.score != (words := scoring.parse(scored.text)):
            yield f"scoring {number} is {scored.score}, its words say {words}"
    if solution.score != (mean := scoring.mean(solution.scorings)):
        yield f"its score is {solution.score}, its scorings make {mean}"


def counted(
    train: Sequence[ScoredSolution],
    test: Sequence[ScoredSolution],
    dropped: Sequence[Dropped],
    recorded: dict[str, Any],
) -> dict[str, Any]:
    """The statistics of EFT data as their rows make them. recorded: those that were written."""
    return eft.statistics(train, test, dropped)


def annotated(rows: Iterable[ScoredSolution], trees: Path) -> Iterator[tuple[int, str, str]]:
    """Faults of EFT rows: the row's number, its key and what is wrong. trees: the folder of the EFT search."""
    known = set[int]()  # hashes, so that the texts are not held
    for one in _sampled(trees):
        for number, solution in enumerate(one.solutions):
            known.add(hash((f"{one.problem_id}/{number}", one.prompt, solution.text)))
    for number, row in enumerate(rows):
        if hash((row.solution_id, row.prompt, row.solution)) not in known:
            yield number, row.solution_id, f"{trees} has no such solution"
        if row.score != (words := scoring.parse(row.judgment)):
            yield number, row.solution_id, f"its score is {row.score}, its judgment says {words}"
