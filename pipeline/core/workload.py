"""The work of a stage in requests and tokens, and the lengths from which a plan of it is made."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import astuple, dataclass
from itertools import accumulate
from operator import add


@dataclass(frozen=True)
class Work:
    """What is asked of engines or servers. judge_calls: those of the requests that judge or score."""

    requests: float = 0.0
    prompt_tokens: float = 0.0
    sampled_tokens: float = 0.0
    judge_calls: float = 0.0

    def __add__(self, other: Work) -> Work:
        return Work(*map(add, astuple(self), astuple(other)))

    def __mul__(self, times: float) -> Work:
        return Work(*(value * times for value in astuple(self)))


def requests(count: float, prompt: float, sampled: float, judging: bool = False) -> Work:
    """Requests whose prompts have `prompt` tokens and whose completions `sampled`."""
    return Work(count, count * prompt, count * sampled, count if judging else 0.0)


@dataclass(frozen=True)
class Shape:
    """A problem and its solution in tokens; a step with what ends it."""

    problem: float
    steps: tuple[float, ...]

    @property
    def prefixes(self) -> list[float]:
        """Tokens of the steps before each step."""
        return [0.0, *accumulate(self.steps[:-1])]


@dataclass(frozen=True)
class Sizes:
    """Lengths of problems in tokens. prompt: of a template by its name, fields empty; assumed: values by name.

    marker: of `Step n:`, with which a step is counted here, but which ends its prompt and is not sampled.
    """

    shapes: tuple[Shape, ...]
    prompt: Callable[[str], float]
    marker: float
    assumed: Mapping[str, float]

    def mean(self, of: Callable[[Shape], float]) -> float:
        """The mean over the problems."""
        return sum(map(of, self.shapes)) / len(self.shapes)

    @property
    def problem(self) -> float:
        """Tokens of a problem."""
        return self.mean(lambda shape: shape.problem)

    @property
    def solution(self) -> float:
        """Tokens of a solution."""
        return self.mean(lambda shape: sum(shape.steps))

    @property
    def steps(self) -> float:
        """Steps of a solution."""
        return self.mean(lambda shape: len(shape.steps))

    @property
    def step(self) -> float:
        """Tokens of a step."""
        return self.solution / self.steps

    @property
    def prefix(self) -> float:
        """Tokens of the steps before a step, over all steps."""
        return self.mean(lambda shape: sum(shape.prefixes)) / self.steps

    def whole(self, count: float) -> Work:
        """`count` whole solutions of one problem, sampled."""
        return requests(count, self.prompt("reasoning") + self.problem + self.marker, self.solution - self.marker)
