"""`psr verify` on a small run: nothing to say of a sound one, and a line that names each of the planted corruptions."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
import yaml
from conftest import judge
from safetensors.torch import load_file, save_file

from pipeline import params
from pipeline.cli import __main__ as psr
from pipeline.cli import verify
from pipeline.core import files
from pipeline.core.errors import PipelineError
from pipeline.core.records import (
    Answered,
    Candidate,
    Dropped,
    JudgedPair,
    Node,
    Preference,
    Problem,
    SampledSolution,
    SampleSet,
    Scoring,
    SearchTree,
    Solution,
    State,
    Tree,
    Verdict,
)
from pipeline.methods import preferences
from pipeline.methods.psrlm import eft, pairs
from pipeline.methods.psrlm.layers import layers, questions
from pipeline.methods.psrlm.settings import Eft, Pairs
from pipeline.methods.srlm.settings import Search as SrlmSearch
from pipeline.methods.srlm.verify import searched
from pipeline.publish import lock

ROOT = Path(__file__).parent.parent
SAMPLING = {"temperature": 1.0, "top_p": 1.0, "max_tokens": 64}
JUDGE = judge().model_dump() | {"sampling": SAMPLING}
SEARCH = {"width": 2, "max_steps": 8, "rollbacks": 1, "sampling": SAMPLING, "judge": JUDGE}
PAIRS = {"min_gap": 1.0, "require_condorcet_winner": False}
ROUND = {"from": "m1", "method": "psrlm"}


def problem(role: str, number: int, split: str = "") -> Problem:
    return Problem(f"{role}-{number}", f"How many keys has {role} {number}?", split)


def state(steps: tuple[str, ...], good: str, bad: str, judgment: str = "[[A]]", **more: Any) -> State:
    """Two candidates judged in both orders; judgment: about (0, 1), the swapped order says the same."""
    other = {"[[A]]": "[[B]]", "[[C]]": "[[C]]"}[judgment]
    verdicts = (Verdict(0, 1, judgment, judgment[2], 3), Verdict(1, 0, other, other[2], 3))
    wins = float(judgment == "[[A]]")
    candidates = (Candidate(good, 1, wins, "step", bool(steps), 5), Candidate(bad, 1, 0.0, "step", False, 5))
    more = more or {"outcome": "step", "best": 0, "worst": 1, "discarded": False}
    return State(steps, candidates, verdicts, **more)


def tree(of: Problem) -> Tree:
    """A first step, a tie that takes it back, then two steps."""
    one, two = "Step 1: 1+1=2.", "Step 2: The answer is \\boxed{2}."
    first = replace(state((), one, "Step 1: 1+1=3."), discarded=True)
    tie = state((one,), two, "Step 2: Hm.", "[[C]]", outcome="tie", best=None, worst=None, discarded=False)
    again = state((), one, "Step 1: 1+1=4.")
    last = state((one,), two, "Step 2: So what.")
    return Tree(of.problem_id, of.prompt, (first, tie, again, last), (one, two), "answer")


def eft_tree(of: Problem) -> SearchTree:
    nodes = [Node(-1, "", 1.0, 2, 0.5, False), Node(0, "Step 1: a", 0.25, 1, 0.25, False)]
    return SearchTree(of.problem_id, of.prompt, (*nodes, Node(0, "Step 1: b", 0.75, 1, 0.75, False)), "searched")


@pytest.fixture
def run(tmp_path: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is a finished run as far as `psr verify` reads it, and the working directory."""
    monkeypatch.chdir(tmp_path)
    roles = {role: [problem(role, n) for n in range(3)] for role in ("ift", "eft", "round-m2", "evaluation")}
    for role, rows in roles.items():
        files.write(Path(f"data/problems/{role}.parquet"), Problem, rows)
    solved = [Solution(p.problem_id, p.prompt, ("Step 1: \\boxed{2}",)) for p in roles["ift"]]
    files.write(Path("data/ift/train.parquet"), Solution, solved)
    searched_eft = [eft_tree(p) for p in roles["eft"]]
    files.write(Path("data/eft_trees/psrlm/trees.parquet"), SearchTree, searched_eft)
    settings = Eft(margin=0.0, pairs_per_problem=9, train_pairs=0, test_pairs=1, ties=0.0)
    judged, _ = questions(layers(searched_eft), settings)
    answers = {q.key: f"So [[{letter}]]" for _, *both in judged for q, letter in zip(both, "AB", strict=True)}
    kept, left_out = eft.judged_pairs(judged, answers)
    train, test, surplus = eft.split(kept, settings, seed=1)
    for name, rows in (("train", train), ("test", test)):
        files.write(Path(f"data/eft/psrlm/{name}.parquet"), JudgedPair, rows)
    files.write(Path("data/dropped/eft-psrlm.parquet"), Dropped, [*left_out, *surplus])
    shutil.copytree(tiny_model, "data/m1/model")
    files.write(Path("data/m2/trees/trees.parquet"), Tree, [tree(p) for p in roles["round-m2"]])
    rows = pairs.preferences(Path("data/m2/trees"), Pairs(**PAIRS), "m2")
    made = preferences.write("pairs", rows, Path("data/m2/pairs"), Path("data/dropped/pairs-m2.parquet"))
    files.write_json(Path("reports/models/m2/pairs.json"), made)
    trees = [tree(p) for p in roles["evaluation"]]
    files.write(Path("data/m1/scale/trees.parquet"), Tree, trees)
    files.write(Path("data/m1/scale/votes.parquet"), Answered, [])
    tokens = {"candidates": 40.0, "judgments": 24.0, "search": 64.0, "greedy": 9.0}
    files.write_json(Path("reports/models/m1/scale.json"), {"tokens": tokens})
    record()
    return tmp_path


