"""The table of gates says of every bar whether it holds, and the pictures show what the runs measured."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from benchmarks import gates, pictures
from pipeline import params
from pipeline.core import files
from pipeline.core.means import mean_and_error
from pipeline.core.records import Answered
from pipeline.report.metrics import average

PROBLEMS = 200
RISING = {"m0": 0, "m1": 80, "m2": 100, "m3": 120, "m4": 140}  # right answers


def answers(right: int) -> list[Answered]:
    """The first `right` problems of each split solved."""
    return [
        Answered(f"{split}-{n}", split, "", (), "answer", "1", "1", "right" if n < right / 2 else "wrong", 9)
        for split in ("easy", "hard")
        for n in range(PROBLEMS // 2)
    ]


def run(folder: Path, right: Mapping[str, int], seed: int = 1, **changed: Any) -> Path:
    """What a finished run leaves behind, as far as the gates read it."""
    srlm = "s1" in right
    document = params.profile("tiny-srlm" if srlm else "tiny") | {"seed": seed}
    document["dpo"]["loss_weights"] |= changed.get("weights", {})
    metrics: dict[str, Any] = {}
    for model, count in right.items():
        rows = answers(count)
        files.write(folder / f"data/{model}/evaluation/answers.parquet", Answered, rows)
        share = count / PROBLEMS
        part = {"accuracy": share, "accuracy_se": (share * (1 - share) / PROBLEMS) ** 0.5}
        metrics[model] = {"evaluation": {"pooled": part}, "average": average([part])}
        metrics[model] |= {"judge-srlm": {"order_accuracy": 0.72, "order_accuracy_se": 0.02}} if model == "s1" else {}
    metrics["m4"]["scale"] = {"gain": -0.02, "gain_se": 0.01}
    (folder / "reports").mkdir(parents=True)
    (folder / "params.yaml").write_text(yaml.safe_dump(document))
    (folder / "reports/metrics.json").write_text(json.dumps(metrics))
    return folder


def table(runs: Sequence[Path], ceiling: float | None = None) -> dict[str, list[str]]:
    """The rows by their gate: bar, a cell a seed, all seeds, verdict."""
    text = gates.document([gates.Run(folder) for folder in runs], ceiling)
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines() if line.startswith("|")]
    return {row[0]: row[1:] for row in rows}


def test_a_gate_holds_where_it_holds_in_every_seed_and_fails_where_one_seed_fails(tmp_path: Path) -> None:
    stands = RISING | {"m3": 102}
    shown = table([run(tmp_path / "1", RISING), run(tmp_path / "2", stands, seed=2)])
    assert shown["gate"] == ["bar", "seed 1", "seed 2", "all seeds", ""]
    assert shown["M2 − M1"][-1] == shown["M4 − M1"][-1] == "holds" and shown["M3 − M2"][-1] == "fails"
    mean, error = mean_and_error([1] * 20 + [0] * (PROBLEMS - 20))
    assert shown["M2 − M1"][1] == f"{100 * mean:+.1f} ± {100 * error:.1f} ({mean / error:.1f})"
    mean, error = mean_and_error([1.0] * 2 + [0.5] * 18 + [0.0] * (PROBLEMS - 20))
    assert shown["M3 − M2"][3].startswith(f"{100 * mean:+.1f} ± ")


def test_what_no_file_says_is_not_measured(tmp_path: Path) -> None:
    shown = table([run(tmp_path / "1", RISING)])
    unknown = {"ceiling − M1", "ceiling − M2", "M2 by both terms − by the likelihood alone", "search − greedy, M1"}
    unknown |= {"SRLM's first scorer: right order", "gain of PSRLM − gain of SRLM", "minutes"}
    assert {name for name, row in shown.items() if row[-1] == "not measured"} == unknown
    assert shown["search − greedy, last model"][1:] == ["-2.0 ± 1.0 (-2.0)", "–", "fails"]
    assert shown["splits that fall, M1 to M4"][1:] == ["none", "–", "holds"]
    assert [table([tmp_path / "1"], 62.0)[f"ceiling − M{n}"][-1] for n in (1, 2)] == ["holds", "holds"]
    assert [table([tmp_path / "1"], 59.0)[f"ceiling − M{n}"][-1] for n in (1, 2)] == ["fails", "fails"]


def test_a_split_that_falls_is_named(tmp_path: Path) -> None:
    folder = run(tmp_path / "1", RISING)
    rows = [row for row in answers(200) if row.split == "easy"] + [r for r in answers(40) if r.split == "hard"]
    files.write(folder / "data/m4/evaluation/answers.parquet", Answered, rows)
    assert table([folder])["splits that fall, M1 to M4"][1:] == ["hard", "–", "fails"]


def test_a_run_on_the_likelihood_alone_is_held_against_the_run_of_its_seed_pooled(tmp_path: Path) -> None:
    both = [run(tmp_path / str(seed), RISING, seed=seed) for seed in (1, 2)]
    alone = [
        run(tmp_path / f"{seed}-alone", RISING | {"m2": count}, seed, weights={"sigmoid": 0.0})
        for seed, count in ((1, 80), (2, 98))
    ]
    row = table([*both, *alone])["M2 by both terms − by the likelihood alone"]
    assert row[1].startswith("+10.0") and row[2].startswith("+1.0") and row[-1] == "holds"
    assert table([*both, alone[1]])["M2 by both terms − by the likelihood alone"][-1] == "fails"


def test_srlm_s_scorer_and_gain_stand_beside_psrlm_s_with_the_error_over_seeds(tmp_path: Path) -> None:
    counts = {f"s{n}": 80 for n in range(1, 5)}
    runs = [run(tmp_path / str(n), RISING | counts | {"s4": 80 + 20 * n}, seed=n) for n in (1, 2)]
    shown = table(runs)
    assert shown["SRLM's first scorer: right order"][-1] == "holds"
    row = shown["gain of PSRLM − gain of SRLM"]
    assert row[1].startswith("+20.0") and row[2].startswith("+10.0") and row[3:] == ["+15.0 ± 5.0", "–"]


def test_a_folder_without_a_run_is_refused_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for command in (gates.main, pictures.main):
        with pytest.raises(SystemExit, match="1"):
            command([str(tmp_path)])
        assert capsys.readouterr().err.count("\n") == 1


def test_the_curve_has_a_line_for_each_seed_with_its_standard_errors(tmp_path: Path) -> None:
    runs = [run(tmp_path / str(seed), RISING, seed=seed) for seed in (1, 2)]
    chart, trained = pictures.curve(runs), pictures.curve(runs, trained=True)
    assert [[point.label for point in series.points] for series in trained.series] == [[""] * 4, list(RISING)[1:]]
    assert len({point.x for series in trained.series for point in series.points}) == 8  # no bar hides another
    assert [series.name for series in chart.series] == ["seed 1", "seed 2"]
    for series in chart.series:
        assert [point.label for point in series.points] == list(RISING)
        assert [point.y for point in series.points] == [100 * count / PROBLEMS for count in RISING.values()]
        assert series.points[1].error == pytest.approx(100 * (0.4 * 0.6 / PROBLEMS) ** 0.5)


def test_the_curve_of_a_run_of_both_methods_is_that_of_its_first(tmp_path: Path) -> None:
    both = run(tmp_path / "both", RISING | {"s1": 60, "s2": 70, "s3": 80, "s4": 90})
    (series,) = pictures.curve([both]).series
    assert [point.label for point in series.points] == list(RISING)


def test_without_a_browser_the_curve_is_drawn_and_one_line_says_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = run(tmp_path / "1", RISING)
    (folder / "reports/index.html").write_text("<!doctype html>")
    monkeypatch.setattr(pictures, "OUT", tmp_path / "pictures")
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(SystemExit, match="1"):
        pictures.main([str(folder)])
    error = capsys.readouterr().err
    assert error == "error: no Chromium with chromedriver here (Debian: apt install chromium chromium-driver)\n"
    assert [path.name for path in (tmp_path / "pictures").iterdir()] == ["accuracy.svg"]
