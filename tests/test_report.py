from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.core import config
from pipeline.core.config import Sampling
from pipeline.core.errors import PipelineError
from pipeline.core.records import Answered, Problem
from pipeline.domains.graders.pool import Graders
from pipeline.domains.math import final, grading
from pipeline.evaluation import evaluate, scale
from pipeline.inference.requests import Completion
from pipeline.inference.settings import Average
from pipeline.methods.psrlm import measure
from pipeline.methods.psrlm.measure import Weighed
from pipeline.report import contrast
from pipeline.report.metrics import Lineage, average, collect
from pipeline.report.output import document
from pipeline.report.tables import tables

ROOT = Path(__file__).parent.parent
SAMPLING = Sampling(temperature=0.8, top_p=0.95, max_tokens=9)


def answered(name: str, right: bool) -> Answered:
    return Answered(name, "easy", "q", ("Step 1: a",), "answer", "1", "1", "right" if right else "wrong", 9)


def written(folder: Path, models: list[str]) -> Path:
    for index, model in enumerate(models):
        rows = [answered(str(i), i < 4 + 2 * index) for i in range(10)]
        path = folder / model / "evaluation.json"
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps(evaluate.accuracy(rows)))
    return folder


def test_a_model_off_the_list_leaves_the_report_and_deltas_follow_the_plan(tmp_path: Path) -> None:
    folder = written(tmp_path / "models", ["m0", "m1", "m2"])
    lineage = Lineage(("m0", "m2"), {"m0": None, "m2": "m0"}, {"m0": "base", "m2": "psrlm"}, ("m2",))
    metrics = collect(folder, lineage, ["easy"])
    assert list(metrics) == ["m0", "m2"]
    assert metrics["m2"]["delta"]["delta_pooled"] == pytest.approx(0.4)
    row = "| m2 | m0 | psrlm | 80.0 ± 12.6 | 80.0 ± 12.6 | +40.0 ± 20.0 |"
    assert row in document(tables(metrics, lineage))


def test_a_run_with_several_graders_has_accuracy_by_grader_too(tmp_path: Path) -> None:
    rows = [replace(answered(str(i), i < 3), split=("arc", "mmlu", "own")[i % 3]) for i in range(6)]
    rows.append(replace(rows[0], grade="timeout"))
    of_splits = {"arc": "choice", "mmlu": "choice", "own": ""}
    summary = evaluate.accuracy(rows, graders=of_splits)
    assert {name: part["problems"] for name, part in summary["graders"].items()} == {"choice": 5, "domain": 2}
    assert "graders" not in evaluate.accuracy(rows) and "graders" not in evaluate.accuracy(rows, graders={"own": ""})
    path = tmp_path / "m0" / "evaluation.json"
    path.parent.mkdir()
    path.write_text(json.dumps(summary))
    lineage = Lineage(("m0",), {"m0": None}, {"m0": "base"}, ())
    text = document(tables(collect(tmp_path, lineage, list(of_splits)), lineage))
    assert "| model | domain | unreadable | choice | unreadable |" in text
    assert "| m0 | 50.0 ± 35.4 | 0.0 | 40.0 ± 21.9 | 20.0 |" in text


def test_the_average_counts_every_split_alike_and_knows_its_error() -> None:
    parts = {"a": {"accuracy": 0.2, "accuracy_se": 0.03}, "b": {"accuracy": 0.6, "accuracy_se": 0.04}}
    mean = average(list(parts.values()))
    assert (mean["accuracy"], mean["accuracy_se"]) == (pytest.approx(0.4), pytest.approx(0.025))


def test_chains_lead_from_the_base_to_every_last_model() -> None:
    starts = {"m0": None, "m1": "m0", "m2": "m1", "m3": "m2", "s2": "m1", "t2": "m1"}
    methods = {"m0": "base", "m1": "psrlm", "m2": "psrlm", "m3": "psrlm", "s2": "srlm", "t2": "srlm"}
    lineage = Lineage(tuple(starts), starts, methods, ("m1",))
    assert lineage.chains() == {
        "psrlm": ["m0", "m1", "m2", "m3"], "srlm s2": ["m0", "m1", "s2"], "srlm t2": ["m0", "m1", "t2"]
    }  # fmt: skip
    assert lineage.trained(["m0", "m1", "m2", "m3"]) == ("m1", "m3") and lineage.trained(["m0", "m1"]) is None


