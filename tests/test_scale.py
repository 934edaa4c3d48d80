"""Test-time scaling: the search, and a vote that spends the same tokens on whole solutions."""

from __future__ import annotations

import math
import statistics
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from conftest import ScriptedEngine
from test_answers import hostile_answers
from test_search import SETTINGS, by_quality, script

from pipeline.core.config import Sampling
from pipeline.core.journal import Journal
from pipeline.core.records import Answered, Problem
from pipeline.domains.graders.pool import Graders
from pipeline.domains.math import final, grading
from pipeline.domains.math.grading import alike
from pipeline.evaluation import evaluate, scale
from pipeline.inference.loop import run
from pipeline.inference.requests import Completion, Request, Usage
from pipeline.language.renderer import Renderer
from pipeline.methods.psrlm import search

SAMPLING = Sampling(temperature=0.8, top_p=0.95, max_tokens=60)
PROBLEMS = [Problem(f"p{i}", f"What is {i}?", "easy", "good") for i in range(5)]


def answer(prompt: str, request: Request) -> Completion:
    """Steps and judgments of five tokens; whole solutions of 7 to 9 tokens that box one of three words."""
    if request.max_tokens == SAMPLING.max_tokens:
        word = ("good", "fair", "bad")[request.seed % 3]
        return Completion(f" so \\boxed{{{word}}}", "stop", 7 + request.seed % 3, True)
    return script(by_quality)(prompt, request)


def tried(renderer: Renderer, window: int = 3, reply: Any = answer) -> tuple[dict[str, scale.Trial], Usage]:
    done: dict[str, scale.Trial] = {}

    def searching(problem: Problem) -> Any:
        return search.search(renderer, problem, SETTINGS, 1)

    tasks = scale.trials(renderer, PROBLEMS, searching, SAMPLING, 1)
    usage = run({"policy": ScriptedEngine(renderer.tokenizer, reply)}, tasks.items(), window, done.__setitem__)
    return {problem.problem_id: done[problem.problem_id] for problem in PROBLEMS}, usage


def vote(answer: str | None, tokens: int = 9, grade: str = "wrong", problem: str = "p") -> Answered:
    return Answered(problem, "easy", "q", (f"Step 1: {answer}",), "answer", answer, "1", grade, tokens)


def test_the_vote_spends_the_tokens_of_the_search_and_all_of_them_are_recorded(renderer: Renderer) -> None:
    trials, usage = tried(renderer)
    sampled = 0
    for trial in trials.values():
        candidates, judgments = trial.tree.spent()
        assert candidates == 5 * SETTINGS.width * len(trial.tree.states) and judgments > 0
        spent = [solution.tokens for solution in trial.solutions]
        assert sum(spent[:-1]) < candidates + judgments <= sum(spent)
        sampled += candidates + judgments + sum(spent)
    assert sampled == usage.sampled_tokens


def test_solutions_that_the_vote_takes_in_any_case_are_asked_for_together(renderer: Renderer) -> None:
    def searching(problem: Problem) -> Any:
        return search.search(renderer, problem, SETTINGS, 1)

    trial = scale.trials(renderer, PROBLEMS[:1], searching, SAMPLING, 1)["p0"]
    sizes, requests = [], next(trial)
    with pytest.raises(StopIteration) as ended:
        while True:
            if requests[0].max_tokens == SAMPLING.max_tokens:
                sizes.append(len(requests))
            answers = [answer(renderer.tokenizer.decode(request.prompt_ids), request) for request in requests]
            requests = trial.send(answers)
    assert sum(sizes) == len(ended.value.value.solutions) and sizes[0] > 1 and len(sizes) < sum(sizes)


def test_a_trial_does_not_depend_on_the_window_and_comes_back_from_its_journal(
    renderer: Renderer, tmp_path: Path
) -> None:
    trials, _ = tried(renderer, window=1)
    assert trials == tried(renderer, window=5)[0]
    with Journal(tmp_path, "scale", "x" * 16, scale.Trial) as journal:
        journal.add("p0", trials["p0"])
    with Journal(tmp_path, "scale", "x" * 16, scale.Trial) as journal:
        assert journal.done == {"p0": trials["p0"]}


