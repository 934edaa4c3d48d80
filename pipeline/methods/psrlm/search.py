"""Step-wise search in which the model judges its own candidate steps (paper, section 3.3).

One generator a problem; the engine's event loop interleaves them. At a state `width` next steps are sampled (in two
waves, if so set), equal ones merged, their pairs judged as far as best and worst depend on them. Best = most wins,
worst = fewest; the best is appended and the two are the state's pair. If all have equally many, the previous step and
its pair are discarded and the search rolls back.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from scipy.special import expit

from pipeline.core.files import counts
from pipeline.core.means import entropy
from pipeline.core.records import Candidate, Problem, State, Tree, Verdict
from pipeline.inference.requests import Task, seed_of
from pipeline.language import steps
from pipeline.language.renderer import Renderer
from pipeline.methods import verdicts
from pipeline.methods.psrlm import judge
from pipeline.methods.psrlm.candidates import in_waves
from pipeline.methods.psrlm.settings import FILE as FILE
from pipeline.methods.psrlm.settings import Search

Row = Tree


def search(renderer: Renderer, problem: Problem, settings: Search, seed: int) -> Task[Tree]:
    """Search one problem; one that does not fit the engine's context ends as `context`."""
    states: list[State] = []
    path: list[int] = []  # indices of the states whose steps stand in the solution
    rollbacks, answered = 0, dict[str, Verdict]()
    for visit in range(settings.max_steps):
        done = tuple(_chosen(states[index]).text for index in path)
        state_seed = seed_of(seed, problem.problem_id, len(done), visit)
        candidates = yield from in_waves(renderer, problem.prompt, done, settings, state_seed)
        eligible = [index for index, candidate in enumerate(candidates) if candidate.usable]
        if not eligible:
            states.append(State(done, candidates, (), "none", None, None, False))
            return _tree(problem, states, done, candidates[0].finish)
        if len(eligible) == 1:
            state = State(done, candidates, (), "single", eligible[0], None, False)
        else:
            texts, votes = zip(*((candidates[index].text, candidates[index].votes) for index in eligible), strict=True)
            ranking = yield from judge.rank(
                renderer, problem.prompt, done, texts, settings.judge, state_seed, votes, answered
            )
            state = _judged(done, candidates, eligible, ranking)
        if state.outcome == "tie":
            if rollbacks < settings.rollbacks:
                rollbacks += 1
                states.append(state)
                if path:
                    last = path.pop()
                    states[last] = replace(states[last], discarded=True)
                continue
            most = max(eligible, key=lambda index: state.candidates[index].votes)
            state = replace(state, outcome="forced", best=most)
        states.append(state)
        path.append(len(states) - 1)
        best = _chosen(state)
        longer = (*done, best.text)
        if any(steps.body(best.text) == steps.body(step) for step in done):
            return _tree(problem, states, longer, "repeat")
        if best.terminal:
            return _tree(problem, states, longer, "no_answer" if renderer.answer_end(best.text) is None else "answer")
    return _tree(problem, states, tuple(_chosen(states[index]).text for index in path), "max_steps")


def _judged(
    done: tuple[str, ...], candidates: tuple[Candidate, ...], eligible: list[int], ranking: judge.Ranking
) -> State:
    """The state after judging: scores noted, best and worst picked."""
    scored = list(candidates)
    for index, score in zip(eligible, ranking.scores, strict=True):
        scored[index] = replace(scored[index], score=score)
    judgments = tuple(
        replace(v, a=eligible[v.a], b=eligible[v.b], shown=tuple(eligible[i] for i in v.shown))
        for v in ranking.verdicts
    )
    how: dict[str, Any] = {"discarded": False, "in_full": ranking.in_full, "not_needed": ranking.not_needed}
    if ranking.tied:
        return State(done, tuple(scored), judgments, "tie", None, None, **how)
    return State(done, tuple(scored), judgments, "step", eligible[ranking.best], eligible[ranking.worst], **how)


def _chosen(state: State) -> Candidate:
    assert state.best is not None
    return state.candidates[state.best]


