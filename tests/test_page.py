"""The report's page: numbers as in metrics.json, model text only ever as text, and the page in a real browser."""

from __future__ import annotations

import csv
import json
import re
import shutil
from collections.abc import Iterator
from dataclasses import replace
from html import unescape
from pathlib import Path
from typing import Any

import pytest

from benchmarks import pictures
from pipeline.core import files
from pipeline.core.command import Stage
from pipeline.core.errors import PipelineError
from pipeline.core.records import Candidate, Dropped, State, Tree, Verdict
from pipeline.methods import verdicts
from pipeline.report import figures, ledger, provenance, viewer
from pipeline.report.metrics import Lineage, collect
from pipeline.report.output import write
from pipeline.report.sources import read_sources

HOSTILE = "Step 1: </script><img src=x onerror=\"document.title='owned'\"><!-- {{ 7 * 7 }} ${x}"
MODELS = ("m0", "m1", "m2", "m3")


def part(accuracy: float) -> dict[str, float]:
    error = (accuracy * (1 - accuracy) / 50) ** 0.5
    measured = {"accuracy": accuracy, "steps": 4 + accuracy, "step_characters": 20 + 3 * accuracy}
    return {"problems": 50, "answered": 0.9, **measured, **{f"{name}_se": error for name in measured}}


