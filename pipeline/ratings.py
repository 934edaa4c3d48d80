"""Human step ratings in PRM800K's own record layout or as a table of one candidate step a row (Lightman et al. 2023).

Ratings are 1 (good), 0 (neutral) and -1 (bad); a step that was not rated has none. Steps get `Step n: ` markers.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from pipeline.errors import PipelineError
from pipeline.params import Source
from pipeline.records import LabelledSolution
from pipeline.sources import rows

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


def read(source: Source) -> list[RatedStep]:
    """All rated steps of a source, in its order, equal ones once.

    Raises PipelineError naming row and column where a row is in neither layout.
    """
    found: dict[RatedStep, None] = {}
    for number, row in rows(source, columns=_TABLE):
        where = f"{source.path}: row {number}"
        if all(name in row for name in _TABLE):
            found[_from_table(row, where)] = None
        elif all(name in row for name in _RECORD):
            found |= dict.fromkeys(_from_record(row, where))
        else:
            raise PipelineError(
                f"{where}: neither PRM800K's records ({', '.join(_RECORD)}) nor its table ({', '.join(_TABLE)}); "
                f"it has {', '.join(row)}"
            )
    return list(found)


def _from_table(row: Mapping[str, Any], where: str) -> RatedStep:
    texts = [row["instruction"], row["next_response"], *row["responses"]]
    if not all(isinstance(text, str) for text in texts):
        raise PipelineError(f"{where}: instruction, responses and next_response must be text")
    before = tuple(_marked(n, text) for n, text in enumerate(row["responses"], start=1))
    return RatedStep(row["instruction"], before, _marked(len(before) + 1, row["next_response"]), row["rating"])


def _from_record(row: Mapping[str, Any], where: str) -> Iterator[RatedStep]:
    try:
        prompt: str = row["question"]["problem"]
        before: tuple[str, ...] = ()
        for number, step in enumerate(row["label"]["steps"], start=1):
            candidates = [(c["text"], c["rating"]) for c in step["completions"] or []]
            for text, rating in candidates:
                yield RatedStep(prompt, before, _marked(number, text), rating)
            chosen = step["chosen_completion"]
            text = candidates[chosen][0] if chosen is not None else (step["human_completion"] or {}).get("text")
            if text is None:
                return
            before = (*before, _marked(number, text))
    except (KeyError, TypeError, IndexError) as error:
        raise PipelineError(f"{where}: not a PRM800K record ({type(error).__name__}: {error})") from error


def _marked(number: int, text: str) -> str:
    return f"Step {number}: {text.strip()}"


def labelled(rated: Iterable[RatedStep], neutral: bool) -> list[LabelledSolution]:
    """PRM rows: each rated step after its prefix; a rating of 0 counts as `neutral`.

    The steps of a prefix have their own rating where they were rated; they were chosen to go on with, so the others
    count as right.
    """
    known = {(r.prompt, r.steps, r.text): r.rating for r in rated}
    right = {key: neutral if rating == 0 else rating > 0 for key, rating in known.items() if rating is not None}
    found = []
    for prompt, before, text in right:
        path = (*before, text)
        labels = tuple(right.get((prompt, path[:depth], step), True) for depth, step in enumerate(path))
        found.append(LabelledSolution(sha256(prompt.encode()).hexdigest()[:16], prompt, path, labels))
    return found


def best_and_worst(rated: Iterable[RatedStep]) -> list[tuple[RatedStep, RatedStep]]:
    """For each prefix with both a good and a bad candidate: the first good and the first bad one."""
    good: dict[tuple[str, tuple[str, ...]], RatedStep] = {}
    bad: dict[tuple[str, tuple[str, ...]], RatedStep] = {}
    for step in rated:
        if step.rating in (1, -1):
            (good if step.rating == 1 else bad).setdefault((step.prompt, step.steps), step)
    return [(good[key], bad[key]) for key in good if key in bad]
