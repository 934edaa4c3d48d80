"""A round's pairs and drops against its search, made again from it; statistics against the rows that they count."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.core import config, files, plugins
from pipeline.core.errors import PipelineError
from pipeline.core.records import Dropped, Preference, Tree
from pipeline.methods import preferences

METHODS = "pipeline.methods"


def part(name: str, what: str) -> Any:
    """Function `what` of a method's part `verify`; None where the method has none."""
    if not plugins.has(METHODS, name, "verify"):
        return None
    return getattr(plugins.part(METHODS, name, "verify"), what, None)


def section(stage: Any, name: str, kind: Any, model: str) -> Any:
    """A method's settings as they were in force when a stage ran, with what its round lays over them."""
    recorded = stage["params"]["params.yaml"]
    if name not in recorded:
        raise PipelineError(f"dvc.lock: no {name} among the parameters of {model}; run `dvc repro` with this version")
    over = recorded.get(f"rounds.{model}", {}).get(name.rpartition(".")[2], {})
    return config.build(kind, config.laid_over(recorded[name], over), f"dvc.lock: {name}")


def rows_of(path: Path, kind: Any) -> Iterator[Any]:
    """All rows of a file, a batch at a time."""
    for batch in files.batches(path, kind):
        yield from batch


@dataclass(frozen=True)
class _Pair:
    problem_id: str
    step_index: int


@dataclass(frozen=True)
class _Drop:
    key: str


class Aligned:
    """Rows of a file against the rows that it should have, both in the order in which they are made.

    Only the keys of the rows to come are held, so that a row that is missing and one too many are told apart. place:
    the fields of a row that make its key.
    """

    def __init__(self, path: Path, kind: Any, place: Any, key: Callable[[Any], str]) -> None:
        self.path, self._key = path, key
        self._left = Counter(key(row) for row in rows_of(path, place))
        self._rows = enumerate(rows_of(path, kind))

    def expect(self, row: Any) -> Iterator[str]:
        """The next row that should be there."""
        key = self._key(row)
        while self._left[key]:
            number, found = next(self._rows)
            self._left[self._key(found)] -= 1
            if self._key(found) == key:
                if found != row:
                    names = [f.name for f in dataclasses.fields(row) if getattr(found, f.name) != getattr(row, f.name)]
                    yield f"{self.path}: row {number} ({key}): {', '.join(names)} differ from what its search makes"
                return
            yield self._too_many(number, found)
        yield f"{self.path}: {key}: its row is missing"

    def end(self) -> Iterator[str]:
        """No further row should be there."""
        for number, found in self._rows:
            yield self._too_many(number, found)

    def _too_many(self, number: int, found: Any) -> str:
        return f"{self.path}: row {number} ({self._key(found)}): no state of its search makes this row here"


def faults(found: Iterable[Preference | Dropped], pairs: Path, dropped: Path) -> Iterator[str]:
    """Pairs and drops of a round against those that its search makes."""
    kept = Aligned(pairs, Preference, _Pair, lambda row: f"{row.problem_id}/{row.step_index}")
    left_out = Aligned(dropped, Dropped, _Drop, lambda row: row.key)
    for row in found:
        yield from (kept if isinstance(row, Preference) else left_out).expect(row)
    yield from kept.end()
    yield from left_out.end()


def miscounted(pairs: Path, dropped: Path, stats: Path) -> Iterator[str]:
    """Statistics of pairs that the rows do not make."""
    gathered = preferences.Statistics()
    for path, kind in ((pairs, Preference), (dropped, Dropped)):
        for row in rows_of(path, kind):
            gathered.add(row)
    yield from _unequal(gathered.values(), files.read_json(stats), stats)


def unspent(trees: Path, stats: Path) -> Iterator[str]:
    """Tokens of searches at evaluation that are not the sum of those of their candidates and verdicts."""
    spent = [tree.spent() for tree in rows_of(trees, Tree)]
    candidates, judgments = (sum(parts) / len(spent) for parts in zip(*spent, strict=True))
    made = {"candidates": candidates, "judgments": judgments, "search": candidates + judgments}
    yield from _unequal(made, files.read_json(stats)["tokens"], stats)


def _unequal(made: dict[str, Any], recorded: dict[str, Any], stats: Path) -> Iterator[str]:
    names = [name for name, value in files.rounded(made).items() if recorded.get(name) != value]
    if names:
        first, also = names[0], f" ({', '.join(names[1:])} differ too)" if names[1:] else ""
        yield f"{stats}: {first} is {recorded.get(first)}, its rows make {files.rounded(made[first])}{also}"
