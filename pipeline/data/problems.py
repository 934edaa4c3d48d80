"""Problems by role from files and Hub datasets: chosen by content, apart from each other and from the evaluation sets.

A problem's place in the order is a hash of its text, so rows added upstream do not reshuffle a role. The source is
streamed once a role (again where near-copies took more of it than was drawn in reserve); only drawn rows are held.
"""

from __future__ import annotations

import hashlib
import heapq
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pipeline.core import files
from pipeline.core.errors import PipelineError
from pipeline.core.records import Duplicate, Grade, Overlap, Problem, UnusableRow
from pipeline.data import formats, ratings
from pipeline.data.decontaminate import Index, normal
from pipeline.data.near import NearCopies, apart
from pipeline.data.settings import GYM, Source
from pipeline.data.sources import known, rows, shards
from pipeline.data.values import Unusable, brief, has
from pipeline.domains.graders.pool import Grader

_RESERVE = 10  # one row in so many is drawn beyond those wanted, to stand in for near-copies
_PLACES = 2**256  # places in the order of a role lie below


@dataclass
class _Drawn:
    """Rows of a source with the smallest hashes, by hash, and what was left out, with the hash where it has one."""

    chosen: list[tuple[int, Problem]] = field(default_factory=list)
    left_out: list[tuple[int, Overlap | Duplicate]] = field(default_factory=list)
    unusable: list[UnusableRow] = field(default_factory=list)
    usable: int = 0


class Selection:
    """Takes problems for one role after another; no text is given twice, none overlaps with the evaluation sets.

    evaluation: the held-out problems. ngram: words in a row that count as an overlap. near: share of common words from
    which on two prompts with the same numbers are near-copies (0: equal texts alone). overlaps, duplicates: every
    prompt that would have been chosen but for a held-out problem or an equal or near text, whatever the order of the
    rows. unusable: every row without a usable problem.
    """

    def __init__(self, evaluation: Sequence[Problem], ngram: int, seed: int, near: float = 0.8) -> None:
        self.seed = seed
        self.overlaps: list[Overlap] = []
        self.duplicates: list[Duplicate] = []
        self.unusable: list[UnusableRow] = []
        self._evaluation = {problem.problem_id: problem.prompt for problem in evaluation}
        self._index = Index(self._evaluation, ngram)
        self._near = near
        self._copies = NearCopies(near)
        self._taken: dict[str, str] = {}  # normal text -> role

    def take(self, source: Source, role: str, shared: bool = False) -> list[Problem]:
        """`source.rows` problems (0: all) for `role`, those with the smallest hashes.

        shared: those of earlier roles too. Raises PipelineError naming the source, and the row where there is one, for
        a file that cannot be read or a column that no row has, and if fewer problems than wanted (or none) are left.
        """
        near = self._near > 0 and not shared
        wanted = source.rows + source.rows // _RESERVE if near else source.rows
        while True:
            drawn = self._drawn(source, role, shared, wanted)
            kept = self._apart(drawn, role) if near else drawn.chosen
            missing = source.rows - len(kept)
            if missing <= 0 or len(drawn.chosen) < wanted:
                break
            wanted += _RESERVE * missing
        self.unusable += drawn.unusable
        kept = kept[: source.rows or None]
        if len(kept) < max(source.rows, 1):
            reasons = [type(row).__name__.lower() for _, row in drawn.left_out]
            raise _too_few(source, f"role {role}", len(kept), drawn.usable, reasons, drawn.unusable)
        last = kept[-1][0] if source.rows else _PLACES
        left_out = sorted((entry for entry in drawn.left_out if entry[0] <= last), key=lambda e: (e[0], e[1].prompt))
        self.overlaps += [row for _, row in left_out if isinstance(row, Overlap)]
        self.duplicates += [row for _, row in left_out if isinstance(row, Duplicate)]
        for prompt in (problem.prompt for _, problem in kept):
            if self._taken.setdefault(normal(prompt), role) == role and self._near:
                self._copies.take(role, prompt, apart(prompt))
        return sorted((problem for _, problem in kept), key=lambda problem: problem.problem_id)

    def rated(self, path: str) -> list[Problem]:
        """Every problem of a file of human step ratings (none for ""), those of other roles too."""
        return self.take(Source(path=path, format="prm800k"), "ratings", shared=True) if path else []

    def write(self, roles: Mapping[str, Sequence[Problem]], folder: Path, dropped: Path, stats: Path) -> None:
        """Write the problems of each role, what overlaps, what is there twice, and what could not be used (`dropped`).

        stats: for the rows of each role with a hash of their content, and `statistics`.
        """
        for role, chosen in roles.items():
            files.write(folder / f"{role}.parquet", Problem, chosen)
        files.write(folder / "overlaps.parquet", Overlap, self.overlaps)
        files.write(folder / "duplicates.parquet", Duplicate, self.duplicates)
        files.write(dropped, UnusableRow, self.unusable)
        kept = {role: {"rows": len(chosen), "content": files.content(chosen)} for role, chosen in roles.items()}
        files.write_json(stats, kept | self.statistics())

    def statistics(self) -> dict[str, Any]:
        """How many prompts were left out of each role; if there are unusable rows, how many by role and reason."""
        dropped = files.counts([f"{row.role}: {row.reason}" for row in self.unusable])
        return {
            "overlaps": files.counts([overlap.role for overlap in self.overlaps]),
            "duplicates": files.counts([duplicate.role for duplicate in self.duplicates]),
            **({"dropped": dropped} if dropped else {}),
        }

    def _drawn(self, source: Source, role: str, shared: bool, wanted: int) -> _Drawn:
        """The `wanted` rows (0: all) with the smallest hashes that no held-out problem and no equal text keeps out."""
        drawn = _Drawn()
        chosen: dict[str, Problem] = {}
        heap: list[tuple[int, str]] = []  # largest hash first, so negative: what leaves when a smaller one comes
        for problem in problems(source, role, role, drawn.unusable):
            drawn.usable += 1
            key = normal(problem.prompt)
            place = _place(self.seed, key)
            if wanted and len(heap) == wanted and place > -heap[0][0]:
                continue
            if (refused := self._refused(problem, key, role, chosen, shared)) is not None:
                drawn.left_out.append((place, refused))
                continue
            chosen[key] = problem
            heapq.heappush(heap, (-place, key))
            if wanted and len(heap) > wanted:
                del chosen[heapq.heappop(heap)[1]]
        drawn.chosen = sorted(((-negative, chosen[key]) for negative, key in heap), key=lambda entry: entry[0])
        return drawn

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

    def _apart(self, drawn: _Drawn, role: str) -> list[tuple[int, Problem]]:
        """Drawn rows that are near to none of an earlier role and none with a smaller hash; the others are left out."""
        kept: list[tuple[int, Problem]] = []
        copies = NearCopies(self._near)
        for place, problem in drawn.chosen:
            parts = apart(problem.prompt)
            near = self._copies.find(parts) or copies.find(parts)
            if near is None:
                kept.append((place, problem))
                copies.take(role, problem.prompt, parts)
            else:
                drawn.left_out.append((place, Duplicate(role, problem.problem_id, problem.prompt, *near)))
        return kept


