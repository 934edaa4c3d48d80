"""SRLM's EFT data: sampled whole solutions with the annotator's score, as seed for a model that scores itself.

Yuan et al. (2024, section 3.1.1) take people's rankings and thin out the most common score; here an annotator writes
explanation and score, and `per_score` caps how many train rows share one.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType, ModuleType
from typing import Any

from pipeline.core import files
from pipeline.core.files import content, counts
from pipeline.core.means import grouped
from pipeline.core.products import Shares, require_share
from pipeline.core.records import Dropped, SampleSet, ScoredSolution
from pipeline.data.ratings import RatedStep
from pipeline.language.steps import split as split_steps
from pipeline.methods.srlm import scoring
from pipeline.methods.srlm.settings import FILE, Eft

Row = ScoredSolution


@dataclass(frozen=True)
class Question:
    """A solution for the annotator to score."""

    key: str
    problem_id: str
    problem: str
    solution: str


def questions(samples: Iterable[SampleSet]) -> tuple[list[Question], list[Dropped]]:
    """Every distinct solution that ended, and the others with their finish as the reason (`length`, `context`)."""
    kept: list[Question] = []
    dropped: list[Dropped] = []
    for one in samples:
        for number, solution in enumerate(one.solutions):
            key = f"{one.problem_id}/{number}"
            if solution.ended:
                kept.append(Question(key, one.problem_id, one.prompt, solution.text))
            else:
                dropped.append(Dropped("eft", key, solution.finish, solution.text))
    return kept, dropped


def scored(
    questions: Iterable[Question],
    answers: Mapping[str, str],
    missing: Mapping[str, tuple[str, str]] = MappingProxyType({}),
) -> tuple[list[ScoredSolution], list[Dropped]]:
    """Rows with the annotator's judgment, and what it gave no readable score (`unreadable`).

    answers: the annotator's text by the question's key; missing: reason and cause where it wrote none.
    """
    kept: list[ScoredSolution] = []
    dropped: list[Dropped] = []
    for q in questions:
        if none := missing.get(q.key):
            dropped.append(Dropped("eft", q.key, *none))
            continue
        judgment = answers[q.key]
        points = scoring.parse(judgment)
        if points is None:
            dropped.append(Dropped("eft", q.key, "unreadable", judgment))
        else:
            kept.append(ScoredSolution(q.key, q.problem_id, q.problem, q.solution, judgment, points))
    return kept, dropped


class Annotation:
    """The annotation of sampled solutions: questions about them, and the rows that the answers make.

    problems: how many sampled problems have a question, how many there are, and why others have none.
    """

    def __init__(self, folder: Path, settings: Eft, rated: Iterable[RatedStep] = ()) -> None:
        self.settings = settings
        samples = files.read(folder / FILE, SampleSet)
        self._questions, self._unfinished = questions(samples)
        without = [one for one in samples if not any(solution.ended for solution in one.solutions)]
        reasons = counts([one.solutions[0].finish for one in without])
        self.problems = len(samples) - len(without), len(samples), reasons

    def prompts(self, family: str) -> dict[str, str]:
        """The scorer's prompt of each question, by its key, for an annotator that reads."""
        return {q.key: scoring.prompt(family, q.problem, q.solution) for q in self._questions}

    def by_oracle(self, oracle: ModuleType, family: str) -> dict[str, str]:
        """The judgments of a domain's oracle, by the question's key: each step restated with its mark, then the points.

        A text that is not in `Step n: ` form has no right step.
        """
        judgments = {}
        for q in self._questions:
            try:
                marks, points = oracle.mark(q.problem, split_steps(scoring.shown(family, q.solution)))
            except ValueError:
                marks, points = [], 0
            judgments[q.key] = "\n".join([*marks, f"Score: {points}"])
        return judgments

    def rows(
        self, answers: Mapping[str, str], missing: Mapping[str, tuple[str, str]], seed: int, shares: Shares
    ) -> tuple[list[ScoredSolution], list[ScoredSolution], list[Dropped], dict[str, Any]]:
        """Train rows, test rows, what was left out, and statistics; arguments as of `scored`.

        Raises PipelineError where too few rows came of the annotation (shares.annotated).
        """
        kept, dropped = scored(self._questions, answers, missing)
        lost = counts([row.reason for row in dropped])
        require_share("eft", shares, "annotated", len(kept), len(self._questions), lost, next(iter(dropped), None))
        train, test, surplus = split(kept, self.settings, seed)
        left_out = [*self._unfinished, *dropped, *surplus]
        return train, test, left_out, statistics(train, test, left_out)


def split(
    rows: Sequence[ScoredSolution], settings: Eft, seed: int
) -> tuple[list[ScoredSolution], list[ScoredSolution], list[Dropped]]:
    """Train rows, test rows held out by problem, and the train rows over the cap of their score (`common_score`).

    Problems are held out, in an order drawn by hash, until they have `test_rows` rows; all rows of a held-out problem
    are test rows, so that solutions of one problem can be compared.
    """
    by_problem = grouped(rows, lambda row: row.problem_id)
    test: list[ScoredSolution] = []
    held_out: set[str] = set()
    for problem in sorted(by_problem, key=lambda key: _hash(seed, key)):
        if len(test) >= settings.test_rows:
            break
        held_out.add(problem)
        test += by_problem[problem]
    train = [row for row in rows if row.problem_id not in held_out]
    taken, used = Counter[int](), set[str]()
    for row in sorted(train, key=lambda row: _hash(seed, row.solution_id)):
        taken[row.score] += 1
        if not settings.per_score or taken[row.score] <= settings.per_score:
            used.add(row.solution_id)
    surplus = [
        Dropped("eft", row.solution_id, "common_score", str(row.score)) for row in train if row.solution_id not in used
    ]
    return [row for row in train if row.solution_id in used], test, surplus


def statistics(
    train: Sequence[ScoredSolution], test: Sequence[ScoredSolution], dropped: Sequence[Dropped]
) -> dict[str, Any]:
    """Rows of both splits by score, and why solutions were left out."""
    return {
        "content": content([*train, *test]),
        "train_rows": len(train),
        "train_scores": counts([str(row.score) for row in train]),
        "test_rows": len(test),
        "test_scores": counts([str(row.score) for row in test]),
        "dropped": counts([row.reason for row in dropped]),
    }


def _hash(seed: int, key: str) -> str:
    return hashlib.sha256(f"{seed}/{key}".encode()).hexdigest()
