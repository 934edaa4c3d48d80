"""reasoning-gym as a source: what is drawn, graded and refused; a small run on three of its datasets."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from test_end_to_end import call, copy
from yaml import safe_dump

from pipeline.core.config import build, checked
from pipeline.core.errors import PipelineError
from pipeline.core.records import Grade
from pipeline.data.problems import Selection, held_out
from pipeline.data.settings import Source
from pipeline.domains.graders import exact as grading
from pipeline.domains.graders.pool import Graders

ROOT = Path(__file__).parent.parent
LACKING = "reasoning-gym is not installed: `pip install reasoning-gym==0.1.25`"


def source(dataset: str, **keys: Any) -> Source:
    return build(Source, {"path": f"gym:{dataset}", "size": 3, **keys}, "problems.prm")


def test_a_gym_source_says_how_many_and_no_other_source_does() -> None:
    for keys, line in (
        ({"path": "gym:chain_sum"}, "size must be given"),
        ({"path": "x.csv", "seed": 3}, "are those of"),
    ):
        (fault,) = checked(Source, keys, "problems.prm")[1]
        assert line in fault


def test_without_the_package_the_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.data.gym.find_spec", lambda name: None)
    with pytest.raises(PipelineError, match=r"gym:chain_sum: reasoning-gym is not installed; `pip install"):
        held_out(source("chain_sum"), "chains", 1, [])


@pytest.fixture
def gym() -> Any:
    return pytest.importorskip("reasoning_gym", reason=LACKING)


def test_a_dataset_is_a_split_with_its_own_grader_and_the_same_items_for_its_seed(gym: Any) -> None:
    config = {"min_terms": 3, "max_terms": 3}
    problems = held_out(source("chain_sum", seed=3, config=config), "chains", 1, [])
    assert problems == held_out(source("chain_sum", seed=3, config=config), "chains", 1, [])
    assert [p.grader for p in problems] == ["gym:chain_sum"] * 3 and {p.split for p in problems} == {"chains"}
    assert problems[0].prompt != held_out(source("chain_sum", seed=4, config=config), "chains", 1, [])[0].prompt
    assert problems[0].prompt.count("+") == 2
    named = held_out(source("chain_sum", grader="number"), "chains", 1, [])
    assert [(p.grader, p.entry) for p in named] == [("number", "")] * 3


def test_answers_are_graded_by_the_datasets_own_score_in_workers(gym: Any, tmp_path: Path) -> None:
    touched = tmp_path / "touched"
    code = f"__import__('pathlib').Path('{touched}').touch()"
    (sums,) = held_out(source("chain_sum", size=1), "s", 1, [])
    (game,) = held_out(source("countdown", size=1), "s", 1, [])
    (matrix,) = held_out(source("spiral_matrix", size=1), "s", 1, [])
    assert sums.answer and game.answer and matrix.answer
    graded = [(sums, sums.answer), (sums, sums.answer + "0"), (sums, None), (game, game.answer), (game, "1+1")]
    graded += [(game, code), (game, f"exec({code!r})"), (game, f"lambdify(x, {code!r})"), (matrix, code)]
    graded += [(matrix, "[" + ", ".join(matrix.answer.split()) + "]")]
    with Graders(grading) as graders:
        grades = graders.grade([problem for problem, _ in graded], [answer for _, answer in graded])
    assert grades[:5] == [Grade.RIGHT, Grade.WRONG, Grade.UNREADABLE, Grade.RIGHT, Grade.WRONG]
    assert Grade.RIGHT not in grades[5:]
    assert not touched.exists()


@pytest.mark.parametrize(
    ("dataset", "keys", "line"),
    [
        ("propositional_logic", {}, "its own score_answer fails 3 of its 3 own answers; take another dataset"),
        ("graph_color", {}, "its own score_answer fails 3 of its 3 own answers"),
        ("list_functions", {}, "it makes other items each time for one seed"),
        ("chain_sum", {"config": {"terms": 3}}, "unexpected keyword argument 'terms'; correct `config`"),
        ("chain_sum", {"config": {"min_terms": 9, "max_terms": 3}}, "correct `config`"),
        ("chain_sums", {}, "no such dataset of reasoning-gym; did you mean chain_sum"),
    ],
)
def test_a_dataset_that_cannot_be_graded_is_refused_with_one_line(
    gym: Any, dataset: str, keys: dict[str, Any], line: str
) -> None:
    with pytest.raises(PipelineError) as fault:
        held_out(source(dataset, **keys), "s", 1, [])
    assert line in str(fault.value) and "\n" not in str(fault.value)


def test_a_round_draws_its_problems_apart_from_the_evaluation_splits_and_sees_no_answer(gym: Any) -> None:
    evaluation = [
        *held_out(source("chain_sum", seed=1), "chains", 1, []),
        *held_out(source("syllogism"), "syllogisms", 1, []),
    ]
    selection = Selection(evaluation, ngram=30, seed=1, near=0.0)
    drawn = selection.take(
        source("chain_sum", size=40, rows=5, seed=1, config={"min_terms": 4, "max_terms": 7}), "rounds"
    )
    assert len({problem.prompt for problem in drawn}) == 5
    assert not {problem.prompt for problem in drawn} & {problem.prompt for problem in evaluation}


# A run


def chains(gym: Any, seed: int, count: int) -> Iterator[tuple[str, list[str], str]]:
    """Sums of three digits with their solutions in steps."""
    config = {"min_terms": 3, "max_terms": 3, "min_digits": 1, "max_digits": 1}
    for item in gym.create_dataset("chain_sum", size=count, seed=seed, **config):
        a, b, c = (
            int(sign + digits) for sign, digits in re.findall(r"([+-]?)(\d+)", item["question"].replace(" ", ""))
        )
        yield item["question"], [f"First {a + b}.", f"Then {a + b} and {c} is {a + b + c}."], item["answer"]


def write_files(gym: Any, folder: Path) -> None:
    """Solutions for IFT, and rated steps: each next step, and the same with another number."""
    with (folder / "solved.jsonl").open("w") as file:
        for prompt, steps, answer in chains(gym, 1, 24):
            solution = "\n".join([*steps, f"Answer: {answer}"])
            file.write(json.dumps({"problem": prompt, "solution": solution, "answer": answer}) + "\n")
    with (folder / "rated.jsonl").open("w") as file:
        for prompt, steps, _ in chains(gym, 2, 10):
            for place, step in enumerate(steps):
                wrong = re.sub(r"\d+\.", lambda match: f"{int(match[0][:-1]) + 1}.", step)
                for text, rating in ((step, 1), (wrong, -1)):
                    row = {"instruction": prompt, "responses": steps[:place], "next_response": text, "rating": rating}
                    file.write(json.dumps(row) + "\n")


SOLVED = {"path": "data/sources/solved.jsonl", "prompt": "problem", "answer": "answer", "solution": "solution"}
PARAMS: dict[str, Any] = {
    "over": "smoke",
    "domain": "text",
    "text": {},
    "prompts": {"family": "short"},
    "base": {"model": "data/sources/base"},
    "shares": dict.fromkeys(("candidates", "layers", "annotated", "verdicts", "pairs"), 0.0),
    "problems": {
        "ngram": 30,
        "near": 0.0,
        "ratings": "data/sources/rated.jsonl",
        "ift": SOLVED | {"rows": 20},
        "prm": {"path": "data/sources/rated.jsonl", "rows": 0, "format": "prm800k"},
        "eft": {"path": "gym:chain_sum", "size": 20, "seed": 3, "rows": 2},
        "rounds": {
            "path": "gym:chain_sum", "size": 40, "seed": 4, "rows": 6,
            "config": {"min_terms": 3, "max_terms": 3, "min_digits": 1, "max_digits": 1},
        },
        "evaluation": {
            "syllogisms": {"path": "gym:syllogism", "size": 4, "seed": 1},
            "families": {"path": "gym:family_relationships", "size": 4, "seed": 1},
            "letters": {"path": "gym:letter_counting", "size": 4, "seed": 1, "config": {"max_words": 6}},
        },
    },
    "annotator": {"kind": "model", "model": "data/sources/base"},
    "prm": {"labels": "people", "epochs": 2},
    "psrlm": {"eft": {"train_pairs": 12, "test_pairs": 4}, "search": {"max_steps": 6}},
    "sft": {"epochs": 10},
    "judges": {"m1": {"model": "m1", "method": "psrlm"}},
    "scale": {"models": []},
    "evaluate": {"max_tokens": 100},
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.e2e
@pytest.mark.timeout(1500)
def test_three_datasets_run_through_the_whole_graph(gym: Any, tmp_path: Path) -> None:
    clone = copy(tmp_path / "clone")
    write_files(gym, clone / "data/sources")
    shutil.copytree(ROOT / "pipeline/domains/arithmetic/shipped", clone / "data/sources/base")
    shutil.copytree(clone / "prompts/arithmetic", clone / "prompts/short")  # templates that so small a model knows
    (clone / "prompts/short/reasoning.txt").write_text("Question: {problem}\nEnd with `Answer: `.\n")
    (clone / "gym.yaml").write_text(safe_dump(PARAMS))
    call(clone, "python", "-m", "pipeline.cli", "profile", "gym.yaml")
    call(clone, "dvc", "repro")
    metrics = json.loads((clone / "reports/metrics.json").read_text())
    assert list(metrics) == ["m0", "m1", "m2"]
    for statistics in metrics.values():
        assert set(statistics["evaluation"]) == {"syllogisms", "families", "letters", "pooled"}
        assert set(statistics["graders"]) == {"gym:syllogism", "gym:family_relationships", "gym:letter_counting"}
    assert metrics["m2"]["pairs"]["pairs"] > 0
    assert "Accuracy by grader" in (clone / "reports/table.md").read_text()
