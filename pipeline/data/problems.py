"""Problems by role from files and Hub datasets: chosen by content, apart from each other and from the evaluation sets.

A problem's place in the order is a hash of its text, so rows added upstream do not reshuffle a role. The source is
streamed once a role; only the chosen rows are held.
"""

from __future__ import annotations

import hashlib
import heapq
from collections.abc import Container, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from pipeline.core import files
from pipeline.core.errors import PipelineError
from pipeline.core.records import Duplicate, Overlap, Problem
from pipeline.data import formats, ratings
from pipeline.data.decontaminate import Index, normal
from pipeline.data.settings import Source
from pipeline.data.sources import known, rows


class Selection:
    """Takes problems for one role after another; no text is given twice, none overlaps with the evaluation sets.

    evaluation: the held-out problems. ngram: words in a row that count as an overlap. overlaps, duplicates: every
    prompt that would have been chosen but for a held-out problem or an equal text, whatever the order of the rows.
    """

    def __init__(self, evaluation: Sequence[Problem], ngram: int, seed: int) -> None:
        self.seed = seed
        self.overlaps: list[Overlap] = []
        self.duplicates: list[Duplicate] = []
        self._evaluation = {problem.problem_id: problem.prompt for problem in evaluation}
        self._index = Index(self._evaluation, ngram)
        self._taken: dict[str, str] = {}  # normal text -> role

    def take(self, source: Source, role: str, shared: bool = False) -> list[Problem]:
        """`source.rows` problems (0: all) for `role`, those with the smallest hashes.

        shared: those of earlier roles too. Raises PipelineError naming source and row for an absent column, an empty
        prompt or a value that is not text, and if fewer problems than asked for are left.
        """
        chosen: dict[str, Problem] = {}
        left_out: list[tuple[str, Overlap | Duplicate]] = []
        heap: list[tuple[str, str]] = []  # largest hash first: what leaves when a smaller one comes
        seen = 0
        for problem in problems(source, role, role):
            seen += 1
            key = normal(problem.prompt)
            place = _hash(f"{self.seed}/{key}")
            if source.rows and len(heap) == source.rows and place > _inverted(heap[0][0]):
                continue
            if (refused := self._refused(problem, key, role, chosen, shared)) is not None:
                left_out.append((place, refused))
                continue
            chosen[key] = problem
            heapq.heappush(heap, (_inverted(place), key))
            if source.rows and len(heap) > source.rows:
                del chosen[heapq.heappop(heap)[1]]
        if len(chosen) < source.rows:
            raise PipelineError(
                f"{source.path}: role {role} needs {source.rows} problems, only {len(chosen)} of {seen} rows are left "
                "(others are duplicates or overlap with evaluation); lower `rows`"
            )
        last = _inverted(heap[0][0]) if source.rows and heap else _LAST
        left_out = sorted((entry for entry in left_out if entry[0] <= last), key=lambda e: (e[0], e[1].prompt))
        self.overlaps += [row for _, row in left_out if isinstance(row, Overlap)]
        self.duplicates += [row for _, row in left_out if isinstance(row, Duplicate)]
        self._taken |= {key: role for key in chosen if key not in self._taken}
        return sorted(chosen.values(), key=lambda problem: problem.problem_id)

    def rated(self, path: str) -> list[Problem]:
        """Every problem of a file of human step ratings (none for ""), those of other roles too."""
        return self.take(Source(path=path, format="prm800k"), "ratings", shared=True) if path else []

    def write_left_out(self, folder: Path) -> None:
        """Write `overlaps.parquet` and `duplicates.parquet`."""
        files.write(folder / "overlaps.parquet", Overlap, self.overlaps)
        files.write(folder / "duplicates.parquet", Duplicate, self.duplicates)

    def statistics(self) -> dict[str, dict[str, int]]:
        """How many prompts were left out of each role."""
        return {
            "overlaps": files.counts([overlap.role for overlap in self.overlaps]),
            "duplicates": files.counts([duplicate.role for duplicate in self.duplicates]),
        }

    def _refused(
        self, problem: Problem, key: str, role: str, chosen: Container[str], shared: bool
    ) -> Overlap | Duplicate | None:
        earlier = role if key in chosen else None if shared else self._taken.get(key)
        if earlier is not None:
            return Duplicate(role, problem.problem_id, problem.prompt, earlier)
        if (hit := self._index.hit(problem.prompt)) is None:
            return None
        held_out = self._evaluation[hit.evaluation_id]
        return Overlap(role, problem.problem_id, hit.rule, hit.shared, problem.prompt, hit.evaluation_id, held_out)


def held_out(source: Source, split: str, seed: int) -> list[Problem]:
    """Evaluation problems of one split, each row one problem: all of the source, or `source.rows` chosen by hash."""
    numbered = enumerate(problems(source, split, split), start=1)
    found = [replace(problem, problem_id=f"{split}-{number:05d}") for number, problem in numbered]
    if source.rows > len(found):
        raise PipelineError(f"{source.path}: split {split} needs {source.rows} problems, only {len(found)} are there")
    if source.rows:
        found = sorted(found, key=lambda problem: _hash(f"{seed}/{problem.prompt}"))[: source.rows]
    return sorted(found, key=lambda problem: problem.problem_id)


def problems(source: Source, role: str, split: str) -> Iterator[Problem]:
    """Every problem of a source, in its order; ids are the role and a hash of the text."""
    source = known(source)
    if source.format == "prm800k":
        for prompt in ratings.prompts(source):
            yield Problem(f"{role}-{_hash(prompt)[:16]}", prompt, split)
        return
    for number, row in rows(source, formats.columns(source)):
        where = f"{source.path}: row {number}"
        prompt = formats.prompt(row, source, where)
        answer, solution = formats.answer(row, source, where), formats.solution(row, source, where)
        yield Problem(f"{role}-{_hash(prompt)[:16]}", prompt, split, answer, solution)


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _inverted(place: str) -> str:
    """A hash turned around, so that the heap's first is the largest (its own inverse)."""
    return place.translate(_INVERSE)


_INVERSE = str.maketrans("0123456789abcdef", "fedcba9876543210")
_LAST = "g"  # after every hash
