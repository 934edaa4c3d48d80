"""Measurements made with the oracle after the fact: how a model's own judgments and candidates look to it.

Diagnostics for a domain that has an oracle. Nothing here is read by a round: the stages of a round cannot import it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from types import ModuleType
from typing import Any

from pipeline.core.files import counts
from pipeline.core.means import named, proportion
from pipeline.core.records import Dropped, Preference, SearchTree, State, Tree
from pipeline.inference.requests import seed_of
from pipeline.methods.psrlm.judge import Ranking


def labels(oracle: ModuleType, tree: Tree, state: State) -> list[bool]:
    """The oracle's label of each candidate of a state; an unusable candidate is wrong."""
    return [c.usable and oracle.right(tree.prompt, state.steps, c.text) for c in state.candidates]


def on_policy(oracle: ModuleType, trees: Sequence[Tree]) -> dict[str, Any]:
    """Shares over the states of searches, with standard errors.

    mixed: states that hold both a right and a wrong step. right_way: among mixed states whose best and worst
    differ in label, those whose best is the right one. verdict_accuracy, verdict_consistency: over pairs of one
    right and one wrong candidate in the states that were drawn to be judged in full; a tie or an unreadable verdict is
    neither accurate nor consistent.
    """
    mixed, right_way, verdicts, consistent = (list[bool]() for _ in range(4))
    kinds: list[str] = []
    for tree in trees:
        for state in tree.states:
            known = labels(oracle, tree, state)
            mixed.append(any(known) and not all(known))
            if state.best is not None and state.worst is not None:
                pair = known[state.best], known[state.worst]
                kinds.append({(True, False): "right", (False, True): "inverted"}.get(pair, f"both_{pair[0]}".lower()))
                if pair[0] != pair[1]:
                    right_way.append(pair[0])
            by_pair: dict[frozenset[int], list[bool | None]] = {}
            for verdict in state.verdicts if state.in_full else ():
                if known[verdict.a] != known[verdict.b]:
                    winner_right = {"A": known[verdict.a], "B": known[verdict.b]}.get(verdict.winner or "")
                    by_pair.setdefault(frozenset((verdict.a, verdict.b)), []).append(winner_right)
            verdicts += [winner_right is True for both in by_pair.values() for winner_right in both]
            consistent += [both[0] is not None and both[0] == both[1] for both in by_pair.values() if len(both) == 2]
    return {
        "states": len(mixed),
        **_share("mixed", mixed),
        **_share("right_way", right_way),
        **_share("verdict_accuracy", verdicts),
        **_share("verdict_consistency", consistent),
        "pairs": counts(kinds),
    }


def _share(name: str, values: Sequence[bool]) -> dict[str, Any]:
    measured = proportion(values) if values else (None, None)
    return named(name, measured) | {f"{name}_count": len(values)}


def control_pairs(oracle: ModuleType, trees: Iterable[Tree]) -> tuple[list[Preference], list[Dropped]]:
    """The control's pairs: at each mixed state the right and the wrong candidate with the most votes.

    A state that is not mixed is dropped as `all_right` or `all_wrong`.
    """
    kept: list[Preference] = []
    dropped: list[Dropped] = []
    for tree in trees:
        for index, state in enumerate(tree.states):
            known = labels(oracle, tree, state)
            usable = (i for i, candidate in enumerate(state.candidates) if candidate.usable)
            order = sorted(usable, key=lambda i: -state.candidates[i].votes)
            chosen = next((i for i in order if known[i]), None)
            rejected = next((i for i in order if not known[i]), None)
            if chosen is None or rejected is None:
                reason = "all_wrong" if chosen is None else "all_right"
                dropped.append(Dropped("control_pairs", f"{tree.problem_id}/{index}", reason, ""))
                continue
            best, worst = (replace(state.candidates[i], score=float(known[i])) for i in (chosen, rejected))
            kept.append(
                Preference(
                    tree.problem_id, len(state.steps) + 1, tree.prompt, state.steps, best.text, worst.text,
                    best.terminal, worst.terminal, best.score, worst.score, "control",
                )
            )  # fmt: skip
    return kept, dropped


def turned_at_random(judged: Iterable[Preference], seed: int) -> list[Preference]:
    """Pairs of a judge, each with chosen and rejected exchanged or not, by even odds of its own."""
    turned = []
    for pair in judged:
        if seed_of(seed, "turn", pair.problem_id, pair.step_index) % 2:
            pair = replace(
                pair,
                chosen=pair.rejected, rejected=pair.chosen,
                chosen_terminal=pair.rejected_terminal, rejected_terminal=pair.chosen_terminal,
                chosen_score=pair.rejected_score, rejected_score=pair.chosen_score,
            )  # fmt: skip
        turned.append(replace(pair, iteration="control"))
    return turned


@dataclass(frozen=True)
class Layer:
    """All candidates under one parent of a Monte-Carlo tree, with the PRM's P("+") for each."""

    key: str
    prompt: str
    steps: tuple[str, ...]
    candidates: tuple[str, ...]
    scores: tuple[float, ...]


def layers(trees: Iterable[SearchTree]) -> list[Layer]:
    """Every layer of at least two candidates, in order of problem and parent."""
    return [
        Layer(key, tree.prompt, steps, tuple(node.step for node in nodes), tuple(node.score for node in nodes))
        for tree in trees
        for key, steps, nodes in tree.siblings()
    ]


def pair_precision(
    oracle: ModuleType, layers: Sequence[Layer], rankings: Mapping[str, Ranking], margin: float
) -> dict[str, Any]:
    """How often a layer's pair is a right step against a wrong one: picked by the PRM, by the judge, at random.

    prm: best against worst where they differ by `margin`; judge: most against fewest wins where they differ;
    random: every pair of candidates in both orders. `right`: of all pairs; `right_of_mixed`: of the pairs of one
    right and one wrong step (random: one half by construction).
    """
    picked: dict[str, list[tuple[bool, bool]]] = {"prm": [], "judge": [], "random": []}
    for layer in layers:
        known = [oracle.right(layer.prompt, layer.steps, text) for text in layer.candidates]
        for name, scores, needed in (("prm", layer.scores, margin), ("judge", rankings[layer.key].scores, 1.0)):
            order = sorted(range(len(known)), key=lambda i: (scores[i], i))
            if scores[order[-1]] - scores[order[0]] >= needed:
                picked[name].append((known[order[-1]], known[order[0]]))
        for a, b in combinations(range(len(known)), 2):
            picked["random"] += [(known[a], known[b]), (known[b], known[a])]
    result: dict[str, Any] = {"layers": len(layers)}
    for name, pairs in picked.items():
        result |= _share(f"{name}_right", [pair == (True, False) for pair in pairs])
        result |= _share(f"{name}_right_of_mixed", [pair[0] for pair in pairs if pair[0] != pair[1]])
    return result