Stages = Mapping[str, tuple[list[str], list[str], dict[str, Any]]]  # inputs, outputs, parameters


def record(more: Stages = MappingProxyType({})) -> None:
    """dvc.lock of what lies in the working directory, with the parameters in force. more: stages beside or over those
    of `run`."""
    made: Stages = {
        "problems": ([], ["data/problems"], {}),
        "ift": (["data/problems/ift.parquet"], ["data/ift"], {}),
        "eft_search@psrlm": (["data/problems/eft.parquet"], ["data/eft_trees/psrlm"], {}),
        "eft@psrlm": (["data/eft_trees/psrlm"], ["data/eft/psrlm", "data/dropped/eft-psrlm.parquet"], {}),
        "sft@m1": (["data/ift", "data/eft/psrlm"], ["data/m1/model"], {}),
        "search@m2": (
            ["data/m1/model", "data/problems/round-m2.parquet"],
            ["data/m2/trees"],
            {"psrlm.search": SEARCH, "rounds.m2": ROUND},
        ),
        "pairs@m2": (
            ["data/m2/trees"],
            ["data/m2/pairs", "data/dropped/pairs-m2.parquet", "reports/models/m2/pairs.json"],
            {"psrlm.pairs": PAIRS | {"min_gap": 9.0}, "rounds.m2": ROUND | {"pairs": {"min_gap": 1.0}}},
        ),
        "scale@m1": (
            ["data/problems/evaluation.parquet"],
            ["data/m1/scale", "reports/models/m1/scale.json"],
            {},
        ),
    }
    stages = {
        name: {
            "cmd": name,
            "deps": [{"path": path, "md5": lock.md5(Path(path))} for path in deps],
            "params": {"params.yaml": params},
            "outs": [{"path": path, "md5": lock.md5(Path(path))} for path in outs],
        }
        for name, (deps, outs, params) in {**made, **more}.items()
    }
    Path("dvc.lock").write_text(yaml.safe_dump({"schema": "2.0", "stages": stages}, sort_keys=False))


def faults() -> list[str]:
    return list(verify.capped(verify.faults(lock.Lock(Path("dvc.lock")).stages, Path(".dvc/cache"))))


def rewritten(path: str, kind: Any, change: Callable[[list[Any]], list[Any]]) -> None:
    rows = change(files.read(Path(path), kind))
    files.write(Path(path), kind, rows)


def of_state(index: int, **values: Any) -> Callable[[list[Tree]], list[Tree]]:
    """The trees with values of one state of the second tree changed."""

    def change(trees: list[Tree]) -> list[Tree]:
        states = list(trees[1].states)
        states[index] = replace(states[index], **values)
        return [trees[0], replace(trees[1], states=tuple(states)), *trees[2:]]

    return change


