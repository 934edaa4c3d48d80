"""EFT data: best and worst of a layer as a pair, filtered, annotated in both orders (paper, section 3.2)."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from pipeline import judge
from pipeline.params import Eft
from pipeline.records import Dropped, JudgedPair, SearchTree
from pipeline.steps import body

Annotate = Callable[[str, Sequence[str], str, str], str]  # problem, steps, a, b -> explanation and verdict


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


def layers(trees: Iterable[SearchTree]) -> list[Layer]:
    """Every layer of at least two candidates, in order of problem and parent."""
    found = []
    for tree in trees:
        paths: list[tuple[str, ...]] = []
        children: dict[int, list[int]] = {}
        for index, node in enumerate(tree.nodes):
            paths.append(() if node.parent < 0 else (*paths[node.parent], node.step))
            children.setdefault(node.parent, []).append(index)
        for parent, members in sorted(children.items()):
            if parent >= 0 and len(members) > 1:
                order = sorted(members, key=lambda index: (tree.nodes[index].score, index))
                worst, best = tree.nodes[order[0]], tree.nodes[order[-1]]
                key = f"{tree.problem_id}/{parent}"
                found.append(
                    Layer(
                        key,
                        tree.problem_id,
                        tree.prompt,
                        paths[parent],
                        best.step,
                        worst.step,
                        best.score,
                        worst.score,
                    )
                )
    return found


def judged_pairs(found: Sequence[Layer], annotate: Annotate, settings: Eft) -> tuple[list[JudgedPair], list[Dropped]]:
    """Annotated pairs, two rows each (both orders), and every layer that was left out with its reason.

    Reasons: `margin`, `per_problem` (more than eft.pairs_per_problem), `unreadable`, `inconsistent`,
    `disagrees_with_prm`.
    """
    kept: list[JudgedPair] = []
    dropped: list[Dropped] = []
    taken: dict[str, int] = {}
    for layer in found:
        reason, rows = _annotated(layer, annotate, settings, taken.get(layer.problem_id, 0))
        if reason is None:
            taken[layer.problem_id] = taken.get(layer.problem_id, 0) + 1
            kept += rows
        else:
            dropped.append(Dropped("eft", layer.key, reason, f"{body(layer.best)} | {body(layer.worst)}"))
    return kept, dropped


def _annotated(layer: Layer, annotate: Annotate, settings: Eft, taken: int) -> tuple[str | None, list[JudgedPair]]:
    if layer.best_score - layer.worst_score < settings.margin:
        return "margin", []
    if taken >= settings.pairs_per_problem:
        return "per_problem", []
    rows = []
    for order, (a, b) in enumerate(((layer.best, layer.worst), (layer.worst, layer.best))):
        judgment = annotate(layer.prompt, layer.steps, a, b)
        score_a, score_b = (layer.best_score, layer.worst_score)[:: 1 if order == 0 else -1]
        rows.append(
            JudgedPair(
                f"{layer.key}/{order}", layer.problem_id, layer.prompt, layer.steps, a, b, judgment,
                judge.parse(judgment) or "", score_a, score_b,
            )
        )  # fmt: skip
    straight, swapped = rows[0].winner, rows[1].winner
    if not straight or not swapped:
        return "unreadable", []
    if straight == swapped:
        return "inconsistent", []
    return (None, rows) if straight == "A" else ("disagrees_with_prm", [])


def split(
    rows: Sequence[JudgedPair], test_pairs: int, seed: int
) -> tuple[list[JudgedPair], list[JudgedPair], list[Dropped]]:
    """Train rows, test rows, and what neither took, held out by problem.

    The test set has one row a pair, its order drawn by hash. Where the last held-out problem has more pairs than
    the set still needs, the rest is dropped as `test_set_full`.
    """
    by_problem: dict[str, list[JudgedPair]] = {}
    for row in rows:
        by_problem.setdefault(row.problem_id, []).append(row)
    test: list[JudgedPair] = []
    held_out: set[str] = set()
    for problem in sorted(by_problem, key=lambda key: _hash(seed, key)):
        if len(test) >= test_pairs:
            break
        held_out.add(problem)
        pairs = by_problem[problem]
        test += [pairs[i + int(_hash(seed, pairs[i].pair_id), 16) % 2] for i in range(0, len(pairs), 2)]
    surplus = [Dropped("eft", row.pair_id, "test_set_full", body(row.a)) for row in test[test_pairs:]]
    return [row for row in rows if row.problem_id not in held_out], test[:test_pairs], surplus


def _hash(seed: int, key: str) -> str:
    return hashlib.sha256(f"{seed}/{key}".encode()).hexdigest()