def test_arms_of_equally_many_rounds_and_models_of_one_start_stand_beside_each_other(tmp_path: Path) -> None:
    models = ("m0", "s1", "m1", "m2", "o2", "s2")  # right: 40, 60, 80 percent, then all
    starts = {"m0": None, "s1": "m0", "m1": "m0", "m2": "m1", "o2": "m1", "s2": "s1"}
    methods = {"m0": "base", "s1": "srlm", "m1": "psrlm", "m2": "psrlm", "o2": "outcome", "s2": "srlm"}
    lineage = Lineage(models, starts, methods, ("s1", "m1"), variants=("o2",))
    metrics = collect(written(tmp_path, list(models)), lineage, ["easy"])
    (arms,), (siblings,) = contrast.arms(metrics, lineage), contrast.siblings(metrics, lineage)
    assert (arms.one.name, arms.other.name) == ("psrlm (m1 → m2)", "srlm (s1 → s2)")
    assert arms.difference == pytest.approx((1 - 0.8) - (1 - 0.6))
    assert arms.error == pytest.approx((0.8 * 0.2 / 10 + 0.6 * 0.4 / 10) ** 0.5)
    assert arms.sentence() == (
        "psrlm (m1 → m2) gained +20.0 ± 12.6, srlm (s1 → s2) gained +40.0 ± 15.5: "
        "srlm (s1 → s2) gained more by 20.0 ± 20.0 points, within two standard errors."
    )
    assert (siblings.one.name, siblings.other.name) == ("psrlm (m1 → m2)", "outcome (m1 → o2)")
    assert (siblings.difference, siblings.error) == (0, 0)
    assert "srlm (s1 → s2) gained more" in document(tables(metrics, lineage))


def test_a_model_without_evaluation_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(PipelineError, match=r"dvc repro evaluate@m9"):
        collect(tmp_path, Lineage(("m9",), {"m9": None}, {"m9": "base"}, ()), ["easy"])


def test_how_a_solution_ends_is_told_apart() -> None:
    problems = [Problem(str(i), "q", "easy", "4") for i in range(5)]
    completions = [
        Completion("Step 1: 4. The answer is \\boxed{4}.", "stop", 9, True),
        Completion("Step 1: \\boxed{4}. Step 2: and on", "length", 9),
        Completion("Step 1: nothing", "stop", 9, True),
        Completion("Step 1: on and on", "length", 9),
        Completion("", "context", 0),
    ]
    with Graders(grading) as graders:
        rows = evaluate.answered(problems, completions, final, graders)
    assert [row.end for row in rows] == ["answer", "runs_on", "no_answer", "length", "context"]
    assert [row.grade for row in rows][:2] == ["right", "right"]
    assert "right" not in [row.grade for row in rows][2:]
    assert evaluate.accuracy(rows)["pooled"]["answered"] == 0.2


def test_samples_are_averaged_over_problems_for_the_named_splits_alone() -> None:
    problems = [Problem(f"p{i}", "q", "easy" if i < 3 else "hard", "1") for i in range(5)]
    average = Average(splits=("easy",), samples=4, sampling=SAMPLING)
    drawn = evaluate.draws(problems, average)
    assert [problem.problem_id for problem in drawn.values()] == [f"p{i}" for i in range(3) for _ in range(4)]
    rights = {"p0": 4, "p1": 2, "p2": 0}
    counts = dict.fromkeys(rights, 0)
    samples = []
    for problem in drawn.values():
        counts[problem.problem_id] += 1
        samples.append(answered(problem.problem_id, counts[problem.problem_id] <= rights[problem.problem_id]))
    greedy = [answered("p0", True), replace(answered("p3", True), split="hard")]
    summary = evaluate.accuracy(greedy, samples)
    assert summary["easy"]["sampled"]["samples"] == 4 and summary["easy"]["sampled"]["accuracy"] == 0.5
    assert summary["easy"]["sampled"]["accuracy_se"] == pytest.approx(0.5 / 3**0.5)
    assert "sampled" not in summary["hard"] and "sampled" not in summary["pooled"]
    assert evaluate.accuracy(greedy)["easy"] == {k: v for k, v in summary["easy"].items() if k != "sampled"}