def tree(number: int) -> Tree:
    candidates = (
        Candidate(HOSTILE, 3, 1.0, "step", False),
        Candidate("Step 1: 2+2=5", 2, 0.0, "step", False),
        Candidate("Step 1: Step 1: again", 1, 0.0, "marker", False),
    )
    judged = (Verdict(0, 1, f"<b>bold</b> {HOSTILE} [[A]]", "A"), Verdict(1, 0, "no words", None))
    states = (
        State((), candidates, judged, "step", 0, 1, False, in_full=True),
        State((HOSTILE,), candidates[1:], (), "single", 0, None, True),
        State((HOSTILE,), candidates, judged, "tie", None, None, False, in_full=True),
    )
    return Tree(f"p{number}", f"Problem {number}: {HOSTILE}", states, (HOSTILE,), "max_steps")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the stages before the report leave behind, for three models and two methods."""
    folder = tmp_path_factory.mktemp("run")
    for index, model in enumerate(MODELS):
        parts = {"easy": part(0.4 + index / 10), "hard": part(0.2 + index / 20), "pooled": part(0.3 + index / 15)}
        files.write_json(folder / "models" / model / "evaluation.json", parts)
        judge = {"pairs": 40, "shots": 0, "judge_accuracy": 0.9, "judge_accuracy_se": 0.04}
        judge |= {"judge_accuracy_swapped": 0.8, "consistency": 0.7, "consistency_se": 0.07, "unreadable": 0.1}
        known = {"accuracy": 0.95, "error": 0.04, "brier": 0.06, "first": -0.5}
        bins = [{"pairs": 39, "confidence": 0.98, "accuracy": 0.949, "accuracy_se": 0.035}]
        judge["calibration"] = (
            known | {f"{name}_se": 0.01 for name in known} | {"pairs": 39, "without": 1, "bins": bins}
        )
        files.write_json(folder / "models" / model / "judge-psrlm.json", judge)
    shares = {"accuracy": 0.5, "greedy_accuracy": 0.4, "majority_accuracy": 0.6, "gain": 0.1, "over_majority": -0.1}
    scale = {"problems": 40, **shares, **{f"{name}_se": 0.05 for name in shares}}
    tokens = {"greedy": 80, "search": 900, "candidates": 300, "judgments": 600}
    scale["tokens"] = tokens | {f"{name}_se": 9 for name in tokens}
    votes = {"accuracy": 0.6, "accuracy_se": 0.05, "samples": 11.2, "samples_se": 0.3, "tokens_se": 8}
    scale["majority"] = {"1/8": votes | {"tokens": 120, "accuracy": 0.45}, "1": votes | {"tokens": 930}}
    files.write_json(folder / "models/m2/scale.json", scale)
    trees = [tree(number) for number in range(3)]
    files.write(folder / "excerpts/m2/trees.parquet", Tree, trees)
    files.write_json(folder / "models/m2/verdicts.json", {"judge": "m1", **verdicts.diagnostics(trees)})
    files.write_json(folder / "models/m2/pairs.json", {"pairs": 3, "dropped": {"single": 2}})
    files.write(folder / "dropped.parquet", Dropped, [Dropped("pairs", "p1", "single", HOSTILE)])
    ledger.write(ledger.ledger([ledger.dropped(folder / "dropped.parquet", "m2")]), folder / "ledger.csv")
    shares = {"EFT": 0.5, "EFT_se": 0.1, "IFT": 0.5, "IFT_se": 0.1}
    neighbours = {panel: {"EFT": shares, "IFT": shares} for panel in ("prompts", "responses")}
    stats = {"method": "by hand", "texts": {"EFT": 1, "IFT": 1}, "neighbours": neighbours}
    files.write_json(folder / "data/figure2.json", stats)
    losses = "".join(f"{n},{1 / n}\n" for n in range(1, 101))
    (folder / "models/m2/loss.csv").write_text(f"update,loss\n{losses}")
    points = [f"{panel},{kind},k,{x},1" for panel in neighbours for x, kind in enumerate(("EFT", "IFT"))]
    (folder / "figure2.csv").write_text("panel,kind,key,x,y\n" + "\n".join(points) + "\n")
    (folder / "params.yaml").write_text(f"seed: 1 # {HOSTILE}\n")
    return folder


def written(run: Path, folder: Path) -> Path:
    starts = {"m0": None, "m1": "m0", "m2": "m1", "m3": "m1"}
    methods = {"m0": "base", "m1": "psrlm", "m2": "psrlm", "m3": "other"}
    lineage = Lineage(MODELS, starts, methods, ("m1",))
    origin = provenance.Provenance("abc", (run / "params.yaml").read_text(), {}, {"cores": "2"}, {})
    names = {
        "models": "models",
        "excerpts": "excerpts",
        "points": "figure2.csv",
        "data": "data",
        "ledger": "ledger.csv",
    }
    stage = Stage("report", run / "params.yaml", "", {name: run / place for name, place in names.items()})
    sources = read_sources(stage, lineage, "shipped", 1, origin)
    write(collect(run / "models", lineage, ["easy", "hard"]), lineage, sources, folder)
    return folder


@pytest.fixture(scope="module")
def page(run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written(run, tmp_path_factory.mktemp("reports")) / "index.html"


def test_the_same_inputs_give_the_same_bytes(run: Path, page: Path, tmp_path: Path) -> None:
    again = written(run, tmp_path)
    for file in page.parent.rglob("*.*"):
        assert (again / file.relative_to(page.parent)).read_bytes() == file.read_bytes(), file.name


def test_the_page_asks_for_no_other_file_and_allows_only_its_own_script(page: Path) -> None:
    text = page.read_text()
    assert not re.search(r"""(src|href)\s*=\s*["']?(?!#)[^"'>\s]*[:/.]|@import|url\(""", text.replace(escaped(), ""))
    assert "default-src 'none'" in text and "unsafe-eval" not in text
    assert text.count("<script") == 2


def test_each_training_has_its_loss_curve(page: Path) -> None:
    section = re.search(r'<section id="training">(.*?)</section>', page.read_text(), re.DOTALL)
    assert section and section[1].count("<figure>") == 1 and "<figcaption>m2</figcaption>" in section[1]
    (chart,) = figures.losses({"m2": [1 / n for n in range(1, 101)]})
    (series,) = chart.series
    assert len(series.points) == 34 and series.points[0].y == pytest.approx((1 + 1 / 2 + 1 / 3) / 3)
    assert series.points[-1].label == "100 to 100"


def escaped() -> str:
    """Model text as the template writes it."""
    from markupsafe import escape

    return str(escape(HOSTILE))


def test_model_text_never_becomes_markup(page: Path) -> None:
    text = page.read_text()
    assert "<img" not in text and text.count("</script>") == 2
    assert HOSTILE in unescape(text)
    data = re.search(r'id="rounds-data">(.*?)</script>', text, re.DOTALL)
    assert data is not None
    (shown,) = json.loads(data[1])
    assert (shown["judge"], shown["searched"], len(shown["trees"])) == ("m1", 3, 3)
    assert shown["trees"][0]["states"][0]["candidates"][0]["text"] == HOSTILE


def test_a_judge_s_verdicts_on_policy_stand_beside_those_held_out(page: Path) -> None:
    own = json.loads((page.parent / "metrics.json").read_text())["m2"]["verdicts"]
    with (page.parent / "tables/3-judge.csv").open() as file:
        rows = {row["model"]: row for row in csv.DictReader(file)}
    assert (rows["m1"]["pairs"], int(rows["m1"]["on policy: verdicts"])) == ("40", own["verdicts"])
    for name in ("consistency", "unreadable"):
        assert float(rows["m1"][f"on policy: {name}"]) == pytest.approx(100 * own[name], abs=1e-3)
        assert rows["m2"][f"on policy: {name}"] == ""  # it has searched no round


def test_every_number_of_the_tables_is_that_of_metrics_json(page: Path) -> None:
    metrics = json.loads((page.parent / "metrics.json").read_text())
    with (page.parent / "tables/1-accuracy.csv").open() as file:
        rows = {row["model"]: row for row in csv.DictReader(file)}
    markdown, html = (page.parent / "table.md").read_text(), page.read_text()
    assert list(rows) == list(MODELS)
    for model, row in rows.items():
        for split in ("easy", "hard"):
            accuracy = metrics[model]["evaluation"][split]
            assert float(row[split]) == pytest.approx(100 * accuracy["accuracy"], abs=1e-3)
            assert float(row[f"{split} (standard error)"]) == pytest.approx(100 * accuracy["accuracy_se"], abs=1e-3)
            shown = f"{100 * accuracy['accuracy']:.1f} ± {100 * accuracy['accuracy_se']:.1f}"
            assert shown in markdown and shown in html
        assert float(row["average"]) == pytest.approx(100 * metrics[model]["average"]["accuracy"], abs=1e-3)
    assert float(rows["m2"]["change"]) == pytest.approx(100 * metrics["m2"]["delta"]["delta_average"], abs=1e-3)


def test_what_has_no_counterpart_is_said(page: Path) -> None:
    text = (page.parent / "table.md").read_text()
    assert "no GPT-4o row" in text and "no model of this run scored any" in text
    assert text.count("This run has no such numbers.") == 2  # scorers, and signs of collapse
    assert "| 72B PSRLM M4 | 93.7 | 76.6 | 68.1 | 44.1 | 23.3 | 57.5 | 60.6 |" in text


def test_calibration_and_what_gained_more_stand_on_the_page(page: Path) -> None:
    text = page.read_text()
    assert (
        "| m2 | 39 | 1 | 95.0 ± 1.0 | 4.0 ± 1.0 | 0.060 ± 0.010 | -0.50 ± 0.01 |"
        in (page.parent / "table.md").read_text()
    )
    assert "right verdicts by confidence" in text and "39 pairs" in text
    assert "psrlm (m1 → m2)" in text and "other (m1 → m3)" in text


def test_search_and_vote_stand_beside_greedy_with_their_tokens(page: Path) -> None:
    shares = "40.0 ± 5.0 | 50.0 ± 5.0 | 60.0 ± 5.0 | +10.0 ± 5.0 | -10.0 ± 5.0"
    row = f"| m2 | 40 | {shares} | 80 ± 9 | 900 ± 9 | 66.7 | 930 ± 8 | 11.2 ± 0.3 |"
    assert row in (page.parent / "table.md").read_text()
    text = page.read_text()
    assert "m2: accuracy against tokens" in text and ">1/8</text>" in text
    assert "<td>1/8</td>" in text and "step search" in text


def test_a_round_that_scores_whole_solutions_has_rows_and_no_trees(run: Path, tmp_path: Path) -> None:
    shutil.copytree(run, tmp_path / "run")
    shares = {"score_accuracy": 0.5, "order_accuracy": 0.7, "consistency": 0.6}
    scoring = {"shots": 0, "solutions": 90, "ordered_pairs": 50, "unreadable": 0.1, **shares}
    files.write_json(tmp_path / "run/models/m3/judge-srlm.json", scoring | {f"{name}_se": 0.05 for name in shares})
    files.write(tmp_path / "run/excerpts/m3/trees.parquet", Tree, [])
    files.write_json(tmp_path / "run/models/m3/verdicts.json", {"judge": "m1", **verdicts.diagnostics([])})
    out = written(tmp_path / "run", tmp_path / "out")
    text = (out / "table.md").read_text()
    assert "| m3 | scoring of whole solutions | 0.60 ± 0.05 | 0.70 ± 0.05 |" in text
    assert "no model of this run scored any" not in text
    assert "m3: 0 of" not in (out / "index.html").read_text()


def test_the_tables_of_judges_hold_those_of_any_method(run: Path, tmp_path: Path) -> None:
    shutil.copytree(run, tmp_path / "run")
    for model in ("m1", "m2"):
        (tmp_path / f"run/models/{model}/judge-psrlm.json").rename(tmp_path / f"run/models/{model}/judge-own.json")
    before, after = (written(folder, tmp_path / name) for folder, name in ((run, "before"), (tmp_path / "run", "out")))
    assert (before / "table.md").read_text() == (after / "table.md").read_text()


def test_the_page_of_a_large_run_stays_under_20_mb_and_says_how_many_trees_it_shows(run: Path, tmp_path: Path) -> None:
    shutil.copytree(run, tmp_path / "run")
    state = tree(0).states[0]
    long = tuple(replace(one, text=f"{HOSTILE} {'<&>' * 500}") for one in state.candidates)
    trees = [
        replace(tree(n), states=tuple(replace(state, steps=(HOSTILE,) * s, candidates=long) for s in range(20)))
        for n in range(400)
    ]
    searched = verdicts.diagnostics(trees) | {"judge": "m1", "trees": 100_000}
    for model in ("m2", "m3"):
        files.write(tmp_path / f"run/excerpts/{model}/trees.parquet", Tree, trees)
        files.write_json(tmp_path / f"run/models/{model}/verdicts.json", searched)
    losses = "".join(f"{n},{1 / n}\n" for n in range(1, 100_001))
    (tmp_path / "run/models/m2/loss.csv").write_text(f"update,loss\n{losses}")
    out = written(tmp_path / "run", tmp_path / "out")
    assert sum(path.stat().st_size for path in out.rglob("*") if path.is_file()) < 20_000_000
    text = (out / "index.html").read_text()
    shown = [len(one["trees"]) for one in json.loads(re.search(r'id="rounds-data">(.*?)</script>', text)[1])]
    assert all(0 < count < 400 for count in shown)
    assert f"m2: {shown[0]} of 100000 problems, m3: {shown[1]} of 100000 problems, chosen by hash" in text


def test_trees_stop_at_the_page_s_share_of_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    size = len(json.dumps(viewer._tree(tree(0)), ensure_ascii=False).encode())
    monkeypatch.setattr(viewer, "BYTES", int(2.5 * size))
    (round_shown,) = viewer.embedded(
        {"m2": [tree(n) for n in range(3)]}, {"m2": {"verdicts": {"judge": "m1", "trees": 9}}}
    )
    assert (len(round_shown["trees"]), round_shown["searched"]) == (2, 9)


# ---------------------------------------------------------------- in a real browser


@pytest.fixture
def browser() -> Iterator[Any]:
    """The browser that draws the README's picture."""
    pytest.importorskip("selenium.webdriver")
    try:
        with pictures.browser() as opened:
            yield opened
    except PipelineError as error:
        pytest.skip(str(error))


def test_a_reader_picks_a_problem_and_reads_a_judgment(browser: Any, page: Path) -> None:
    def find(selector: str) -> Any:
        return browser.find_element("css selector", selector)

    pictures.look(browser, 1280, "light")
    browser.get(page.as_uri())
    find("#tree-problem option[value='1']").click()
    assert find("#tree .prompt").text == f"Problem 1: {HOSTILE}"
    assert "✓ chosen" in find("#tree .chosen .role").text and "✗ rejected" in find("#tree .rejected .role").text
    assert find("#tree .chosen .step").text == HOSTILE
    find("#tree .judgments summary").click()
    words = find("#tree .judgments .judgment")
    assert "[[A]]: candidate 1" in words.text and f"<b>bold</b> {HOSTILE} [[A]]" in words.text
    find("#tree .verdicts button[title*='unreadable']").click()
    assert "no words" in find("#tree .judgments .judgment").text
    find("#tree-next").click()
    assert find("#tree .prompt").text.startswith("Problem 2")
    assert browser.title == "Process-based self-rewarding: report" and not browser.find_elements("css selector", "img")
    assert not browser.get_log("browser")
    events = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    loaded = {e["params"]["request"]["url"] for e in events if e["method"] == "Network.requestWillBeSent"}
    assert loaded <= {page.as_uri()}


def test_the_picture_of_a_search_is_small_enough_for_a_readme(browser: Any, page: Path) -> None:
    picture = pictures.tree(page)
    assert picture.startswith(b"\x89PNG") and 1000 < len(picture) <= pictures.BYTES


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_fits_a_phone_in_light_and_dark(browser: Any, page: Path, scheme: str) -> None:
    browser.get(page.as_uri())
    for width in (390, 1280):
        pictures.look(browser, width, scheme)
        assert browser.execute_script("return document.documentElement.scrollWidth") <= width
    channels = "return getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)"
    background = browser.execute_script(channels)
    assert max(background) < 60 if scheme == "dark" else min(background) > 200
