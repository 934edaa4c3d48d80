"""The layers of searched or rated steps, and the questions to an annotator about them (paper, section 3.2)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pipeline.core.records import Dropped, SearchTree
from pipeline.data.ratings import RatedStep, best_and_worst
from pipeline.language.steps import body
from pipeline.methods.psrlm.settings import RATED, Eft


@dataclass(frozen=True)
class Layer:
    """Best and worst candidate under one parent by the PRM's P("+")."""

    key: str
    problem_id: str
    prompt: str
    steps: tuple[str, ...]
    best: str
    worst: str
    best_score: float
    worst_score: float

    def dropped(self, reason: str) -> Dropped:
        """The layer as one that is left out."""
        return Dropped("eft", self.key, reason, f"{body(self.best)} | {body(self.worst)}")


def layers(trees: Iterable[SearchTree]) -> list[Layer]:
    """Every layer of at least two candidates, in order of problem and parent; of equal scores the later is better."""
    result = []
    for tree in trees:
        for key, steps, nodes in tree.siblings():
            worst, *_, best = sorted(nodes, key=lambda node: node.score)
            where = (key, tree.problem_id, tree.prompt, steps)
            result.append(Layer(*where, best.step, worst.step, best.score, worst.score))
    return result


def rated_layers(rated: Iterable[RatedStep]) -> list[Layer]:
    """Layers from human ratings: the first good against the first bad candidate of a prefix, scores the ratings."""
    result = []
    for number, (good, bad) in enumerate(best_and_worst(rated)):
        key = f"{RATED}{good.problem_id}/{number}"
        result.append(Layer(key, good.problem_id, good.prompt, good.steps, good.text, bad.text, 1.0, -1.0))
    return result


@dataclass(frozen=True)
class Question:
    """A question to an annotator about a layer: which of `a` and `b` is the better step after `steps`."""

    key: str
    problem: str
    steps: tuple[str, ...]
    a: str
    b: str


Asking = tuple[Layer, Question, Question]  # a layer, and its question in both orders


def questions(candidates: Sequence[Layer], settings: Eft) -> tuple[list[Asking], list[Dropped]]:
    """The layers worth asking about, each with its question in both orders, and the others with their reason.

    Reasons: `margin`, `per_problem` (more than eft.pairs_per_problem).
    """
    kept: list[Asking] = []
    dropped: list[Dropped] = []
    taken = Counter[str]()
    for layer in candidates:
        if layer.best_score - layer.worst_score < settings.margin:
            dropped.append(layer.dropped("margin"))
        elif taken[layer.problem_id] >= settings.pairs_per_problem:
            dropped.append(layer.dropped("per_problem"))
        else:
            taken[layer.problem_id] += 1
            straight = Question(f"{layer.key}/0", layer.prompt, layer.steps, layer.best, layer.worst)
            swapped = Question(f"{layer.key}/1", layer.prompt, layer.steps, layer.worst, layer.best)
            kept.append((layer, straight, swapped))
    return kept, dropped
