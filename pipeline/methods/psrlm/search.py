"""Step-wise search in which the model judges its own candidate steps (paper, section 3.3).

One generator a problem; the engine's event loop interleaves them. At a state `width` next steps are sampled,
equal ones merged, every pair judged. Best = most wins, worst = fewest; the best is appended and the two are the
state's pair. If all scores are equal, the previous step and its pair are discarded and the search rolls back.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from pipeline.core.files import counts
from pipeline.core.records import Candidate, Problem, State, Tree
from pipeline.inference.requests import Task, seed_of
from pipeline.language import steps
from pipeline.language.renderer import Renderer
from pipeline.methods.psrlm import judge
from pipeline.methods.psrlm.candidates import merge, sample
from pipeline.methods.psrlm.settings import FILE as FILE
from pipeline.methods.psrlm.settings import Search
from pipeline.methods.verdicts import turned

Row = Tree


def search(renderer: Renderer, problem: Problem, settings: Search, seed: int) -> Task[Tree]:
    """Search one problem; one that does not fit the engine's context ends as `context`."""
    states: list[State] = []
    path: list[int] = []  # indices of the states whose steps stand in the solution
    rollbacks = 0
    for visit in range(settings.max_steps):
        done = tuple(_chosen(states[index]) for index in path)
        place = seed_of(seed, problem.problem_id, len(done), visit)
        answers = yield sample(renderer, problem.prompt, done, settings.width, settings.sampling, place)
        candidates = merge(renderer, answers, number=len(done) + 1)
        eligible = [index for index, candidate in enumerate(candidates) if candidate.finish == "step"]
        if not eligible:
            states.append(State(done, candidates, (), "none", None, None, False))
            return _tree(problem, states, done, candidates[0].finish)
        if len(eligible) == 1:
            state = State(done, candidates, (), "single", eligible[0], None, False)
        else:
            texts = [candidates[index].text for index in eligible]
            ranking = yield from judge.rank(renderer, problem.prompt, done, texts, settings.judge, place)
            state = _judged(done, candidates, eligible, ranking)
        if state.outcome == "tie":
            if rollbacks < settings.rollbacks:
                rollbacks += 1
                states.append(state)
                if path:
                    states[path[-1]] = replace(states[path[-1]], discarded=True)
                    path.pop()
                continue
            most = max(eligible, key=lambda index: state.candidates[index].votes)
            state = replace(state, outcome="forced", best=most)
        best = _chosen(state)
        repeated = any(steps.body(best) == steps.body(step) for step in done)
        states.append(state)
        path.append(len(states) - 1)
        assert state.best is not None
        if repeated:
            return _tree(problem, states, (*done, best), "repeat")
        if state.candidates[state.best].terminal:
            return _tree(problem, states, (*done, best), "no_answer" if renderer.answer_end(best) is None else "answer")
    return _tree(problem, states, tuple(_chosen(states[index]) for index in path), "max_steps")


def _judged(
    done: tuple[str, ...], candidates: tuple[Candidate, ...], eligible: list[int], ranking: judge.Ranking
) -> State:
    """The state after judging: scores noted, best and worst picked; equal scores fall to the votes."""
    scored = list(candidates)
    for index, score in zip(eligible, ranking.scores, strict=True):
        scored[index] = replace(scored[index], score=score)
    verdicts = tuple(replace(v, a=eligible[v.a], b=eligible[v.b]) for v in ranking.verdicts)
    order = sorted(eligible, key=lambda index: (scored[index].score, scored[index].votes, -index))
    worst, best = order[0], order[-1]
    if scored[best].score == scored[worst].score:
        return State(done, tuple(scored), verdicts, "tie", None, None, False)
    return State(done, tuple(scored), verdicts, "step", best, worst, False)


def _chosen(state: State) -> str:
    assert state.best is not None
    return state.candidates[state.best].text


def _tree(problem: Problem, states: list[State], done: tuple[str, ...], end: str) -> Tree:
    return Tree(problem.problem_id, problem.prompt, tuple(states), done, end)


def statistics(trees: Sequence[Tree]) -> dict[str, Any]:
    """What the searches did: states by outcome, distinct candidates, unreadable and inconsistent verdicts, ends."""
    states = [state for tree in trees for state in tree.states]
    verdicts = [verdict for state in states for verdict in state.verdicts]
    both = [v for state in states for v in _in_both_orders(state)]
    return {
        "problems": len(trees),
        "states": len(states),
        "outcomes": counts([state.outcome for state in states]),
        "ends": counts([tree.end for tree in trees]),
        "candidates": sum(len(state.candidates) for state in states),
        "candidates_per_state": sum(len(state.candidates) for state in states) / len(states),
        "unusable": counts([c.finish for state in states for c in state.candidates if c.finish != "step"]),
        "verdicts": len(verdicts),
        "ties": sum(verdict.winner == "C" for verdict in verdicts),
        "unreadable": sum(verdict.winner is None for verdict in verdicts),
        "consistency": sum(both) / len(both) if both else None,
    }


def _in_both_orders(state: State) -> list[bool]:
    """For each pair judged in both orders: whether the two verdicts name the same candidate, or both a tie."""
    named: dict[frozenset[int], list[str | None]] = {}
    for verdict in state.verdicts:
        said = verdict.winner if verdict.a < verdict.b else turned(verdict.winner)
        named.setdefault(frozenset((verdict.a, verdict.b)), []).append(said)
    return [both[0] is not None and both[0] == both[1] for both in named.values() if len(both) == 2]


def too_long(tree: Tree) -> bool:
    """Whether the bare prompt did not fit the engine's context."""
    return tree.end == "context" and not tree.steps
