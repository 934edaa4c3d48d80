"""What must hold inside a search of PSRLM and its EFT data (`psr verify`): verdicts, scores, path and candidates."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from pipeline.core import files
from pipeline.core.records import Dropped, JudgedPair, SearchTree, State, Tree
from pipeline.methods.psrlm import eft, inspect, judge
from pipeline.methods.psrlm.settings import FILE, RATED, Judge, Search


def searched(folder: Path, settings: Search) -> Iterator[tuple[str, str]]:
    """Faults of a round's trees: the place (`row 3 (p-7), state 2`) and what is wrong there."""
    for row, tree in enumerate(inspect.trees(folder)):
        for place, what in _of_tree(tree, settings):
            yield f"row {row} ({tree.problem_id}){place}", what


def _of_tree(tree: Tree, settings: Search) -> Iterator[tuple[str, str]]:
    path: list[int] = []
    back = set[int]()
    for index, state in enumerate(tree.states):
        for what in _of_state(state, settings.judge):
            yield f", state {index}", what
        votes = sum(candidate.votes for candidate in state.candidates)
        if votes not in (settings.width, settings.first_wave):
            yield f", state {index}", f"its candidates have {votes} votes, {settings.width} were sampled"
        if state.steps != _steps(tree, path):
            yield f", state {index}", "its steps are not those of the states before it"
            return
        if state.outcome == "tie":
            back.update(path[-1:])
            del path[-1:]
        elif state.best is not None:
            path.append(index)
    if tree.steps != _steps(tree, path):
        yield "", "its solution is not the steps that its states chose"
    for index, state in enumerate(tree.states):
        if state.discarded != (index in back):
            yield f", state {index}", f"discarded is {state.discarded}, its rollbacks say {index in back}"


def _steps(tree: Tree, path: list[int]) -> tuple[str, ...]:
    states = [tree.states[index] for index in path]
    return tuple(state.candidates[state.best].text for state in states if state.best is not None)


def _of_state(state: State, settings: Judge) -> Iterator[str]:
    usable = [i for i, candidate in enumerate(state.candidates) if candidate.usable]
    if not {i for i in (state.best, state.worst) if i is not None} <= set(usable):
        yield "its best or worst is no usable candidate"
        return
    for number, verdict in enumerate(state.verdicts):
        if not {verdict.a, verdict.b, *verdict.shown} <= set(usable) or verdict.a == verdict.b:
            yield f"verdict {number} is not on two usable candidates"
            return
    if len(usable) > 1:
        yield from _recounted(state, usable, settings)
    elif any(candidate.score for candidate in state.candidates) or state.verdicts:
        yield "it has scores or verdicts, and fewer than two usable candidates"
    elif state.outcome != ("single" if usable else "none"):
        yield f"its outcome {state.outcome!r} does not fit {len(usable)} usable candidates"


def _recounted(state: State, usable: list[int], settings: Judge) -> Iterator[str]:
    """What the verdicts say of scores, best and worst against what stands there."""
    place = {index: number for number, index in enumerate(usable)}
    verdicts = []
    for number, verdict in enumerate(state.verdicts):
        shown = tuple(place[index] for index in verdict.shown)
        own = replace(verdict, a=place[verdict.a], b=place[verdict.b], shown=shown)
        verdicts.append(own)
        if own.winner != (words := judge.read(own, settings.margin)):
            yield f"verdict {number} is {own.winner}, its words say {words}"
    ranking = judge.ranked(verdicts, [state.candidates[index].votes for index in usable], settings)
    scores = dict(zip(usable, ranking.scores, strict=True))
    for number, candidate in enumerate(state.candidates):
        if candidate.score != scores.get(number, 0.0):
            yield f"candidate {number} has score {candidate.score:g}, its verdicts make {scores.get(number, 0.0):g}"
    if ranking.open:
        yield "its judging stopped before best and worst were decided"
    if ranking.not_needed != state.not_needed or (state.in_full and state.not_needed):
        yield f"not_needed is {state.not_needed}, its verdicts leave {ranking.not_needed} out"
    if state.outcome not in (("tie", "forced") if ranking.tied else ("step",)):
        every = sorted(state.candidates[index].score for index in usable)
        yield f"its outcome {state.outcome!r} does not fit {len(usable)} usable candidates with scores {every}"
    elif state.outcome == "step" and (state.best, state.worst) != (usable[ranking.best], usable[ranking.worst]):
        yield "its best and worst are not those with the most and the fewest wins"


def explored(folder: Path) -> Iterator[tuple[str, str]]:
    """Faults of the trees of an EFT search: the place and what is wrong there."""
    for row, tree in enumerate(files.rows(folder / FILE, SearchTree, size=64)):
        where = f"row {row} ({tree.problem_id})"
        if not _linked(tree):
            yield where, "a node's parent is not one of the nodes before it"
            continue
        visits = Counter[int]()
        for node in tree.nodes:
            visits[node.parent] += node.visits
        for number, node in enumerate(tree.nodes):
            if not (0 <= node.score <= 1 and 0 <= node.value <= 1):
                yield f"{where}, node {number}", f"P(+) {node.score:g} or value {node.value:g} is no probability"
            if node.visits < visits[number]:
                yield f"{where}, node {number}", f"it has {node.visits} visits, its children {visits[number]}"


def _linked(tree: SearchTree) -> bool:
    return all((-1 if number == 0 else 0) <= node.parent < number for number, node in enumerate(tree.nodes))


def counted(
    train: Sequence[JudgedPair], test: Sequence[JudgedPair], dropped: Sequence[Dropped], recorded: dict[str, Any]
) -> dict[str, Any]:
    """The statistics of EFT data as their rows make them. recorded: those that were written, for the layers."""
    return eft.statistics(recorded.get("layers", 0), train, test, dropped)


def annotated(rows: Iterable[JudgedPair], trees: Path) -> Iterator[tuple[int, str, str]]:
    """Faults of EFT rows: the row's number, its key and what is wrong.

    trees: the folder of the EFT search. Pairs that people rated stand in no tree; their verdict is checked alone.
    """
    known = set[int]()  # hashes, so that the trees' texts are not held
    for tree in files.rows(trees / FILE, SearchTree, size=64):
        for key, steps, nodes in tree.siblings() if _linked(tree) else ():
            known.add(hash((key, tree.problem_id, tree.prompt, steps)))
            known.update(hash((key, node.step, node.score)) for node in nodes)
    for number, row in enumerate(rows):
        key = row.pair_id.rpartition("/")[0]
        if row.winner != (words := judge.parse(row.judgment)):
            yield number, row.pair_id, f"its winner is {row.winner}, its judgment says {words}"
        if row.pair_id.startswith(RATED):
            continue
        if hash((key, row.problem_id, row.prompt, row.steps)) not in known:
            yield number, row.pair_id, f"no state of {trees} has its problem and steps"
            continue
        for name, step, score in (("a", row.a, row.score_a), ("b", row.b, row.score_b)):
            if hash((key, step, score)) not in known:
                yield number, row.pair_id, f"{name} is no candidate of its state with that P(+)"
