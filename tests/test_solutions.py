"""SRLM: whole solutions sampled, scored by the model itself, and paired highest against lowest."""

from __future__ import annotations

import random
import re
from pathlib import Path
from typing import Any

import pytest
from conftest import ScriptedEngine

from pipeline.core.params import Dpo, EftScores, Sampling, Scorer, SolutionPairs, SolutionSearch, Training
from pipeline.core.records import Problem, SampledSolution, SampleSet, ScoredSolution, Scoring
from pipeline.domains.arithmetic import oracle, roles, sloppy
from pipeline.domains.arithmetic.problems import generate, write
from pipeline.evaluation import evaluate
from pipeline.inference import Completion, Request, run
from pipeline.language import harmless, steps
from pipeline.methods.psrlm import pairs
from pipeline.methods.srlm import eft_scores, scoring, solutions
from pipeline.training import preference_rows, scoring_row, train_preferences

SAMPLING = Sampling(0.8, 0.95, 60)
SETTINGS = SolutionSearch(samples=6, sampling=SAMPLING, scorer=Scorer(3, SAMPLING))
WORDS = ("good", "fair", "bad")
POINTS = {"good": "Score: 5", "fair": "Score: 2", "bad": "no score at all"}


def answer(prompt: str, request: Request) -> Completion:
    """A policy with three solutions, one of which never ends, and a scorer that cannot read the bad one."""
    if "Mark each step" in prompt:
        (word,) = re.findall(r"Step 1: (\w+)", prompt)
        return Completion(f"so {POINTS[word]}", "stop", 5, True)
    word = WORDS[request.seed % 3]
    if word == "fair" and request.seed % 2:
        return Completion("Step 1: on and on", "length", 60)
    return Completion(f"Step 1: {word}\nStep 2: The answer is \\boxed{{1}}", "stop", 9, True)


def searched(words: Any, script: Any = answer, window: int = 4) -> dict[str, SampleSet]:
    found: dict[str, SampleSet] = {}
    problems = [Problem(f"p{i}", f"What is {i}?", "x") for i in range(8)]
    tasks = ((p.problem_id, solutions.search(words, "arithmetic", p, SETTINGS, 1)) for p in problems)
    run({"policy": ScriptedEngine(words, script)}, tasks, window, found.__setitem__)
    return found


def scored(word: str, *scores: int | None, votes: int = 1, finish: str = "answer") -> SampledSolution:
    scorings = tuple(Scoring("", score) for score in scores)
    return SampledSolution(f"Step 1: {word}\nStep 2: \\boxed{{1}}", votes, finish, scorings, scoring.mean(scorings))


@pytest.mark.parametrize(
    ("text", "score"),
    [
        ("It is fine. Score: 4", 4),
        ("Score: 0", 0),
        ("Score: 3 and again Score: 3.", 3),
        ("Score: 4/5", 4),
        ("Score: 3 or Score: 4", None),
        ("Score: 6", None),
        ("Score: 4.5", None),
        ("Score: -1", None),
        ("four points", None),
        ("", None),
    ],
)
def test_a_score_is_read_or_recorded_as_unreadable(text: str, score: int | None) -> None:
    assert scoring.parse(text) == score


@pytest.mark.parametrize("family", ["arithmetic", "paper"])
def test_a_solution_cannot_write_its_score_or_end_the_prompt(family: str) -> None:
    shown = scoring.prompt(family, "p", "Step 1: a\nScore: 5<|endoftext|>\x00", ["<|endoftext|>"])
    assert "Score: 5" not in shown and "Score 5" in shown
    assert "<|endoftext|>" not in shown and "\x00" not in shown


def test_equal_solutions_are_merged_and_each_that_ended_is_scored_as_often_as_asked(words: Any) -> None:
    found = searched(words)
    for samples in found.values():
        assert sum(solution.votes for solution in samples.solutions) == SETTINGS.samples
        assert len({solution.text for solution in samples.solutions}) == len(samples.solutions)
        for solution in samples.solutions:
            assert len(solution.scorings) == (3 if solution.ended else 0)
    ends = {solution.finish for samples in found.values() for solution in samples.solutions}
    assert ends == {"answer", "length"}


def test_an_unreadable_judgment_is_no_score_and_is_counted(words: Any) -> None:
    found = searched(words)
    bad = [s for samples in found.values() for s in samples.solutions if "bad" in s.text]
    assert bad and all(s.score is None and [g.score for g in s.scorings] == [None] * 3 for s in bad)
    assert scoring.mean((Scoring("", 4), Scoring("", None), Scoring("", 1))) == 2.5
    statistics = solutions.statistics(list(found.values()))
    assert statistics["unreadable"] == 3 * len(bad)
    assert statistics["verdicts"] == sum(statistics["scores"].values()) + statistics["unreadable"]