def held_out(source: Source, split: str, seed: int, unusable: list[UnusableRow]) -> list[Problem]:
    """Evaluation problems of one split, each row one problem: all of the source, or `source.rows` chosen by hash.

    unusable: takes the rows that cannot be used. Raises PipelineError as `problems` does, and if fewer problems than
    wanted (or none) are there.
    """
    before = len(unusable)
    numbered = enumerate(problems(source, split, split, unusable), start=1)
    rows = [replace(problem, problem_id=f"{split}-{number:05d}") for number, problem in numbered]
    if len(rows) < max(source.rows, 1):
        raise _too_few(source, f"split {split}", len(rows), len(rows), [], unusable[before:])
    if source.rows:
        rows = sorted(rows, key=lambda problem: _place(seed, problem.prompt))[: source.rows]
    return sorted(rows, key=lambda problem: problem.problem_id)


def problems(source: Source, role: str, split: str, unusable: list[UnusableRow]) -> Iterator[Problem]:
    """Every problem of a source, in its order; ids are the role and a hash of the text.

    unusable: takes the rows that cannot be used. Raises PipelineError for a column that no row has.
    """
    source = known(source)
    if source.format == "prm800k":
        for prompt in ratings.prompts(source):
            yield Problem(f"{role}-{_hash(prompt)[:16]}", prompt, split)
        return
    if source.grader.startswith(GYM):
        _refuse_failing(source)
    absent, row = set(formats.needed(source)), None
    for shard in shards(source):
        for number, row in rows(shard, formats.columns(shard)):
            try:
                if isinstance(row, Unusable):
                    raise row
                absent -= {name for name in absent if has(row, name)}
                prompt, answer = formats.prompt(row, source), formats.answer(row, source)
                where = (f"{role}-{_hash(prompt)[:16]}", prompt, split)
                graded = (source.grader, row["entry"] if source.grader == source.path else "")
                problem = Problem(*where, answer, formats.solution(row, source), *graded)
            except Unusable as error:
                unusable.append(UnusableRow(role, f"{shard.path}: row {number}", error.reason, str(error)))
            else:
                yield problem
    if absent and isinstance(row, dict):
        raise PipelineError(
            f"{source.path}: column {min(absent)!r} is missing in every row, the last has {brief(', '.join(row))}; "
            "correct its name in params.yaml, section `problems`"
        )


def _refuse_failing(source: Source) -> None:
    """Raises PipelineError for a dataset of reasoning-gym that does not give its own answers their full score."""
    made = [row for _, row in rows(source, ()) if isinstance(row, dict)]
    with Grader(source.grader) as grader:
        grades = grader.grade([(row["answer"], row["entry"]) for row in made])
    if failed := sum(grade != Grade.RIGHT for grade in grades):
        raise PipelineError(
            f"{source.path}: its own score_answer fails {failed} of its {len(grades)} own answers; take another dataset"
        )


def _too_few(
    source: Source, who: str, left: int, usable: int, left_out: Sequence[str], unusable: Sequence[UnusableRow]
) -> PipelineError:
    """The line for a source that has fewer problems than wanted: how many rows are gone for which reason."""
    reasons = files.counts([*left_out, *(row.reason for row in unusable)])
    why = ", ".join(f"{reason} {count}" for reason, count in reasons.items()) or "it has no more"
    first = f"; the first: {unusable[0].place.removeprefix(f'{source.path}: ')}: {unusable[0].text}" if unusable else ""
    needs = f"{source.rows} problems, only {left}" if source.rows else "problems, none"
    return PipelineError(
        f"{source.path}: {who} needs {needs} of {usable + len(unusable)} rows are left ({brief(why + first, 160)}); "
        f"{'lower `rows`' if source.rows else 'give another file'}"
    )


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _place(seed: int, text: str) -> int:
    """Where a text stands in the order of a role."""
    return int(_hash(f"{seed}/{text}"), 16)
