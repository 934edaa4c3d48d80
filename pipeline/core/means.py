"""Units by their groups; means, shares and ratios of them with their standard errors; the entropy of counts."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

Unit = TypeVar("Unit")
Value = TypeVar("Value", float, float | None)


def grouped(units: Iterable[Unit], key: Callable[[Unit], str]) -> dict[str, list[Unit]]:
    """The units by their key, in order."""
    groups: dict[str, list[Unit]] = {}
    for unit in units:
        groups.setdefault(key(unit), []).append(unit)
    return groups


def proportion(hits: Sequence[bool]) -> tuple[float, float]:
    """A share and its standard error."""
    mean = sum(hits) / len(hits)
    return mean, math.sqrt(mean * (1 - mean) / len(hits))


def mean_and_error(values: Sequence[float]) -> tuple[float, float]:
    """Mean and its standard error (0 for a single value)."""
    mean = sum(values) / len(values)
    if len(values) < 2:
        return mean, 0.0
    variance = sum((value - mean) ** 2 for value in values) / (len(values) - 1)
    return mean, math.sqrt(variance / len(values))


def ratio_and_error(parts: Sequence[float], wholes: Sequence[float]) -> tuple[float, float]:
    """Ratio of two sums over the same units and its standard error (delta method; 0 for a single unit)."""
    ratio = sum(parts) / sum(wholes)
    _, error = mean_and_error([part - ratio * whole for part, whole in zip(parts, wholes, strict=True)])
    return ratio, error * len(wholes) / sum(wholes)


def named(name: str, measured: tuple[Value, Value]) -> dict[str, Value]:
    """A value and its standard error as `name` and `<name>_se`."""
    return {name: measured[0], f"{name}_se": measured[1]}


def entropy(counts: Iterable[int]) -> float | None:
    """Shannon entropy of a distribution that is given by counts, in bits; None without any."""
    above = [count for count in counts if count]
    total = sum(above)
    return sum(count / total * math.log2(total / count) for count in above) if above else None