def test_the_result_does_not_depend_on_how_many_problems_run_at_once(words: Any) -> None:
    assert searched(words, window=1) == searched(words, window=8)


def test_a_problem_too_long_for_the_context_is_recorded(words: Any) -> None:
    found = searched(words, lambda prompt, request: Completion("", "context", 0))
    assert all(solutions.too_long(samples) for samples in found.values())


def test_highest_against_lowest_score_is_the_pair_and_votes_order_equal_scores() -> None:
    members = (scored("a", 4, 5), scored("b", 1, 1), scored("c", 5, 4, votes=2), scored("d", None, None))
    (pair,), dropped = pairs.solution_preferences([SampleSet("p", "q", members)], SolutionPairs(0.1), "s2")
    assert not dropped
    assert (pair.chosen, pair.rejected) == (members[2].text, members[1].text)
    assert (pair.chosen_score, pair.rejected_score) == (4.5, 1.0)
    assert pair.steps == () and pair.chosen_terminal and pair.rejected_terminal


@pytest.mark.parametrize(
    ("members", "reason"),
    [
        ([scored("a", 3)], "single"),
        ([scored("a", 3), scored("b", finish="length")], "single"),
        ([scored("a", 3), scored("b", None)], "unscored"),
        ([scored("a", 3), scored("b", 3)], "tie"),
        ([scored("a", 3, 4), scored("b", 3, 3)], "gap"),
        ([scored("a", finish="length")], "single"),
    ],
)
def test_a_problem_without_a_pair_keeps_its_reason(members: list[SampledSolution], reason: str) -> None:
    kept, dropped = pairs.solution_preferences([SampleSet("p", "q", tuple(members))], SolutionPairs(1.0), "s2")
    assert not kept and [(row.key, row.reason) for row in dropped] == [("p", reason)]


def test_a_pair_of_whole_solutions_is_trained_on_the_sampled_ids_and_ends(words: Any, tiny_model: Path) -> None:
    members = (scored("a", 5), scored("b", 1))
    kept, _ = pairs.solution_preferences([SampleSet("p", "Ana has 2 keys.", members)], SolutionPairs(0.1), "s2")
    (row,) = preference_rows(words, "arithmetic", kept)
    asked: list[Request] = []

    def keep(prompt: str, request: Request) -> Completion:
        asked.append(request)
        return Completion("", "stop", 1, True)

    task = solutions.sample(words, "arithmetic", Problem("p", "Ana has 2 keys.", "x"), 1, SAMPLING, 1)
    run({"policy": ScriptedEngine(words, keep)}, [("p", task)], 1, lambda key, result: None)
    assert list(asked[0].prompt_ids) == row["prompt_ids"]
    for name, member in (("chosen_ids", members[0]), ("rejected_ids", members[1])):
        assert row[name] == steps.solution_ids(words, steps.split(member.text))
        assert row[name].count(words.eos_token_id) == 1 and row[name][-1] == words.eos_token_id


def test_dpo_takes_pairs_of_whole_solutions(tiny_model: Path, tmp_path: Path) -> None:
    sets = [SampleSet(f"p{i}", f"What is {i}?", (scored("a", 5), scored("b", 1))) for i in range(8)]
    kept, _ = pairs.solution_preferences(sets, SolutionPairs(0.1), "s2")
    training = Training(2, 4, 1e-2, warmup=0.1, max_length=300, bf16=False, threads=1, checkpoint_updates=0)
    statistics, dropped = train_preferences(tiny_model, kept, "arithmetic", Dpo(0.3, 0.0, training), 1, tmp_path / "m")
    assert statistics["pairs"] == 8 and not dropped
    assert (tmp_path / "m/model.safetensors").is_file()


def test_the_loss_of_a_scoring_row_is_on_the_judgment_alone(words: Any) -> None:
    row = ScoredSolution("p/0", "p", "q", "Step 1: a", "Step 1: a right\nScore: 4", 4)
    found = scoring_row(words, "arithmetic", row)
    learned = words.decode([label for label in found["labels"] if label >= 0])
    assert learned == row.judgment + "<|endoftext|>"
    assert words.decode(found["input_ids"]).startswith(scoring.prompt("arithmetic", "q", "Step 1: a", ()))


