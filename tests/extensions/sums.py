"""A toy domain in one file: word problems of the embedded world, answered in words and graded as exact texts."""

from __future__ import annotations

import random

from pipeline.core.config import Count, Section
from pipeline.core.records import Problem
from pipeline.domains.arithmetic import exact
from pipeline.domains.arithmetic.graphs import generate, write
from pipeline.language.steps import body

PARTS = {role: f"pipeline.domains.arithmetic.{role}" for role in ("base", "oracle")}
PARTS["solutions"] = "pipeline.domains.math.solutions"
_MARK = "The answer is "


class Settings(Section):
    """Problems of two steps."""

    evaluation: Count
    misconception_rate: float

    def evaluation_splits(self) -> list[str]:
        return ["sums"]


def _problem(key: str, split: str, solved: bool) -> Problem:
    graph = generate(random.Random(key), 2)
    solution = "\n".join(body(step) for step in exact.solve(graph)) if solved else None
    return Problem(key, write(graph), split, str(exact.answer(graph)) if solved else None, solution)


def evaluation(settings: Settings) -> list[Problem]:
    return [_problem(f"sums-{number:05d}", "sums", solved=True) for number in range(settings.evaluation)]


def training(settings: Settings, seed: int, name: str, count: int, seen: set[str]) -> list[Problem]:
    return [_problem(f"{name}-{seed}-{number:05d}", name, solved=name == "ift") for number in range(count)]


def end(text: str) -> int | None:
    """Just after the sentence that begins with the mark."""
    start = text.find(_MARK)
    return None if start < 0 or not text[start + len(_MARK) :].strip() else len(text)


def read(text: str) -> str | None:
    return text.rpartition(_MARK)[2].partition("\n")[0].strip("\\boxed{} .") if _MARK in text else None


def right(answer: str, gold: str) -> bool:
    return answer == gold
