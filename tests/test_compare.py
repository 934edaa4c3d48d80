"""Comparisons in a real git and DVC repository of two commits and an experiment, without any training."""

from __future__ import annotations

import math
import os
import statistics
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.cli.compare import compare
from pipeline.cli.compare.rows import rows_of
from pipeline.cli.compare.runs import Run, paired
from pipeline.core import files
from pipeline.core.errors import PipelineError
from pipeline.core.records import Answered, JudgedPair
from pipeline.evaluation import evaluate
from pipeline.methods.psrlm import measure
from pipeline.methods.psrlm.measure import Weighed

DVC_YAML = """
stages:
  evaluate:
    foreach: [m1, m2]
    do:
      cmd: python -m stages.evaluate --answers data/${item}/evaluation
      outs: ["data/${item}/evaluation"]
  judge_eval:
    foreach: {first: {model: m1}, m2: {model: m2}}
    do:
      cmd: >-
        python -m stages.judge_eval --eft data/eft/psrlm --judgments data/${item.model}/judgments-psrlm
        --stats reports/models/${item.model}/judge-psrlm.json
      deps: [data/eft/psrlm]
      outs: ["data/${item.model}/judgments-psrlm"]
  report:
    cmd: python -m stages.report --models reports/models --reports reports
"""


def answers(right: set[int]) -> list[Answered]:
    return [
        Answered(
            f"p{i}",
            "easy" if i < 10 else "hard",
            f"question {i}",
            ("Step 1: a",) * (1 + i % 3 + (i in right)),
            "answer" if i in right else "length",
            "1",
            "1",
            "right" if i in right else "wrong",
            9,
        )
        for i in range(20)
    ]


def opinions(wrong: int) -> list[Weighed]:
    straight = ["B", None, "C"]
    return [
        Weighed(f"e{i}/0/0", "A", straight[i % 3] if i < wrong else "A", "C" if i == 2 else "B", "", "")
        for i in range(12)
    ]


def write_run(folder: Path, right: dict[str, set[int]], wrong: dict[str, int]) -> None:
    pairs = [JudgedPair(f"e{i}/0/0", f"e{i}", f"q{i}", (), "a", "b", "", "A", 0.9, 0.1) for i in range(12)]
    files.write(folder / "data/eft/psrlm/test.parquet", JudgedPair, pairs)
    for model in right:
        rows, said = answers(right[model]), opinions(wrong[model])
        files.write(folder / f"data/{model}/evaluation/answers.parquet", Answered, rows)
        files.write(folder / f"data/{model}/judgments-psrlm/judgments.parquet", Weighed, said)
        files.write_json(folder / f"reports/models/{model}/evaluation.json", evaluate.accuracy(rows))
        files.write_json(folder / f"reports/models/{model}/judge-psrlm.json", measure.judge_quality(said))


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two commits and the experiment `better`: m1 is the same in all three, m2 answers more and more problems."""
    folder = tmp_path_factory.mktemp("repository")
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"

    def call(*command: str) -> None:
        environment = {**os.environ, "PATH": path, "DVC_NO_ANALYTICS": "1"}
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, env=environment, check=False)
        assert done.returncode == 0, done.stdout + done.stderr

    call("git", "init", "--quiet")
    call("git", "config", "user.name", "test")
    call("git", "config", "user.email", "test@localhost")
    call("dvc", "init", "--quiet")
    (folder / "dvc.yaml").write_text(DVC_YAML)
    for commit, right in (("one", {1, 2, 11}), ("two", {1, 2, 3, 4, 12}), ("better", set(range(2, 14)))):
        write_run(folder, {"m1": {1, 2, 11}, "m2": right}, {"m1": 5, "m2": 2})
        call("dvc", "commit", "--force")
        if commit == "better":
            call("dvc", "exp", "save", "--name", commit)
            call("git", "checkout", "--quiet", ".")
            call("dvc", "checkout")
        else:
            call("git", "add", "--all")
            call("git", "commit", "--quiet", "--message", commit)
            call("git", "tag", commit)
    return folder


@pytest.fixture
def there(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(repository)


@pytest.mark.usefixtures("there")
def test_paired_differences_are_those_of_the_metrics() -> None:
    run = Run("workspace")
    before, after = run.metrics["m1"], run.metrics["m2"]
    solved = paired(run.solutions("m1"), run.solutions("m2"))
    assert len(solved) == 9
    for (split, metric), (difference, _) in solved.items():
        expected = after["evaluation"][split][metric] - before["evaluation"][split][metric]
        assert difference == pytest.approx(expected, abs=2e-6)
    judged = paired(run.judgments("m1"), run.judgments("m2"))
    assert {metric for _, metric in judged} == {"judge_accuracy", "consistency"}
    for (_, metric), (difference, _) in judged.items():
        assert difference == pytest.approx(after["judge-psrlm"][metric] - before["judge-psrlm"][metric], abs=2e-6)


@pytest.mark.usefixtures("there")
def test_the_paired_error_is_that_of_the_differences() -> None:
    run = Run("workspace")
    _, error = paired(run.solutions("m1"), run.solutions("m2"))["pooled", "accuracy"]
    differences = [(i in {1, 2, 3, 4, 12}) - (i in {1, 2, 11}) for i in range(20)]
    assert error == pytest.approx(statistics.stdev(differences) / math.sqrt(20))


@pytest.mark.usefixtures("there")
def test_answers_to_other_problems_are_never_paired() -> None:
    solutions = Run("workspace").solutions("m1")
    assert solutions is not None
    assert paired(solutions, solutions.filter(solutions["item"] != solutions["item"][0])) == {}
    assert paired(solutions, None) == {}


@pytest.mark.usefixtures("there")
def test_two_models_are_printed_as_markdown_when_piped(capsys: pytest.CaptureFixture[str]) -> None:
    compare("m1", "m2")
    text = capsys.readouterr().out
    assert "## Greedy accuracy, %\n\n|  | m1 | m2 | difference | standard errors | paired |\n| --- |" in text
    assert "| pooled | 15.0 ± 8.0 | 25.0 ± 9.7 | +10.0 ± 10.0 | +1.0 | yes |" in text


@pytest.mark.parametrize(("before", "after"), [("one", "two"), ("two", "better"), ("HEAD~1", "workspace")])
@pytest.mark.usefixtures("there")
def test_commits_experiments_and_the_workspace_are_compared_model_by_model(
    before: str, after: str, capsys: pytest.CaptureFixture[str]
) -> None:
    compare(before, after)
    text = capsys.readouterr().out
    assert f"|  | {before} | {after} | difference" in text
    assert "| m2 pooled |" in text and "| m1 " not in text and "the same in both: m1, m2 (judge-psrlm)" in text
    assert text.count("| yes |") >= 3


@pytest.mark.usefixtures("there")
def test_a_metric_that_an_earlier_version_did_not_write_has_no_row() -> None:
    old, new = Run("one"), Run("workspace")
    del old.metrics["m2"]["evaluation"]["pooled"]["answered"]
    shown = {(row.table, row.name) for row in rows_of(old, "m2", new, "m2")}
    assert ("Greedy accuracy, %", "pooled") in shown and ("Answered solutions, %", "pooled") not in shown


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [("m1", "HEAD", "no model beside m1"), ("one", "nonsense", "neither a model nor a git revision")],
)
@pytest.mark.usefixtures("there")
def test_a_name_that_is_nothing_is_one_clear_error(before: str, after: str, message: str) -> None:
    with pytest.raises(PipelineError, match=message) as error:
        compare(before, after)
    assert "\n" not in str(error.value)
