"""The domain `text` with the prompts of its family: rendering, and a round's search, judgments and pairs."""

from __future__ import annotations

import re
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
import yaml
from conftest import ROOT, ScriptedEngine
from transformers import AutoTokenizer

from pipeline import params
from pipeline.core import files, journal
from pipeline.core.command import Stage
from pipeline.core.machine import Inference, Machine
from pipeline.core.records import Preference, Problem, Tree
from pipeline.domains.arithmetic.base import SHIPPED
from pipeline.domains.text import final
from pipeline.inference import work
from pipeline.inference.requests import Completion, Request
from pipeline.language import prompts
from pipeline.language.renderer import Renderer
from pipeline.methods.psrlm import judge, listwise
from pipeline.methods.srlm import scoring
from stages import pairs, search

PROBLEM = "The cat is big. Whoever is big is kind. Is the cat kind?"
STEPS = ("Step 1: The cat is big.", "Step 2: So it is kind.\nAnswer: yes")


@pytest.fixture(scope="module")
def shipped() -> Any:
    return AutoTokenizer.from_pretrained(SHIPPED)


def test_every_template_of_the_family_text_is_rendered_whole_by_the_shipped_tokenizer(shipped: Any) -> None:
    renderer = Renderer(shipped, "text", answer_end=final.end)
    texts = {
        "reasoning": renderer.reasoning(PROBLEM, STEPS[:1]),
        "step_judge": renderer.turn(judge.prompt("text", PROBLEM, STEPS[:1], STEPS[1], "Step 2: Who knows?")),
        "step_ranking": renderer.turn(listwise.prompt("text", PROBLEM, STEPS[:1], (STEPS[1], "Step 2: Who knows?"))),
        "solution_judge": renderer.turn(scoring.prompt("text", PROBLEM, "\n".join(STEPS))),
        "segmentation": renderer.prompt("segmentation", problem=PROBLEM, solution="It is kind.\nAnswer: yes"),
        "step_label": renderer.prompt("step_label", problem=PROBLEM),
        "step_mark": renderer.prompt("step_mark"),
    }
    assert texts.keys() == {path.stem for path in (ROOT / "prompts/text").glob("*.txt")}
    for name, ids in texts.items():
        text = shipped.decode(ids)
        assert not prompts.FIELD.search(text) and len(ids) < 1024, name
        assert (PROBLEM in text) == (name != "step_mark"), name
    assert final.end(STEPS[1]) == len(STEPS[1]) and final.read("\n".join(STEPS)) == "yes"


def thinking(prompt: str, request: Request) -> Completion:
    """Steps that are good, fair or bad, the third with the answer; a judge that names the better one."""
    if prompt.endswith("[Explanation and verdict]\n"):
        a, b = (re.search(rf"\[Candidate {name} \w+\]\nStep \d+: (\w+)", prompt) for name in "AB")
        assert a and b
        order = ("good", "fair", "bad")
        return Completion(f"[[{'A' if order.index(a[1]) < order.index(b[1]) else 'B'}]]", "stop", 5, True)
    number = prompt.count("Step ") - 1  # one stands in the instruction
    word = ("good", "fair", "bad")[request.seed % 3]
    return Completion(f" {word} {number}{f'. Answer: {word}' if number == 3 else ''}", "stop", 5, number == 3)


def round_of(folder: Path, engine: Any, monkeypatch: pytest.MonkeyPatch, **searching: Any) -> list[Tree]:
    """The stages `search` and `pairs` of a round on the shipped model, or on an engine in its place."""
    monkeypatch.setattr(journal, "FOLDER", folder / "work")
    if engine:
        monkeypatch.setattr(work, "open_engines", lambda *_: nullcontext({"policy": engine}))
    document = params.profile("smoke")
    document |= {"domain": "text", "text": {}, "prompts": {"family": "text", "chat": "auto"}}
    document["shares"] = dict.fromkeys(document["shares"], 0.0)
    document["psrlm"]["search"] |= searching
    (folder / "params.yaml").write_text(yaml.safe_dump(document))
    files.write(
        folder / "problems", Problem, [Problem(f"p{i}", PROBLEM.replace("cat", f"cat {i}"), "x") for i in range(3)]
    )
    places = {name: folder / name for name in ("problems", "trees", "pairs", "dropped", "stats")}
    for module in (search, pairs):
        where = places | {"policy": Path(SHIPPED), "searched": folder / "stats"}
        stage = Stage(module.__name__.removeprefix("stages."), folder / "params.yaml", "m2", where)
        stage.machine = Machine(inference=Inference(replicas=1, max_num_seqs=8, kv_cache_tokens=4096))
        module.main(stage)
        stage.close()
    return files.read(folder / "trees/trees.parquet", Tree)


def test_a_round_in_words_ends_at_the_marked_answer_and_its_pairs_are_the_judge_s(
    shipped: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trees = round_of(tmp_path, ScriptedEngine(shipped, thinking), monkeypatch)
    assert all(tree.end == "answer" and final.read("\n".join(tree.steps)) in ("good", "fair") for tree in trees)
    kept = files.read(tmp_path / "pairs/train.parquet", Preference)
    words = [tuple(text.split()[2] for text in (pair.chosen, pair.rejected)) for pair in kept]
    assert len(kept) > 3 and set(words) <= {("good", "fair"), ("good", "bad"), ("fair", "bad")}
    assert any(pair.chosen_terminal and "Answer:" in pair.chosen for pair in kept)


def test_a_round_in_words_runs_on_the_shipped_model_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    weighing = params.profile("smoke")["psrlm"]["search"]["judge"] | {"verdict": "logprob", "orders": "both"}
    sampling = {"temperature": 1.2, "top_p": 1.0, "max_tokens": 32}  # what it writes has no sense, but differs
    trees = round_of(tmp_path, None, monkeypatch, width=6, max_steps=3, sampling=sampling, judge=weighing)
    verdicts = [verdict for tree in trees for state in tree.states for verdict in state.verdicts]
    assert verdicts and all(verdict.log_odds is not None for verdict in verdicts)
    kept = files.read(tmp_path / "pairs/train.parquet", Preference)
    assert kept and all(pair.chosen.startswith("Step ") and pair.chosen != pair.rejected for pair in kept)
