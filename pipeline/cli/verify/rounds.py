"""A round's pairs and drops against its search, made again from it; statistics against the rows that they count."""

from __future__ import annotations

import dataclasses
import itertools
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline.core import columns, config, files, plugins
from pipeline.core.errors import PipelineError
from pipeline.core.records import Dropped, Preference, Tree
from pipeline.data.table_faults import leaves
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


class Aligned:
    """Rows of a file against the rows that it should have, both in the order in which they are made.

    Only the keys of the rows to come are held, so that a row that is missing and one too many are told apart. fields:
    those of a row that make its key.
    """

    def __init__(self, path: Path, kind: Any, *fields: str) -> None:
        self.path, self._fields = path, fields
        with pq.ParquetFile(path) as file:
            self._left = Counter("/".join(map(str, row)) for row in columns.rows(file, fields))
        self._rows = enumerate(files.rows(path, kind))

    def _key(self, row: Any) -> str:
        return "/".join(str(getattr(row, field)) for field in self._fields)

    def expect(self, row: Any) -> Iterator[str]:
        """The next row that should be there."""
        key = self._key(row)
        while self._left[key]:
            number, actual = next(self._rows)
            self._left[self._key(actual)] -= 1
            if self._key(actual) == key:
                if actual != row:
                    names = [f.name for f in dataclasses.fields(row) if getattr(actual, f.name) != getattr(row, f.name)]
                    yield f"{self.path}: row {number} ({key}): {', '.join(names)} differ from what its search makes"
                return
            yield self._too_many(number, actual)
        yield f"{self.path}: {key}: its row is missing"

    def end(self) -> Iterator[str]:
        """No further row should be there."""
        for number, actual in self._rows:
            yield self._too_many(number, actual)

    def _too_many(self, number: int, actual: Any) -> str:
        return f"{self.path}: row {number} ({self._key(actual)}): no state of its search makes this row here"


def faults(expected: Iterable[Preference | Dropped], pairs: Path, dropped: Path) -> Iterator[str]:
    """Pairs and drops of a round against those that its search makes."""
    kept, left_out = Aligned(pairs, Preference, "problem_id", "step_index"), Aligned(dropped, Dropped, "key")
    for row in expected:
        yield from (kept if isinstance(row, Preference) else left_out).expect(row)
    yield from kept.end()
    yield from left_out.end()


class Statistics:
    """The file of a stage's statistics, read once, where something needs it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @cached_property
    def values(self) -> dict[str, Any]:
        """What it holds; PipelineError where it holds none."""
        try:
            values = files.read_json(self.path)
        except UnicodeDecodeError as error:
            raise PipelineError(f"{self.path}: is no UTF-8 ({error.reason}); `dvc repro` makes it again") from error
        if not isinstance(values, dict):
            raise PipelineError(f"{self.path}: holds no statistics; `dvc repro` makes it again")
        return values


def miscounted(pairs: Path, dropped: Path, stats: Statistics) -> Iterator[str]:
    """Statistics of pairs that the rows do not make."""
    rows = itertools.chain[Preference | Dropped](files.rows(pairs, Preference), files.rows(dropped, Dropped))
    yield from unequal(preferences.statistics(rows), stats)


def unspent(trees: Path, stats: Statistics) -> Iterator[str]:
    """Tokens of searches at evaluation that are not the sum of those of their candidates and verdicts."""
    spent = [tree.spent() for tree in files.rows(trees, Tree)]
    candidates, judgments = (sum(parts) / len(spent) for parts in zip(*spent, strict=True)) if spent else (0, 0)
    made = {"candidates": candidates, "judgments": judgments, "search": candidates + judgments}
    yield from unequal({f"tokens.{name}": value for name, value in made.items()}, stats)


def unspent_by(searched: Path, stats: Statistics) -> Iterator[str]:
    """Tokens that the statistics of a search have beside those of its rows, where they count any."""
    spent = Counter[str]()
    with pq.ParquetFile(searched) as file:
        for leaf in (leaf.path for leaf in file.schema if leaf.path.endswith(".tokens")):
            judging = "verdicts" in leaf or "scorings" in leaf
            for batch in columns.batches(file, [leaf]):
                tokens = sum(pc.sum(values).as_py() or 0 for _, values in leaves(batch.column(0), leaf))
                spent.update(sampled_tokens=tokens, judge_tokens=tokens * judging)
    yield from unequal({name: count for name, count in spent.items() if name in stats.values}, stats)


def unequal(made: Mapping[str, Any], stats: Statistics) -> Iterator[str]:
    """What differs in the statistics `stats` from `made`; parts that `made` has not at all are not looked at."""
    wanted, recorded = (_flat(files.rounded(dict(values))) for values in (made, stats.values))
    recorded = {name: value for name, value in recorded.items() if name in wanted or name.partition(".")[0] in made}
    names = [name for name in wanted | recorded if recorded.get(name) != wanted.get(name)]
    if names:
        first, also = names[0], f" ({', '.join(names[1:6])}{' ...' * (len(names) > 6)} differ too)" if names[1:] else ""
        yield f"{stats.path}: {first} is {recorded.get(first)}, its rows make {wanted.get(first)}{also}"


def _flat(values: dict[str, Any]) -> dict[str, Any]:
    """Nested values by their whole names, such as `pooled.accuracy`."""
    flat: dict[str, Any] = {}
    for name, value in values.items():
        inner = _flat(value) if isinstance(value, dict) else {"": value}
        flat |= {f"{name}.{key}".rstrip("."): part for key, part in inner.items()}
    return flat
