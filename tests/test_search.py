from __future__ import annotations

import math
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from conftest import apart, judge, scripted

from pipeline.core import files
from pipeline.core.config import Sampling
from pipeline.core.records import Problem, Tree
from pipeline.inference.requests import Completion, Request
from pipeline.language.renderer import Renderer
from pipeline.methods import preferences
from pipeline.methods.psrlm import candidates, pairs, search
from pipeline.methods.psrlm.settings import Pairs, Search

SETTINGS = Search(
    width=3,
    sampling=Sampling(temperature=0.8, top_p=0.95, max_tokens=40),
    max_steps=12,
    rollbacks=2,
    judge=judge(),
)
PAPER = Pairs(min_gap=1.0, require_condorcet_winner=False)
CONDORCET = Pairs(min_gap=1.0, require_condorcet_winner=True)
STEP = re.compile(r"Step (\d+): (\w+)")


def grow(renderer: Renderer, answer: Any, settings: Search = SETTINGS, window: int = 4) -> dict[str, Tree]:
    problems = [Problem(f"p{i}", f"What is {i}?", "x") for i in range(5)]
    tasks = {p.problem_id: search.search(renderer, p, settings, 1) for p in problems}
    return scripted(renderer.tokenizer, tasks, answer, window)


def script(prefers: Any, last: int = 3) -> Any:
    """A policy with three different candidates a step that ends at step `last`, and a judge that prefers.

    The policy writes what follows the marker that ends its prompt.
    """

    def answer(prompt: str, request: Request) -> Completion:
        if "[Check]" in prompt:
            a, b = re.findall(r"\n(Step .*) [AB](?=\n)", prompt)
            return Completion(f"because [[{prefers(a, b)}]]", "stop", 5, True)
        number = prompt.count("Step ")
        word = ("good", "fair", "bad")[request.seed % 3]
        box = f" \\boxed{{{word}}}." if number == last else ""
        return Completion(f" {word} {number}{box}", "stop", 5, number == last)

    return answer


def rank_of(step: str) -> int:
    return ["good", "fair", "bad"].index(step.split()[2])


def by_quality(a: str, b: str) -> str:
    return "A" if rank_of(a) <= rank_of(b) else "B"


def test_the_best_step_is_appended_and_best_and_worst_become_the_pair(renderer: Renderer) -> None:
    trees = grow(renderer, script(by_quality))
    for tree in trees.values():
        assert tree.end == "answer"
        kept, _ = apart(pairs.of_trees([tree], PAPER, "m2"))
        assert kept, "states with several candidates give pairs"
        for pair in kept:
            assert rank_of(pair.chosen) < rank_of(pair.rejected)
            assert pair.chosen_terminal == ("boxed" in pair.chosen)
            assert pair.chosen_score > pair.rejected_score


def test_a_best_step_that_does_not_beat_all_others_makes_a_pair_only_where_disputes_are_allowed(
    renderer: Renderer,
) -> None:
    def alike_at_the_top(a: str, b: str) -> str:
        return "C" if rank_of(a) < 2 and rank_of(b) < 2 else by_quality(a, b)

    trees = list(grow(renderer, script(alike_at_the_top)).values())
    allowed, _ = apart(pairs.of_trees(trees, PAPER, "m2"))
    kept, dropped = apart(pairs.of_trees(trees, CONDORCET, "m2"))
    disputed = [row for row in dropped if row.reason == "disputed"]
    assert disputed and len(kept) + len(disputed) == len(allowed)
    assert all(pair.chosen_score == 1 for pair in kept)  # of two candidates


def test_the_result_does_not_depend_on_how_many_problems_run_at_once(renderer: Renderer) -> None:
    assert grow(renderer, script(by_quality), window=1) == grow(renderer, script(by_quality), window=5)


def test_a_judge_that_always_says_a_gives_no_pair_and_the_search_still_ends(renderer: Renderer) -> None:
    trees = grow(renderer, script(lambda a, b: "A"))
    for tree in trees.values():
        kept, dropped = apart(pairs.of_trees([tree], PAPER, "m2"))
        assert not kept
        assert {row.reason for row in dropped} <= {"tie", "forced", "single", "rolled_back"}
        assert tree.end in ("answer", "max_steps")
        assert sum(state.outcome == "tie" for state in tree.states) <= SETTINGS.rollbacks


def test_a_tie_discards_the_step_before_and_its_pair(renderer: Renderer) -> None:
    def prefers(a: str, b: str) -> str:
        return "A" if "Step 2" in a else by_quality(a, b)

    for tree in grow(renderer, script(prefers)).values():
        kept, _ = apart(pairs.of_trees([tree], PAPER, "m2"))
        ties = [index for index, state in enumerate(tree.states) if state.outcome == "tie"]
        for index in ties:
            assert tree.states[index - 1].discarded or len(tree.states[index].steps) == 0
        standing = [state for state in tree.states if state.outcome == "step" and not state.discarded]
        assert len(kept) == len(standing)