def test_a_solution_that_does_not_fit_the_context_is_not_asked_for_again(renderer: Renderer) -> None:
    def reply(prompt: str, request: Request) -> Completion:
        return Completion("", "context", 0) if request.max_tokens == SAMPLING.max_tokens else answer(prompt, request)

    trials, _ = tried(renderer, reply=reply)
    assert all(len(trial.solutions) == 1 for trial in trials.values())


def test_most_votes_win_the_earliest_of_equally_many_and_no_answer_is_no_vote() -> None:
    def chosen(*given: str | None) -> str | None:
        return scale.majority([vote(one) for one in given], alike).answer

    assert chosen("3", "4", "4") == "4"
    assert chosen("3", "4", "4", "3") == "3"
    assert chosen(None, None, "4") == "4"
    assert chosen(None, None) is None
    assert chosen("7", "0.5", "\\frac{1}{2}", "7 ") == "7"
    assert chosen("7", "0.5", "\\frac12", "\\dfrac{1}{2}") == "0.5"


def test_answers_are_alike_without_algebra_and_no_text_makes_the_vote_fail(tmp_path: Path) -> None:
    assert alike("1,000", "1000") and alike("1, 2", "2, 1") and alike("(A)", "A")
    assert not alike("3", "4") and not alike("x+1", "1+x")
    hostile = [*hostile_answers(tmp_path), "5\\tolerance{abc}", "9" * 5000, ""]
    for one, other in zip(hostile, [*hostile[7:], *hostile[:7]], strict=True):
        assert alike(one, one) and alike(one, other) in (True, False) and alike("1/2", one) in (True, False)


def test_a_smaller_budget_buys_the_first_votes() -> None:
    votes = [vote("1", tokens) for tokens in (10, 20, 30, 40)]
    assert [len(scale.affordable(votes, tokens)) for tokens in (0, 10, 11, 30, 31, 999)] == [1, 1, 2, 2, 3, 4]


def test_search_vote_and_greedy_are_compared_on_the_same_problems(renderer: Renderer) -> None:
    trials, _ = tried(renderer)
    trees = [trial.tree for trial in trials.values()]
    problems, solutions = scale.solutions(PROBLEMS, trials)
    with Graders(grading) as graders:
        searched = scale.search_answers(PROBLEMS, trees, final, graders)
        votes = evaluate.answered(problems, solutions, final, graders)
    greedy = [vote("bad", 8, "right" if i == 0 else "wrong", f"p{i}") for i in range(5)]
    result = scale.comparison(
        trees, searched, votes, greedy, dict.fromkeys([problem.problem_id for problem in PROBLEMS], alike)
    )
    best = [row.grade == "right" for row in searched]
    assert (result["accuracy"], result["greedy_accuracy"], result["problems"]) == (sum(best) / 5, 0.2, 5)
    by_problem = [[one for one in votes if one.problem_id == problem.problem_id] for problem in PROBLEMS]
    right = [scale.majority(some, alike).grade == "right" for some in by_problem]
    differences = [int(hit) - int(other) for hit, other in zip(best, right, strict=True)]
    assert result["majority_accuracy"] == result["majority"]["1"]["accuracy"] == sum(right) / 5
    assert result["over_majority"] == pytest.approx(statistics.mean(differences))
    assert result["over_majority_se"] == pytest.approx(statistics.stdev(differences) / math.sqrt(5))
    tokens = result["tokens"]
    assert tokens["search"] == tokens["candidates"] + tokens["judgments"] == sum(row.tokens for row in searched) / 5
    assert tokens["greedy"] == 8
    means = [result["majority"][share]["tokens"] for share in scale.SHARES]
    assert means == sorted(means) and means[-1] >= tokens["search"] > means[-2]


def test_the_first_problems_of_every_split_are_searched() -> None:
    problems = [replace(p, split=("easy", "hard")[i % 2]) for i, p in enumerate(PROBLEMS)]
    assert [p.problem_id for p in scale.first_of_each_split(problems, 2)] == ["p0", "p2", "p1", "p3"]