@pytest.mark.parametrize(
    ("splits", "samples", "message"), [(["aime"], 4, r"splits: .*'aime'; give some of easy"), (["easy"], 0, "samples")]
)
def test_an_average_of_nothing_is_one_clear_error(splits: list[str], samples: int, message: str) -> None:
    section = {"splits": splits, "samples": samples, "sampling": SAMPLING.model_dump()}
    with pytest.raises(PipelineError, match=rf"evaluate\.average\.{message}"):
        evaluate.draws([Problem("p", "q", "easy", "1")], config.build(Average, section, "evaluate.average"))


def test_samples_stand_beside_greedy_and_a_reference_has_a_row_of_its_own(tmp_path: Path) -> None:
    folder = written(tmp_path / "models", ["m0", "m1", "gpt-4o"])
    rows = [answered(str(i), i < 6) for i in range(10)]
    (folder / "m1/evaluation.json").write_text(json.dumps(evaluate.accuracy(rows, [row for row in rows for _ in "ab"])))
    starts, methods = {"m0": None, "m1": "m0"}, {"m0": "base", "m1": "psrlm"}
    lineage = Lineage(("m0", "m1"), starts, methods, ("m1",), ("gpt-4o",))
    text = document(tables(collect(folder, lineage, ["easy"]), lineage))
    assert "| model | from | method | easy | easy avg@2 | average | change |" in text
    assert "| m1 | m0 | psrlm | 60.0 ± 15.5 | 60.0 ± 16.3 | 60.0 ± 15.5 | +20.0 ± 21.9 |" in text
    assert "| gpt-4o | – | reference | 80.0 ± 12.6 | – | 80.0 ± 12.6 | – |" in text
    assert "no GPT-4o row" not in text and lineage.chains() == {"psrlm": ["m0", "m1"]}
    (folder / "gpt-4o/evaluation.json").unlink()
    with pytest.raises(PipelineError, match="dvc repro reference@gpt-4o"):
        collect(folder, lineage, ["easy"])


def test_what_a_pair_cost_stands_beside_each_round_and_in_its_metrics(tmp_path: Path) -> None:
    folder = written(tmp_path / "models", ["m0", "m1", "m2", "o2"])
    costs = {"tokens_per_pair": 413.7, "judge_tokens_per_pair": 120.0, "judge_calls_per_pair": None}
    pairs = {"pairs": 3, "dropped": {"single": 2}}
    (folder / "m2/pairs.json").write_text(json.dumps(pairs | costs))
    (folder / "o2/pairs.json").write_text(json.dumps(pairs))
    starts = {"m0": None, "m1": "m0", "m2": "m1", "o2": "m1"}
    lineage = Lineage(tuple(starts), starts, dict.fromkeys(starts, "psrlm"), ("m1",), variants=("o2",))
    metrics = collect(folder, lineage, ["easy"])
    assert costs.items() <= metrics["m2"]["pairs"].items()
    text = document(tables(metrics, lineage))
    assert "| m2 | – | – | 3 | 414 | 120 | – | 2 | single 2 |" in text
    assert "| o2 | – | – | 3 | – | – | – | 2 | single 2 |" in text


def test_an_unreadable_verdict_counts_against_accuracy_and_consistency() -> None:
    opinions = [
        Weighed("a", "A", "A", "B", "", ""),
        Weighed("b", "A", "A", "A", "", ""),
        Weighed("c", "B", None, "A", "", ""),
        Weighed("d", "B", "A", "B", "", ""),
    ]
    quality = measure.judge_quality(opinions)
    assert (quality["judge_accuracy"], quality["consistency"], quality["unreadable"]) == (0.5, 0.5, 0.25)


def test_search_is_compared_with_greedy_on_the_same_problems() -> None:
    greedy = [answered(str(i), i % 2 == 0) for i in range(10)]
    gain = scale.against_greedy([answered(str(i), True) for i in range(4)], greedy)
    assert (gain["accuracy"], gain["greedy_accuracy"], gain["gain"]) == (1.0, 0.5, 0.5)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [(["profile", "huge"], "profile 'huge' does not exist"), (["check", "--params", "absent.yaml"], "no such file")],
)
def test_the_command_answers_bad_input_with_one_line(arguments: list[str], message: str) -> None:
    command = [sys.executable, "-m", "pipeline.cli", *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("error: ") and message in done.stderr and done.stderr.count("\n") == 1
