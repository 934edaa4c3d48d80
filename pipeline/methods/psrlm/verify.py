"""What must hold inside a search of PSRLM and its EFT data (`psr verify`): verdicts, scores, path and candidates."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from pipeline.core import files
from pipeline.core.records import JudgedPair, SearchTree, State, Tree
from pipeline.methods.psrlm import judge
from pipeline.methods.psrlm.settings import FILE, RATED, Search


def searched(folder: Path, settings: Search) -> Iterator[tuple[str, str]]:
    """Faults of a round's trees: the place (`row 3 (p-7), state 2`) and what is wrong there."""
    needed = 2 if settings.judge.orders == "both" else 1
    row = 0
    for batch in files.batches(folder / FILE, Tree, size=64):
        for tree in batch:
            for place, what in _of_tree(tree, needed):
                yield f"row {row} ({tree.problem_id}){place}", what
            row += 1


def _of_tree(tree: Tree, needed: int) -> Iterator[tuple[str, str]]:
    path: list[int] = []
    back = set[int]()
    for index, state in enumerate(tree.states):
        for what in _of_state(state, needed):
            yield f", state {index}", what
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


def _of_state(state: State, needed: int) -> Iterator[str]:
    usable = {i for i, candidate in enumerate(state.candidates) if candidate.finish == "step"}
    if not {i for i in (state.best, state.worst) if i is not None} <= usable:
        yield "its best or worst is no usable candidate"
        return
    for number, verdict in enumerate(state.verdicts):
        if not {verdict.a, verdict.b} <= usable or verdict.a == verdict.b:
            yield f"verdict {number} is not on two usable candidates"
            return
        if verdict.winner != (said := judge.parse(verdict.text)):
            yield f"verdict {number} is {verdict.winner}, its words say {said}"
    recounted = judge.scores(len(state.candidates), state.verdicts, needed)
    for number, candidate in enumerate(state.candidates):
        if candidate.score != recounted[number]:
            yield f"candidate {number} has score {candidate.score:g}, its verdicts make {recounted[number]:g}"
    scores = [state.candidates[i].score for i in usable]
    alike = len(set(scores)) == 1
    fits = {
        "none": not usable,
        "single": len(usable) == 1,
        "tie": len(usable) > 1 and alike,
        "forced": len(usable) > 1 and alike,
        "step": bool(usable) and not alike,
    }
    if not fits.get(state.outcome, False):
        yield f"its outcome {state.outcome!r} does not fit {len(usable)} usable candidates with scores {sorted(scores)}"
    elif state.outcome == "step" and (
        state.best is None
        or state.worst is None
        or state.candidates[state.best].score < max(scores)
        or state.candidates[state.worst].score > min(scores)
    ):
        yield "its best and worst are not those with the most and the fewest wins"


def annotated(rows: Iterable[JudgedPair], trees: Path) -> Iterator[tuple[int, str, str]]:
    """Faults of EFT rows: the row's number, its key and what is wrong.

    trees: the folder of the EFT search. Pairs that people rated stand in no tree; their verdict is checked alone.
    """
    known = set[int]()  # hashes, so that the trees' texts are not held
    for batch in files.batches(trees / FILE, SearchTree, size=64):
        for tree in batch:
            for key, steps, nodes in tree.siblings():
                known.add(hash((key, tree.problem_id, tree.prompt, steps)))
                known.update(hash((key, node.step, node.score)) for node in nodes)
    for number, row in enumerate(rows):
        key = row.pair_id.rpartition("/")[0]
        if row.winner != (said := judge.parse(row.judgment)):
            yield number, row.pair_id, f"its winner is {row.winner}, its judgment says {said}"
        if row.pair_id.startswith(RATED):
            continue
        if hash((key, row.problem_id, row.prompt, row.steps)) not in known:
            yield number, row.pair_id, f"no state of {trees} has its problem and steps"
            continue
        for name, step, score in (("a", row.a, row.score_a), ("b", row.b, row.score_b)):
            if hash((key, step, score)) not in known:
                yield number, row.pair_id, f"{name} is no candidate of its state with that P(+)"