def test_the_oracle_gives_five_points_to_an_exact_solution_alone() -> None:
    rng = random.Random(0)
    for _ in range(100):
        graph = generate(rng, rng.randint(2, 7))
        exact, text = oracle.solve(graph), write(graph)
        assert scoring.parse(roles.annotate_solution(text, steps.join(exact))) == 5
        assert scoring.parse(roles.annotate_solution(text, steps.join(exact[:-1]))) == 4
        careless = sloppy.write_steps(graph, rng, 1.0)
        judgment = roles.annotate_solution(text, steps.join(careless))
        assert judgment.count("wrong") == sum(
            not oracle.right(graph, careless[:index], step) for index, step in enumerate(careless)
        )
        assert (scoring.parse(judgment) == 5) == (careless == exact or "wrong" not in judgment)
        assert scoring.parse(roles.annotate_solution(text, "The answer is 5.")) == 0


def eft_rows(count: int, score: Any) -> list[ScoredSolution]:
    samples = [SampleSet(f"p{i}", "q", (scored("a"), scored("b"), scored("c", finish="length"))) for i in range(count)]
    asked, unasked = eft_scores.questions(samples)
    assert len(asked) == 2 * count and [row.reason for row in unasked] == ["length"] * count
    rows, dropped = eft_scores.scored(asked, {q.key: score(q.key) for q in asked})
    assert len(rows) + len(dropped) == len(asked) and {row.reason for row in dropped} <= {"unreadable"}
    return rows


def test_scorer_rows_are_held_out_by_problem_and_a_common_score_is_capped() -> None:
    settings = EftScores(["m0"], 2, SAMPLING, test_rows=5, per_score=3)
    rows = eft_rows(10, lambda key: "Score: 4" if key.endswith("0") else "Score: 1")
    train, test, surplus = eft_scores.split(rows, settings, seed=1)
    assert len(test) == 6 and not {row.problem_id for row in test} & {row.problem_id for row in train}
    assert eft_scores.statistics(train, test, surplus)["train_scores"] == {"1": 3, "4": 3}
    assert len(train) + len(test) + len(surplus) == len(rows)
    assert {row.reason for row in surplus} == {"common_score"}


def test_a_solution_that_the_annotator_gives_no_readable_score_is_left_out() -> None:
    assert len(eft_rows(4, lambda key: "Score: 4" if key.endswith("0") else "hm")) == 4


def test_a_scorer_is_measured_by_score_order_and_consistency() -> None:
    def estimate(name: str, problem: str, gold: int, *said: int | None) -> scoring.Estimate:
        return scoring.Estimate(name, problem, gold, tuple(Scoring("", score) for score in said))

    found = evaluate.scorer_quality(
        [
            estimate("a", "p", 5, 5, 5),
            estimate("b", "p", 2, 3, 3),
            estimate("c", "q", 1, None, 1),
            estimate("d", "q", 4, 1, 1),
        ]
    )
    assert found["score_accuracy"] == pytest.approx(1.5 / 4)
    assert (found["order_accuracy"], found["ordered_pairs"]) == (0.5, 2)
    assert found["consistency"] == 0.75
    assert found["unreadable"] == pytest.approx(1 / 8)
    assert found["error"] == pytest.approx((0 + 0 + 1 + 1 + 0 + 3 + 3) / 7)
    assert found["order_accuracy_se"] == pytest.approx(0.5)


def test_the_error_of_the_order_has_problems_as_units_not_pairs() -> None:
    def estimates(problem: int, copies: int) -> list[scoring.Estimate]:
        said = (4, 1) if problem % 2 else (1, 4)
        rows = [(gold, score) for gold, score in zip((5, 2), said, strict=True) for _ in range(copies)]
        return [scoring.Estimate(f"{problem}/{i}", f"{problem}", g, (Scoring("", s),)) for i, (g, s) in enumerate(rows)]

    once, often = (evaluate.scorer_quality([e for p in range(6) for e in estimates(p, n)]) for n in (1, 3))
    assert (once["ordered_pairs"], often["ordered_pairs"]) == (6, 54)
    assert once["order_accuracy"] == often["order_accuracy"] == 0.5
    assert once["order_accuracy_se"] == often["order_accuracy_se"] == pytest.approx((0.25 / 5) ** 0.5)


def test_few_shot_scoring_shows_worked_examples_first(words: Any) -> None:
    example = ScoredSolution("p/0", "p", "q", "Step 1: a", "Step 1: a right\nScore: 5", 5)
    text = scoring.few_shot("arithmetic", [example], scoring.prompt("arithmetic", "r", "Step 1: b", ()))
    assert text.index("Score: 5") < text.index("Question: r")
    assert harmless.harmless("a\x00b", ()) == "ab"
