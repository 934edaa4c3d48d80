"""A stage that makes too little that is usable stops with one line that counts the reasons."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml
from conftest import ScriptedEngine
from test_eft_search import policy, rating
from test_search import by_quality, script

from pipeline import params
from pipeline.core import files, journal
from pipeline.core.command import Stage
from pipeline.core.errors import PipelineError
from pipeline.core.products import Shares, require_share
from pipeline.core.records import Problem, SearchTree
from pipeline.inference import work
from pipeline.inference.requests import Completion, Request
from stages import eft, eft_search, pairs, search

Answer = Callable[[str, Request], Completion]
Run = Callable[..., None]


@pytest.fixture
def running(tmp_path: Path, tiny_model: Path, words: Any, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs a stage of the smoke profile in `tmp_path` on scripted engines, six problems before it."""
    monkeypatch.setattr(journal, "FOLDER", tmp_path / "work")
    files.write(tmp_path / "problems", Problem, [Problem(f"p{i}", f"What is {i}?", "x") for i in range(6)])
    files.write(tmp_path / "ratings", Problem, [])

    def run(module: ModuleType, key: str, answer: Answer, orders: str = "both", **shares: float) -> None:
        document = params.profile("smoke")
        document["shares"] |= shares
        document["psrlm"]["search"]["judge"]["orders"] = orders
        (tmp_path / "params.yaml").write_text(yaml.safe_dump(document))
        answers = iter((answer, rating))
        monkeypatch.setattr(
            work,
            "open_engines",
            lambda models, *_: nullcontext({m: ScriptedEngine(words, next(answers)) for m in models}),
        )
        names = ("problems", "trees", "ratings", "eft", "pairs", "dropped", "stats")
        places = {name: tmp_path / name for name in names} | {"policy": tiny_model, "value": tiny_model}
        places["searched"] = tmp_path / "stats"
        stage = Stage(module.__name__.removeprefix("stages."), tmp_path / "params.yaml", key, places)
        module.main(stage)
        stage.close()

    return run


def silent(prompt: str, request: Request) -> Completion:
    """A base that writes no step: nothing at all, or markers alone."""
    return Completion(("", " Step 1: Step 2:")[request.seed % 2], "stop", 1, True)


def alone(prompt: str, request: Request) -> Completion:
    """A base whose samples are all the same."""
    return Completion(" good \\boxed{1}.", "stop", 5, True)


def test_a_base_without_a_usable_candidate_stops_at_the_eft_search_and_shows_what_it_wrote(
    running: Run, tmp_path: Path
) -> None:
    with pytest.raises(PipelineError, match=r"^eft_search: 0 of 12 distinct candidates are usable") as caught:
        running(eft_search, "psrlm", silent)
    line = str(caught.value)
    assert "(empty 6, marker 6), less than shares.candidates (0.05); look at them with `psr show`" in line
    assert "\n" not in line
    trees = files.read(tmp_path / "trees/trees.parquet", SearchTree)
    assert {c.text for tree in trees for c in tree.unusable} == {"Step 1:", "Step 1: Step 1: Step 2:"}
    assert json.loads((tmp_path / "stats").read_text())["unusable"] == {"empty": 6, "marker": 6}
    assert list((tmp_path / "work").iterdir()), "the journal stays: with a lower share nothing is sampled again"


def test_a_share_of_zero_lets_a_search_without_a_usable_candidate_pass(running: Run) -> None:
    running(eft_search, "psrlm", silent, candidates=0.0)


def test_searches_without_two_candidates_stop_before_anything_is_annotated(running: Run, tmp_path: Path) -> None:
    running(eft_search, "psrlm", alone)
    with pytest.raises(PipelineError, match=r"^eft: 0 of 6 searched problems .*\(one_candidate 6\).*shares\.layers"):
        running(eft, "psrlm", alone)
    assert not (tmp_path / "eft").exists()


def test_a_search_that_finds_steps_goes_through_every_stage(running: Run, tmp_path: Path) -> None:
    running(eft_search, "psrlm", policy)
    assert not any(tree.unusable for tree in files.read(tmp_path / "trees/trees.parquet", SearchTree))
    running(search, "m2", script(by_quality))
    searched = json.loads((tmp_path / "stats").read_text())
    running(pairs, "m2", alone)
    made = json.loads((tmp_path / "stats").read_text())
    assert made["pairs"] and searched["judge_calls"] == searched["verdicts"]
    costs = {"tokens": "sampled_tokens", "judge_tokens": "judge_tokens", "judge_calls": "judge_calls"}
    assert all(made[f"{name}_per_pair"] * made["pairs"] == pytest.approx(searched[of]) for name, of in costs.items())


def test_a_round_of_few_pairs_goes_on_and_says_in_one_line_that_it_may_learn_from_noise(
    running: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    running(search, "m2", script(by_quality))
    capsys.readouterr()
    running(pairs, "m2", alone)
    made = json.loads((tmp_path / "stats").read_text())
    assert made["alarm"] == f"{made['pairs']} pairs, fewer than 100"
    assert capsys.readouterr().err == f"pairs: m2 may learn from noise: {made['alarm']}\n"


def test_a_judge_whose_verdicts_nobody_can_read_stops_at_the_search(running: Run) -> None:
    with pytest.raises(PipelineError, match=r"^search: 0 of \d+ verdicts can be read \(unreadable \d+\).*verdicts"):
        running(search, "m2", script(lambda a, b: "neither"))


def test_a_round_without_pairs_stops_and_counts_why_its_states_gave_none(running: Run) -> None:
    running(search, "m2", script(lambda a, b: "A"))
    with pytest.raises(PipelineError, match=r"^pairs: 0 of 6 problems of the round .*tie \d+.*shares\.pairs"):
        running(pairs, "m2", alone)


@pytest.mark.parametrize(("kept", "total", "stops"), [(0, 0, False), (1, 20, False), (1, 21, True), (0, 1, True)])
def test_a_share_is_least_and_zero_never_stops(kept: int, total: int, stops: bool) -> None:
    values = dict.fromkeys(Shares.model_fields, 0.0)
    require_share("s", Shares(**values), "pairs", kept, total, {"tie": total - kept})
    shares = Shares(**values | {"pairs": 0.05})
    if stops:
        with pytest.raises(PipelineError, match=r"less than shares\.pairs"):
            require_share("s", shares, "pairs", kept, total, {"tie": total - kept})
    else:
        require_share("s", shares, "pairs", kept, total, {"tie": total - kept})
