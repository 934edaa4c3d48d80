"""Fewer verdicts, the same pairs: what is left out can change neither best nor worst nor the wins of either."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from itertools import permutations
from typing import Any

import pytest
from conftest import apart, judge, scripted
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st
from test_search import CONDORCET, PAPER, SETTINGS

from pipeline.core.config import Sampling
from pipeline.core.records import Problem, State, Tree, Verdict
from pipeline.inference.requests import Completion, Request
from pipeline.language.renderer import Renderer
from pipeline.methods.psrlm import pairs, search
from pipeline.methods.psrlm.judge import Ranking, ranked
from pipeline.methods.psrlm.settings import Judge
from pipeline.methods.psrlm.verify import _of_tree

WORDS = ("one", "two", "six", "ten", "day")


def hashed(*parts: object) -> int:
    return int(hashlib.sha256(repr(parts).encode()).hexdigest()[:12], 16)


def policy(salt: int, questions: list[str], letters: str = "AABBCX", last: int = 4) -> Any:
    """Candidates and verdicts by the hash of their prompt: wins, ties (C), unreadable ones (X) and cycles."""

    def answer(prompt: str, request: Request) -> Completion:
        if "[Check]" in prompt:
            questions.append(prompt)
            letter = letters[hashed(salt, prompt, request.seed if request.temperature else 0) % len(letters)]
            return Completion(f"so [[{letter}]]" if letter != "X" else "hm", "stop", 3, True)
        number = prompt.count("Step ")
        word = WORDS[hashed(salt, prompt, request.seed) % len(WORDS)]
        box = f" \\boxed{{{word}}}" if number == last else ""
        return Completion(f" {word}{box}", "stop", 2, number == last)

    return answer


def searched(
    renderer: Renderer, settings: Judge, salt: int, letters: str = "AABBCX"
) -> tuple[dict[str, Tree], list[str]]:
    problems = [Problem(f"p{i}", f"What is {i}?", "x") for i in range(3)]
    how = SETTINGS.model_copy(update={"width": 6, "rollbacks": 2, "judge": settings})
    questions: list[str] = []
    tasks = {p.problem_id: search.search(renderer, p, how, salt) for p in problems}
    return scripted(renderer.tokenizer, tasks, policy(salt, questions, letters)), questions


def kept(state: State) -> Any:
    """What a state hands on: its candidates' texts and votes, its best and worst, and their wins."""
    chosen = [state.candidates[i].score for i in (state.best, state.worst) if i is not None]
    texts = [(c.text, c.votes) for c in state.candidates]
    return state.steps, texts, state.outcome, state.best, state.worst, state.discarded, chosen


@pytest.mark.parametrize("letters", ["AABBCX", "AB", "AAAC", "ABX"])
@pytest.mark.parametrize("orders", ["both", "single"])
@pytest.mark.parametrize("temperature", [0.0, 0.8])
def test_best_worst_and_pairs_are_those_of_all_verdicts(
    renderer: Renderer, orders: str, temperature: float, letters: str
) -> None:
    sampling = Sampling(temperature=temperature, top_p=1.0, max_tokens=40)
    everything = fewer = 0
    for salt in range(2):
        whole, all_questions = searched(renderer, judge(orders=orders, sampling=sampling), salt, letters)
        saving, questions = searched(renderer, judge(orders=orders, sampling=sampling, full=0.0), salt, letters)
        for key, tree in whole.items():
            assert (tree.steps, tree.end) == (saving[key].steps, saving[key].end)
            assert list(map(kept, tree.states)) == list(map(kept, saving[key].states))
        for rule in (PAPER, CONDORCET, PAPER.model_copy(update={"min_gap": 2.0})):
            assert apart(pairs.of_trees(whole.values(), rule, "m2")) == apart(
                pairs.of_trees(saving.values(), rule, "m2")
            )
        everything, fewer = everything + len(all_questions), fewer + len(questions)
    assert fewer < everything or (orders == "single" and fewer == everything)