def _tree(problem: Problem, states: list[State], done: tuple[str, ...], end: str) -> Tree:
    return Tree(problem.problem_id, problem.prompt, tuple(states), done, end)


def statistics(trees: Sequence[Tree]) -> dict[str, Any]:
    """What the searches did: states by outcome, distinct candidates, unreadable verdicts, ends.

    verdicts: those read; of these `reused` were not asked again, and `not_needed` more were never asked. consistency,
    and the entropy of A, B and tie in bits (at most 1.58): of the states that were drawn to be judged in full.
    confidence: what the letters' log-odds give the pairs that they made.
    """
    states = [state for tree in trees for state in tree.states]
    judgments = [verdict for state in states for verdict in state.verdicts]
    in_full = verdicts.summed([verdicts.tallies(tree) for tree in trees])
    return {
        "problems": len(trees),
        "states": len(states),
        "outcomes": counts([state.outcome for state in states]),
        "ends": counts([tree.end for tree in trees]),
        "candidates": sum(len(state.candidates) for state in states),
        "candidates_per_state": sum(len(state.candidates) for state in states) / len(states),
        "unusable": counts([c.finish for state in states for c in state.candidates if not c.usable]),
        "sampled_tokens": sum(sum(tree.spent()) for tree in trees),
        "judge_tokens": sum(verdict.tokens for verdict in judgments),
        "judge_calls": sum(verdict.tokens > 0 for verdict in judgments),
        "verdicts": len(judgments),
        "reused": sum(verdict.reused for verdict in judgments),
        "not_needed": sum(state.not_needed for state in states),
        "judged_in_full": sum(state.in_full for state in states),
        "ties": sum(verdict.winner == "C" for verdict in judgments),
        "unreadable": sum(verdict.winner is None for verdict in judgments),
        "consistency": in_full["consistent"] / in_full["in_both_orders"] if in_full["in_both_orders"] else None,
        "entropy": entropy(in_full[letter] for letter in "ABC"),
        **_choices(trees),
        "confidence": _confidence(states),
    }


def _confidence(states: Iterable[State]) -> float | None:
    """Mean probability that each state's best is better than its worst, by the mean log-odds of all orders in which
    the two were shown; None where words decided."""
    chances = []
    for state in states:
        if state.outcome == "step" and not state.discarded:
            ends = [verdict for verdict in state.verdicts if {verdict.a, verdict.b} == {state.best, state.worst}]
            odds = [one.log_odds if one.a == state.best else -one.log_odds for one in ends if one.log_odds is not None]
            if ends and len(odds) == len(ends):
                chances.append(float(expit(sum(odds) / len(odds))))
    return sum(chances) / len(chances) if chances else None


def _choices(trees: Sequence[Tree]) -> dict[str, Any]:
    """What there was to choose from, and whether the judge chose.

    single: share of the states with fewer than two usable candidates; no_choice: of the problems, those with no other
    state. tied: of the other states, those whose candidates all won equally often. two_candidates: states with just
    two; decided_of_two: of these, those with a winner, named in both orders (a coin: at most a half).
    """
    judged = [[state for state in tree.states if state.outcome not in ("single", "none")] for tree in trees]
    states = sum(len(tree.states) for tree in trees)
    outcomes = [state.outcome for of_tree in judged for state in of_tree]
    of_two = [
        state.outcome for of_tree in judged for state in of_tree if sum(one.usable for one in state.candidates) == 2
    ]
    return {
        "single": 1 - len(outcomes) / states,
        "no_choice": sum(not of_tree for of_tree in judged) / len(trees),
        "tied": sum(outcome != "step" for outcome in outcomes) / len(outcomes) if outcomes else None,
        "two_candidates": len(of_two),
        "decided_of_two": of_two.count("step") / len(of_two) if of_two else None,
    }


def too_long(tree: Tree) -> bool:
    """Whether the bare prompt did not fit the engine's context."""
    return tree.end == "context" and not tree.steps
