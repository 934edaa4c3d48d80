"""Ways measured side by side: in turn, round after round, so that whatever else the machine does meets all of them."""

from __future__ import annotations

import multiprocessing
import resource
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

HEADER = ("measure", "least", "median", "most", "rounds", "unit")


@dataclass(frozen=True)
class Line:
    """One measure over its rounds. unit: of the values, or `x` for a ratio of two ways in one round."""

    measure: str
    values: tuple[float, ...]
    unit: str

    def cells(self) -> list[str]:
        """As a row under HEADER."""
        spread = min(self.values), statistics.median(self.values), max(self.values)
        return [self.measure, *map(_shown, spread), str(len(self.values)), self.unit]


def _shown(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def interleaved(ways: Mapping[str, Callable[[], float]], rounds: int) -> dict[str, tuple[float, ...]]:
    """What each way measures, the ways in turn in every round, each round beginning with another one."""
    measured: dict[str, list[float]] = {name: [] for name in ways}
    names = list(ways)
    for number in range(rounds):
        shift = number % len(names)
        for name in names[shift:] + names[:shift]:
            measured[name].append(ways[name]())
    return {name: tuple(values) for name, values in measured.items()}


def alone(call: Callable[..., Any], *arguments: Any) -> tuple[Any, float]:
    """What a function returns in a process of its own, and that process's peak MiB."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_sent, args=(theirs, call, *arguments))
    process.start()
    theirs.close()
    answer: tuple[Any, float] = ours.recv()
    process.join()
    return answer


def _sent(answer: Any, call: Callable[..., Any], *arguments: Any) -> None:
    answer.send((call(*arguments), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024))


def against(name: str, measured: Mapping[str, Sequence[float]], unit: str) -> list[Line]:
    """A line of each way, and of each other way the ratio to the first one, round by round."""
    first, *others = measured
    lines = [Line(f"{name}: {way}", tuple(values), unit) for way, values in measured.items()]
    for other in others:
        ratios = [one / base for one, base in zip(measured[other], measured[first], strict=True)]
        lines.append(Line(f"{name}: {other} / {first}", tuple(ratios), "x"))
    return lines