def flipped(path: str) -> None:
    data = bytearray(Path(path).read_bytes())
    data[len(data) // 3] ^= 255
    Path(path).write_bytes(data)


def weights(change: Callable[[dict[str, Any]], object], model: Path = Path("data/m1/model")) -> None:
    path = model / "model.safetensors"
    tensors = load_file(path)
    change(tensors)
    save_file(tensors, path, metadata={"format": "pt"})


def other_type(path: str, column: str, kind: pa.DataType) -> None:
    table = pq.read_table(path)
    at = table.schema.get_field_index(column)
    pq.write_table(table.set_column(at, column, table[column].cast(kind)), path)


def not_utf8(path: str, column: str) -> None:
    table = pq.read_table(path)
    texts = pa.array([b"\xff\xfe"] * len(table), pa.binary()).view(pa.string())
    pq.write_table(table.set_column(table.schema.get_field_index(column), table.schema.field(column), texts), path)


PAIRS_FILE, DROPS, TREES = "data/m2/pairs/train.parquet", "data/dropped/pairs-m2.parquet", "data/m2/trees/trees.parquet"
SEARCHED, EFT = "data/m2/trees/trees.parquet", "data/eft/psrlm/train.parquet"
WRONG = Verdict(0, 1, "[[A]]", "B", 3)
ODD = Candidate("Step 1: 1+1=2.", 1, 3.0, "step", False, 5)

# What is planted, whether dvc.lock is written after it (a stage wrote it so), and the line that must name it.
CORRUPTIONS: dict[str, tuple[Callable[[], object], bool, str]] = {
    "an output is gone": (lambda: shutil.rmtree("data/ift"), False, "data/ift: is missing; `dvc repro` makes it again"),
    "statistics were edited": (
        lambda: Path("reports/models/m1/scale.json").write_text('{"tokens": {"candidates": 40.0, "judgments": 24.0}}'),
        False,
        "reports/models/m1/scale.json: is not what dvc.lock recorded",
    ),
    "a file too many": (
        lambda: shutil.copy(PAIRS_FILE, "data/m2/pairs/more.parquet"),
        False,
        "data/m2/pairs: is not what dvc.lock recorded",
    ),
    "one flipped byte": (lambda: flipped(PAIRS_FILE), False, "data/m2/pairs: is not what dvc.lock recorded"),
    "a torn file": (
        lambda: Path(TREES).write_bytes(Path(TREES).read_bytes()[:-100]),
        True,
        f"{TREES}: is no readable Parquet file",
    ),
    "a text that is no text": (
        lambda: not_utf8(PAIRS_FILE, "chosen"),
        True,
        f"{PAIRS_FILE}: is no readable Parquet file (",
    ),
    "a column of another type": (
        lambda: other_type(PAIRS_FILE, "chosen_score", pa.float32()),
        True,
        f"{PAIRS_FILE}: column 'chosen_score' is float, a Preference has double",
    ),
    "another text in a pair": (
        lambda: rewritten(PAIRS_FILE, Preference, lambda r: [r[0], replace(r[1], chosen="Step 2: no"), *r[2:]]),
        True,
        f"{PAIRS_FILE}: row 1 (round-m2-0/2): chosen differ from what its search makes",
    ),
    "a pair of a problem that was not searched": (
        lambda: rewritten(PAIRS_FILE, Preference, lambda r: [replace(r[0], problem_id="x", prompt="y"), *r[1:]]),
        True,
        f"{PAIRS_FILE}: row 0 (x): its problem is none of the stage's inputs",
    ),
    "a pair too few": (
        lambda: rewritten(PAIRS_FILE, Preference, lambda r: r[:2] + r[3:]),
        True,
        f"{PAIRS_FILE}: round-m2-1/1: its row is missing",
    ),
    "a pair twice": (
        lambda: rewritten(PAIRS_FILE, Preference, lambda r: [*r, r[-1]]),
        True,
        f"{PAIRS_FILE}: row 6 (round-m2-2/2): no state of its search makes this row here",
    ),
    "a drop without its row": (
        lambda: rewritten(DROPS, Dropped, lambda r: r[1:]),
        True,
        f"{DROPS}: round-m2-0/0: its row is missing",
    ),
    "a drop for another reason": (
        lambda: rewritten(DROPS, Dropped, lambda r: [replace(r[0], reason="gap"), *r[1:]]),
        True,
        f"{DROPS}: row 0 (round-m2-0/0): reason differ",
    ),
    "a verdict that its words do not say": (
        lambda: rewritten(SEARCHED, Tree, of_state(2, verdicts=(WRONG, Verdict(1, 0, "[[B]]", "B", 3)))),
        True,
        f"{SEARCHED}: row 1 (round-m2-1), state 2: verdict 0 is B, its words say A",
    ),
    "a score that its verdicts do not make": (
        lambda: rewritten(SEARCHED, Tree, of_state(2, candidates=(ODD, replace(ODD, text="Step 1: 1", score=0.0)))),
        True,
        f"{SEARCHED}: row 1 (round-m2-1), state 2: candidate 0 has score 3, its verdicts make 1",
    ),
    "a rollback that is not marked": (
        lambda: rewritten(SEARCHED, Tree, of_state(0, discarded=False)),
        True,
        f"{SEARCHED}: row 1 (round-m2-1), state 0: discarded is False, its rollbacks say True",
    ),
    "steps of another state": (
        lambda: rewritten(SEARCHED, Tree, of_state(3, steps=("Step 1: else",))),
        True,
        f"{SEARCHED}: row 1 (round-m2-1), state 3: its steps are not those of the states before it",
    ),
    "another prompt in a tree": (
        lambda: rewritten(SEARCHED, Tree, lambda r: [replace(r[0], prompt="What?"), *r[1:]]),
        True,
        f"{SEARCHED}: row 0 (round-m2-0): its prompt is not that of this problem in the stage's inputs",
    ),
    "an EFT candidate that no tree has": (
        lambda: rewritten(EFT, JudgedPair, lambda r: [replace(r[0], b="Step 1: c"), *r[1:]]),
        True,
        f"{EFT}: row 0 (",
    ),
    "an evaluation problem in training, by id": (
        lambda: rewritten("data/problems/ift.parquet", Problem, lambda r: [*r, problem("evaluation", 0)]),
        True,
        "data/problems/ift.parquet: row 3 (evaluation-0): is a problem of data/problems/evaluation.parquet",
    ),
    "an evaluation problem in training, by text": (
        lambda: rewritten(
            "data/problems/ift.parquet",
            Problem,
            lambda r: [*r, replace(problem("ift", 9), prompt="how many  keys has evaluation 2?")],
        ),
        True,
        "data/problems/ift.parquet: row 3 (ift-9): has the text of evaluation-2 in data/problems/evaluation.parquet",
    ),
    "tokens that do not add up": (
        lambda: files.write_json(
            Path("reports/models/m1/scale.json"), {"tokens": {"candidates": 41.0, "judgments": 24.0, "search": 64.0}}
        ),
        True,
        "reports/models/m1/scale.json: tokens.candidates is 41.0, its rows make 40.0",
    ),
    "pairs that are counted wrongly": (
        lambda: files.write_json(
            Path("reports/models/m2/pairs.json"), files.read_json(Path("reports/models/m2/pairs.json")) | {"pairs": 7}
        ),
        True,
        "reports/models/m2/pairs.json: pairs is 7, its rows make 6",
    ),
    "a weight that is not finite": (
        lambda: weights(lambda tensors: tensors["model.norm.weight"].__setitem__(3, torch.nan)),
        True,
        "data/m1/model/model.safetensors: model.norm.weight: 1 of 32 values are not finite",
    ),
    "a tensor that is gone": (
        lambda: weights(lambda tensors: tensors.pop("model.norm.weight")),
        True,
        "data/m1/model: model.norm.weight: no file has this tensor",
    ),
    "torn weights": (
        lambda: Path("data/m1/model/model.safetensors").write_bytes(b"\x10" * 99),
        True,
        "data/m1/model/model.safetensors: cannot be read",
    ),
}


def test_a_sound_run_has_no_faults(run: Path) -> None:
    assert faults() == []


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_a_planted_corruption_is_named_by_a_line_with_file_and_row(name: str, run: Path) -> None:
    plant, recorded, line = CORRUPTIONS[name]
    plant()
    if recorded:
        record()
    lines = faults()
    assert any(one.startswith(line) for one in lines), lines
    assert all("\n" not in one for one in lines) and len(lines) <= 5, lines


def test_a_file_inside_a_folder_is_named_with_what_brings_it_back(run: Path) -> None:
    (out,) = [o for o in lock.Lock(Path("dvc.lock")).stages["pairs@m2"]["outs"] if o["path"] == "data/m2/pairs"]
    cache = Path(".dvc/cache/files/md5")
    listing, kept = (cache / md5[:2] / md5[2:] for md5 in (out["md5"], lock.md5(Path(PAIRS_FILE))))
    listing.parent.mkdir(parents=True)
    kept.parent.mkdir(parents=True, exist_ok=True)
    listed = [{"md5": lock.md5(Path(PAIRS_FILE)), "relpath": "train.parquet"}]
    listing.write_text(json.dumps(listed, sort_keys=True))
    kept.hardlink_to(PAIRS_FILE)
    flipped(PAIRS_FILE)
    (line,) = [one for one in faults() if "dvc.lock" in one]
    assert line == (
        f"{PAIRS_FILE}: is not what dvc.lock recorded; DVC's {kept} is damaged too: remove both, then `dvc repro` "
        "makes it again"
    )
    flipped(PAIRS_FILE)  # back again
    Path(PAIRS_FILE).rename("data/m2/pairs/other.parquet")
    assert f"{PAIRS_FILE}: is missing; `dvc checkout --force` brings it back" in faults()
    assert "data/m2/pairs/other.parquet: is no file of the output that dvc.lock recorded; remove it" in faults()


def test_scores_of_whole_solutions_are_recounted(tmp_path: Path) -> None:
    settings = SrlmSearch(samples=2, sampling=SAMPLING, scorer={"samples": 1, "sampling": SAMPLING})
    good = SampledSolution("a", 1, "answer", (Scoring("Score: 4", 4),), 4.0)
    bad = SampledSolution("b", 1, "answer", (Scoring("Score: 1", 3),), 2.0)
    rows = [SampleSet("p", "q", (good, replace(good, text="c"))), SampleSet("r", "q", (good, bad, bad))]
    files.write(tmp_path / "solutions.parquet", SampleSet, rows)
    assert list(searched(tmp_path, settings)) == [
        ("row 1 (r)", "its solutions have 3 votes, 2 were sampled"),
        *(("row 1 (r), solution " + n, what) for n in "12" for what in (
            "scoring 0 is 3, its words say 1", "its score is 2.0, its scorings make 3.0"
        )),
    ]  # fmt: skip


def test_psr_verify_reads_the_stages_of_the_graph_alone(
    run: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copy(ROOT / "dvc.yaml", run)
    (run / ".dvc").mkdir()
    (run / "params.yaml").write_text(params.text("smoke"))
    files.write_json(run / "code.json", {})
    document = yaml.safe_load((run / "dvc.lock").read_text())
    document["stages"]["pairs@gone"] = {"cmd": "gone", "outs": [{"path": "data/gone/pairs", "md5": "0" * 32}]}
    (run / "dvc.lock").write_text(yaml.safe_dump(document))
    monkeypatch.setattr(sys, "argv", ["psr", "verify"])
    capsys.readouterr()
    psr.main()
    assert "dvc.lock: 12 outputs of 8 stages are what it says" in capsys.readouterr().out
    Path("data/ift/train.parquet").unlink()
    with pytest.raises(SystemExit, match="1"):
        psr.main()
    assert capsys.readouterr().err.startswith("error: data/ift: is not what dvc.lock recorded")


@pytest.mark.parametrize(
    "text",
    ["<<<<<<< HEAD\nstages: {}\n", "stages:\n  a: [", "[]", "", "stages: 7", "stages: {a: {outs: [{path: x}]}}", "\0"],
)
def test_a_lock_file_that_is_none_is_one_line(text: str, tmp_path: Path) -> None:
    (tmp_path / "dvc.lock").write_text(text)
    with pytest.raises(PipelineError, match=r"dvc\.lock: is no lock file of DVC .*; take it from git again") as caught:
        lock.Lock(tmp_path / "dvc.lock")
    assert "\n" not in str(caught.value)
