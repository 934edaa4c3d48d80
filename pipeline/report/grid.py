"""Tables as values: cells with their standard errors, from which Markdown, CSV and HTML are written."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Cell:
    """One entry as people read it; value and standard error are what the CSV files hold, in the unit shown."""

    text: str
    value: float | None = None
    error: float | None = None


@dataclass(frozen=True)
class Grid:
    """Header and rows of one table."""

    header: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]

    def numeric(self) -> list[bool]:
        """Which columns hold numbers."""
        return [any(row[index].value is not None for row in self.rows) for index in range(len(self.header))]


@dataclass(frozen=True)
class Table:
    """Our numbers and the paper's under one title. name: of its CSV files. note: units, and what has no counterpart."""

    name: str
    title: str
    note: str
    ours: Grid | None = None
    paper: Grid | None = None


NONE = Cell("–")


def words(text: str) -> Cell:
    """A cell of text."""
    return Cell(text)


def number(value: float | None, digits: int = 0, error: float | None = None, sign: str = "") -> Cell:
    """A number with its standard error where it has one; a dash for None. sign: `+` prints one always."""
    if value is None:
        return NONE
    text = f"{value:{sign}.{digits}f}"
    return Cell(text if error is None else f"{text} ± {error:.{digits}f}", value, error)


def percent(value: float | None, error: float | None = None, sign: str = "") -> Cell:
    """A share as percent."""
    return number(None if value is None else 100 * value, 1, None if error is None else 100 * error, sign)


def measured(values: Mapping[str, Any], name: str, sign: str = "") -> Cell:
    """The share `name` of a model's metrics with its standard error `<name>_se`; a dash where it has none."""
    return percent(values.get(name), values.get(f"{name}_se"), sign)


def amount(values: Mapping[str, Any], name: str, digits: int = 0) -> Cell:
    """The number `name` of a model's metrics with its standard error `<name>_se`."""
    return number(values[name], digits, values[f"{name}_se"])


def counted(share: float | None, count: int) -> Cell:
    """A share of `count` independent things, with its binomial standard error."""
    return percent(share, None if share is None else math.sqrt(share * (1 - share) / count))


def grid(header: Sequence[str], rows: Sequence[Sequence[Cell]]) -> Grid | None:
    """A table, or None without rows."""
    return Grid(tuple(header), tuple(map(tuple, rows))) if rows else None
