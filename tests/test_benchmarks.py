"""What the benchmarks compare is the same work, and each of their parts runs on a minimal size."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from conftest import ROOT, ScriptedEngine
from test_search import SETTINGS, by_quality, script

from benchmarks import __main__ as bench
from benchmarks import bare, loops
from benchmarks.sides import Line, against, interleaved
from pipeline.core.records import Problem
from pipeline.inference.requests import Request
from pipeline.language.renderer import Renderer
from pipeline.methods.psrlm import search


def searches(renderer: Renderer) -> dict[str, Any]:
    problems = [Problem(f"p{i}", f"What is {i}?", "x") for i in range(5)]
    return {p.problem_id: search.search(renderer, p, SETTINGS, 1) for p in problems}


def test_every_way_sends_the_same_requests(renderer: Renderer) -> None:
    def sent(way: Any) -> list[Request]:
        recording = loops.Recording(ScriptedEngine(renderer.tokenizer, script(by_quality)))
        way(recording, searches(renderer))
        return sorted((request for request, _ in recording.requests), key=lambda one: (one.prompt_ids, one.seed))

    requests = sent(loops.event_loop)
    assert len(requests) > 50 and requests == sent(loops.lockstep)
    assert requests == sent(lambda engine, tasks: loops.event_loop(engine, tasks, window=1))
    assert requests == sent(lambda engine, tasks: loops.replay(engine, [(one, 0) for one in requests]))


def test_what_prompts_allow_the_cache_are_whole_blocks_of_earlier_prompts_on_the_same_replica() -> None:
    def request(*ids: int) -> Request:
        return Request(ids, 1)

    first, block = tuple(range(100)), loops.BLOCK
    same = [(request(*first), 0), (request(*first), 0)]
    assert loops.allowed(same, 1) == 3 * block / 200
    assert loops.allowed([same[0], (request(*first), 1)], 2) == 0
    assert loops.allowed([same[0], (request(*first[:40], 7), 0)], 1) == block / 141
    assert loops.allowed([same[0], (request(7, *first), 0)], 1) == 0


def test_ratios_are_of_one_round_and_every_way_begins_one() -> None:
    order: list[str] = []
    values = iter(range(1, 7))

    def way(name: str) -> Any:
        return lambda: (order.append(name), float(next(values)))[1]

    measured = interleaved({"a": way("a"), "b": way("b")}, 3)
    assert order == ["a", "b", "b", "a", "a", "b"] and measured == {"a": (1, 4, 5), "b": (2, 3, 6)}
    *_, ratio = against("x", measured, "s")
    assert ratio == Line("x: b / a", (2.0, 0.75, 1.2), "x")
    assert ratio.cells() == ["x: b / a", "0.75", "1.2", "2", "3", "x"]


@pytest.mark.parametrize("kind", ["sft", "dpo"])
def test_the_bare_loop_makes_the_first_loss_of_the_training(kind: str, tiny_model: Path, tmp_path: Path) -> None:
    import torch

    from benchmarks.training import rows
    from pipeline.training import weights

    data = rows(kind, 4, 40, vocabulary=300)
    batch = bare.padded([one for row in data for one in bare.whole(kind, row)])
    model, _ = weights.load(tiny_model, torch.float32)
    with torch.no_grad():
        sums = bare.log_probabilities(model, batch)
        labels = batch[1].clone()
        loss = model(input_ids=batch[0], attention_mask=batch[2], labels=labels).loss
    assert -sums.sum() / (labels[:, 1:] != -100).sum() == pytest.approx(loss.item(), rel=1e-4)


def test_a_part_that_fails_loses_no_part_before_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def run(*parts: str) -> dict[str, Any]:
        monkeypatch.setattr(sys, "argv", ["bench", "--output", str(tmp_path / "bench"), "--parts", *parts])
        bench.main()
        return dict(json.loads((tmp_path / "bench.json").read_text()))

    monkeypatch.setattr(bench, "trainings", lambda options: [Line("sft", (1.0, 3.0), "s")])
    monkeypatch.setattr(bench, "grading", lambda options: [Line("grading", (9.0,), "answers/s")])
    assert set(run("training")) == {"training"}
    monkeypatch.setattr(bench, "rows", lambda options: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        run("grading", "rows")
    text = (tmp_path / "bench.md").read_text()
    assert "| sft | 1 | 2 | 3 | 2 | s |" in text and "| grading | 9 | 9 | 9 | 1 | answers/s |" in text


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_all_parts_run_on_a_minimal_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    sizes = ["--problems", "2", "--rounds", "1", "--rows", "32", "--answers", "20", "--size", "2000"]
    monkeypatch.setattr(sys, "argv", ["bench", *sizes, "--output", str(tmp_path / "bench")])
    bench.main()
    report = json.loads((tmp_path / "bench.json").read_text())
    measures = {line["measure"] for part in report.values() for line in part["lines"]}
    assert {"pool, 128 sequences: event loop / flat replay", "sft: training / bare loop", "grading"} <= measures
    assert "| make_pairs |" in (tmp_path / "bench.md").read_text()