def test_candidates_of_a_state_differ_in_consecutive_seeds_alone(renderer: Renderer) -> None:
    requests = candidates.sample(renderer, "What is 2?", ("Step 1: two",), 4, SETTINGS.sampling, 2**62)
    assert requests == [replace(requests[0], seed=2**62 + number) for number in range(4)]


def test_a_second_wave_makes_the_trees_of_one_wave_byte_for_byte(renderer: Renderer, tmp_path: Path) -> None:
    waves = SETTINGS.model_copy(update={"first_wave": 2})  # of three, with consecutive seeds: never all equal
    for name, settings in (("one", SETTINGS), ("two", waves)):
        files.write(tmp_path / name, Tree, grow(renderer, script(by_quality), settings).values())
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


@pytest.mark.parametrize(("finish", "samples"), [("stop", 2), ("length", 5)])
def test_a_first_wave_of_equal_candidates_is_all_that_is_sampled_where_they_are_usable(
    renderer: Renderer, finish: str, samples: int
) -> None:
    settings = SETTINGS.model_copy(update={"width": 5, "first_wave": 2})

    def answer(prompt: str, request: Request) -> Completion:
        return Completion(" the same \\boxed{1}." if finish == "stop" else " on and on", finish, 5)

    for tree in grow(renderer, answer, settings).values():
        assert [candidate.votes for state in tree.states for candidate in state.candidates] == [samples]


@pytest.mark.parametrize(("chance", "samples"), [(0.95, 1), (0.9, 1), (0.89, 5)])
def test_of_a_step_that_the_model_is_sure_of_one_sample_is_all_that_is_sampled(
    renderer: Renderer, chance: float, samples: int
) -> None:
    settings = SETTINGS.model_copy(update={"width": 5, "first_wave": 1, "sure": 0.9})

    def answer(prompt: str, request: Request) -> Completion:
        logprob = math.log(chance) if request.likelihood else None
        return Completion(" the same \\boxed{1}.", "stop", 5, logprob=logprob)

    for tree in grow(renderer, answer, settings).values():
        assert [candidate.votes for state in tree.states for candidate in state.candidates] == [samples]


def test_equal_candidates_are_merged_and_not_judged(renderer: Renderer) -> None:
    def answer(prompt: str, request: Request) -> Completion:
        assert "[Check]" not in prompt
        return Completion(" the same \\boxed{1}.", "stop", 5, True)

    for tree in grow(renderer, answer).values():
        (state,) = tree.states
        assert state.outcome == "single" and state.candidates[0].votes == 3


def test_candidates_that_are_no_steps_are_recorded_with_their_reason(renderer: Renderer) -> None:
    unusable = {" never ends": "length", " \n": "empty", " **Step 1:** so": "marker", "Step 2: so": "marker"}

    def answer(prompt: str, request: Request) -> Completion:
        text = list(unusable)[request.seed % 4]
        return Completion(text, "length" if "never" in text else "stop", 5)

    candidates = [candidate for tree in grow(renderer, answer).values() for candidate in tree.states[0].candidates]
    assert {c.finish for c in candidates} == {"length", "empty", "marker"}
    assert {c.text: c.finish for c in candidates}.items() <= {
        f"Step 1:{text.rstrip()}": finish for text, finish in unusable.items()
    }.items()


def test_a_candidate_is_what_follows_the_marker_that_its_prompt_ends_with(renderer: Renderer) -> None:
    for tree in grow(renderer, lambda prompt, request: Completion(" Sure! It is 4.", "stop", 5, True)).values():
        assert tree.end == "no_answer" and tree.steps == ("Step 1: Sure! It is 4.",)


def test_the_statistics_count_every_sampled_token_and_every_call_of_the_judge(renderer: Renderer) -> None:
    calls = {"policy": 0, "judge": 0}

    def counted(prompt: str, request: Request) -> Completion:
        calls["judge" if "[Check]" in prompt else "policy"] += 1
        return script(by_quality)(prompt, request)

    statistics = search.statistics(list(grow(renderer, counted).values()))
    assert statistics["judge_calls"] == calls["judge"] > 0 and statistics["judge_tokens"] == 5 * calls["judge"]
    assert statistics["sampled_tokens"] == 5 * sum(calls.values())


def test_a_round_without_pairs_has_no_cost_of_a_pair() -> None:
    searched = {"sampled_tokens": 60, "judge_tokens": 40, "judge_calls": 8}
    costs = ("tokens_per_pair", "judge_tokens_per_pair", "judge_calls_per_pair")
    assert preferences.cost_of_a_pair(searched, 4) == dict(zip(costs, (15, 10, 2), strict=True))
    assert preferences.cost_of_a_pair(searched, 0) == preferences.cost_of_a_pair({}, 4) == dict.fromkeys(costs)


def test_a_problem_too_long_for_the_context_is_recorded(renderer: Renderer) -> None:
    trees = grow(renderer, lambda prompt, request: Completion("", "context", 0))
    assert all(search.too_long(tree) and tree.end == "context" for tree in trees.values())
