"""Human step ratings in PRM800K's own record layout or as a table of one candidate step a row (Lightman et al. 2023).

Ratings are 1 (good), 0 (neutral) and -1 (bad), as numbers or as texts of numbers (CSV has no others); a step that was
not rated has none (null, NaN or an empty text). Steps get `Step n: ` markers.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from hashlib import sha256
from typing import Any

from pipeline.core.errors import PipelineError
from pipeline.core.records import LabelledSolution
from pipeline.data.settings import Source
from pipeline.data.sources import rows, shards
from pipeline.data.values import Unusable, brief, from_float, shown

_TABLE = ("instruction", "responses", "next_response", "rating")
_RECORD = ("question", "label")


@dataclass(frozen=True)
class RatedStep:
    """One candidate step after the steps before it, with a person's rating or None."""

    prompt: str
    steps: tuple[str, ...]
    text: str
    rating: int | None

    @property
    def problem_id(self) -> str:
        """A name for the problem: the hash of its text."""
        return sha256(self.prompt.encode()).hexdigest()[:16]


def _rows(source: Source) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Rows of a source with the place of each. Raises PipelineError for one that cannot be used."""
    for shard in shards(source):
        for number, row in rows(shard, columns=()):
            where = f"{shard.path}: row {number}"
            if isinstance(row, Unusable):
                raise PipelineError(f"{where}: {row}; correct the row")
            yield where, row


def prompts(source: Source) -> Iterator[str]:
    """The text of every problem of a source, each once, streamed."""
    seen: set[str] = set()
    for where, row in _rows(source):
        try:
            problem = row["instruction"] if "instruction" in row else row["question"]["problem"]
        except (KeyError, TypeError) as error:
            raise _neither(row, where) from error
        if not isinstance(problem, str) or not problem.strip():
            raise PipelineError(f"{where}: the problem must be a text, is {shown(problem)}; correct the row")
        if problem not in seen:
            seen.add(problem)
            yield problem


def read(source: Source, only: Container[str] | None = None) -> list[RatedStep]:
    """All rated steps of a source, in its order, equal ones once. only: problems whose steps are wanted (None: all).

    Raises PipelineError naming row and column where a row is in neither layout, and where no rated step is left.
    """
    steps: dict[RatedStep, None] = {}
    for where, row in _rows(source):
        if all(name in row for name in _TABLE):
            steps[_from_table(row, where)] = None
        elif all(name in row for name in _RECORD):
            steps |= dict.fromkeys(_from_record(row, where))
        else:
            raise _neither(row, where)
    kept = [step for step in steps if only is None or step.prompt in only]
    if not any(step.rating is not None for step in kept):
        raise PipelineError(
            f"{source.path}: none of {len(steps)} steps is left: their problems overlap with evaluation ones or "
            "those of other roles, or they have no rating; give another file"
        )
    return kept


def _neither(row: Mapping[str, Any], where: str) -> PipelineError:
    return PipelineError(
        f"{where}: neither PRM800K's records ({', '.join(_RECORD)}) nor its table ({', '.join(_TABLE)}); "
        f"it has {brief(', '.join(row))}"
    )


def _from_table(row: Mapping[str, Any], where: str) -> RatedStep:
    problem, responses, text, rating = (row[name] for name in _TABLE)
    before = responses if isinstance(responses, list) else [None]
    if not all(isinstance(part, str) for part in (problem, text, *before)):
        raise PipelineError(
            f"{where}: instruction and next_response must be texts and responses a list of texts; correct the row"
        )
    steps = tuple(_marked(n, part) for n, part in enumerate(before, start=1))
    return RatedStep(problem, steps, _marked(len(steps) + 1, text), _rating(rating, where))


def _rating(value: object, where: str) -> int | None:
    try:
        number = from_float(value, repr(value)) if isinstance(value, float) else value
        if isinstance(number, str):
            number = Decimal(number) if number.strip() else None
        if number is None:
            return None
        if isinstance(number, int | Decimal) and not isinstance(number, bool) and number in (-1, 0, 1):
            return int(number)
    except InvalidOperation:
        pass
    raise PipelineError(f"{where}: a rating must be -1, 0, 1 or null, is {shown(value)}; correct the row")


def _from_record(row: Mapping[str, Any], where: str) -> Iterator[RatedStep]:
    try:
        prompt: str = row["question"]["problem"]
        before: tuple[str, ...] = ()
        for number, step in enumerate(row["label"]["steps"], start=1):
            candidates = [(c["text"], c["rating"]) for c in step["completions"] or []]
            for text, rating in candidates:
                yield RatedStep(prompt, before, _marked(number, text), _rating(rating, where))
            chosen = step["chosen_completion"]
            text = candidates[chosen][0] if chosen is not None else (step["human_completion"] or {}).get("text")
            if text is None:
                return
            before = (*before, _marked(number, text))
    except (AttributeError, KeyError, TypeError, IndexError) as error:
        reason = brief(f"{type(error).__name__}: {error}")
        raise PipelineError(f"{where}: not a PRM800K record ({reason}); correct the row") from error


def _marked(number: int, text: str) -> str:
    return f"Step {number}: {text.strip()}"


def labelled(rated: Iterable[RatedStep], neutral: bool) -> list[LabelledSolution]:
    """PRM rows: each rated step after its prefix; a rating of 0 counts as `neutral`.

    The steps of a prefix have their own rating where they were rated; they were chosen to go on with, so the others
    count as right.
    """
    known = {(r.prompt, r.steps, r.text): r for r in rated}
    right = {key: neutral if r.rating == 0 else r.rating > 0 for key, r in known.items() if r.rating is not None}
    solutions = []
    for prompt, before, text in right:
        path = (*before, text)
        labels = tuple(right.get((prompt, path[:depth], step), True) for depth, step in enumerate(path))
        solutions.append(LabelledSolution(known[prompt, before, text].problem_id, prompt, path, labels))
    return solutions


def best_and_worst(rated: Iterable[RatedStep]) -> list[tuple[RatedStep, RatedStep]]:
    """For each prefix with both a good and a bad candidate: the first good and the first bad one."""
    good: dict[tuple[str, tuple[str, ...]], RatedStep] = {}
    bad: dict[tuple[str, tuple[str, ...]], RatedStep] = {}
    for step in rated:
        if step.rating in (1, -1):
            (good if step.rating == 1 else bad).setdefault((step.prompt, step.steps), step)
    return [(good[key], bad[key]) for key in good if key in bad]