def test_no_greedy_question_is_asked_twice_in_a_search_and_sampled_ones_are(renderer: Renderer) -> None:
    for salt in range(4):
        trees, questions = searched(renderer, judge(), salt)
        assert len(questions) == len(set(questions))
        verdicts = [v for tree in trees.values() for state in tree.states for v in state.verdicts]
        assert sum(not v.reused for v in verdicts) == len(questions)
        assert all(v.tokens == (0 if v.reused else 3) for v in verdicts)
    warm = judge(sampling=Sampling(temperature=0.8, top_p=1.0, max_tokens=40))
    assert any(
        len(questions) > len(set(questions)) for _, questions in (searched(renderer, warm, salt) for salt in range(8))
    )


def test_the_second_order_is_asked_only_where_the_first_names_a_winner(renderer: Renderer) -> None:
    warm = Sampling(temperature=0.8, top_p=1.0, max_tokens=40)  # so that none is reused
    _, always_tied = searched(renderer, judge(full=0.0, sampling=warm), 1, "C")
    _, never = searched(renderer, judge(full=0.0, sampling=warm), 1, "X")
    _, both = searched(renderer, judge(full=1.0, sampling=warm), 1, "C")
    assert 2 * len(always_tied) == 2 * len(never) == len(both)


def test_states_judged_in_full_are_drawn_by_their_place_and_hold_every_verdict(renderer: Renderer) -> None:
    trees = searched(renderer, judge(full=0.5), 3)[0]
    again = searched(renderer, judge(full=0.5, max_explanation=9), 3)[0]
    assert trees == again
    states = [state for tree in trees.values() for state in tree.states if state.verdicts]
    assert {state.in_full for state in states} == {True, False}
    for state in states:
        usable = sum(c.finish == "step" for c in state.candidates)
        assert len(state.verdicts) + state.not_needed == usable * (usable - 1)
        assert not (state.in_full and state.not_needed)
    numbers = search.statistics(list(trees.values()))
    assert numbers["judged_in_full"] == sum(state.in_full for state in states)
    assert numbers["not_needed"] == sum(state.not_needed for state in states) > 0


@pytest.mark.parametrize("schedule", ["pairs", "tournament"])
@pytest.mark.parametrize("orders", ["both", "single"])
def test_a_record_shows_that_no_further_verdict_was_needed(renderer: Renderer, orders: str, schedule: str) -> None:
    settings = judge(full=0.2, orders=orders, schedule=schedule)
    how = SETTINGS.model_copy(update={"width": 6, "judge": settings})
    for salt in range(3):
        for tree in searched(renderer, settings, salt)[0].values():
            assert not list(_of_tree(tree, how))
            for index, state in enumerate(tree.states):
                if state.verdicts:
                    cut = replace(state, verdicts=(), not_needed=len(state.verdicts) + state.not_needed)
                    miscounted = replace(state, not_needed=state.not_needed + 1)
                    for wrong in (cut, miscounted):
                        broken = replace(tree, states=(*tree.states[:index], wrong, *tree.states[index + 1 :]))
                        assert list(_of_tree(broken, how))


def of_relation(beats: set[tuple[int, int]], votes: tuple[int, ...], settings: Judge) -> Ranking:
    """All verdicts of a judge that names i over j for (i, j) in `beats`."""
    verdicts = []
    for a, b in permutations(range(len(votes)), 2):
        letter = "A" if (a, b) in beats else "B" if (b, a) in beats else "C"
        verdicts.append(Verdict(a, b, f"[[{letter}]]", letter))
    return ranked(verdicts, votes, settings)


@given(st.permutations(range(6)), st.integers(2, 6))
@examples(max_examples=30, deadline=None)
def test_an_orderly_judge_gives_every_schedule_the_same_best_and_worst(order: list[int], count: int) -> None:
    order = [one for one in order if one < count]
    beats = {(order[i], order[j]) for i in range(count) for j in range(i + 1, count)}
    for schedule in ("pairs", "tournament"):
        ranking = of_relation(beats, (1,) * count, judge(schedule=schedule))
        assert (ranking.best, ranking.worst, ranking.open, ranking.tied) == (order[0], order[-1], False, False)
        assert ranking.scores[ranking.best] == count - 1
