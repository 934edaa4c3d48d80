"""`psr verify` on corruptions that dvc.lock records too: rows, statistics, trees, models that do not fit together."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
import yaml
from test_verify import (
    EFT,
    PAIRS_FILE,
    ROUND,
    SEARCH,
    SEARCHED,
    faults,
    of_state,
    problem,
    record,
    rewritten,
    run,
    weights,
)

from pipeline.cli.verify import rows as verify_rows
from pipeline.core import columns, files
from pipeline.core.records import (
    Answered,
    Candidate,
    Dropped,
    JudgedPair,
    LabelledSolution,
    Preference,
    Problem,
    SearchTree,
    Solution,
    Tree,
)
from pipeline.data import ift, labels
from pipeline.data.rollouts import RolloutStep
from pipeline.evaluation import evaluate
from pipeline.methods.psrlm import eft, measure, search
from pipeline.methods.srlm.measure import Estimate

__all__ = ["run"]
MODEL, IFT, STEPS = Path("data/m2/model"), "data/ift/train.parquet", "data/prm/steps/train.parquet"
ANSWERS, EFT_TREES = "data/m1/evaluation/answers.parquet", "data/eft_trees/psrlm/trees.parquet"
ROUND_PROBLEMS, JUDGMENTS = "data/problems/round-m2.parquet", "data/m1/judgments-psrlm/judgments.parquet"
STATS = {
    name: Path(f"reports/{path}.json")
    for name, path in {
        "problems": "data/problems", "ift": "data/ift", "prm": "data/prm_data", "eft": "data/eft-psrlm",
        "search": "models/m2/search", "evaluation": "models/m1/evaluation", "judge": "models/m1/judge-psrlm",
        "dpo": "models/m2/dpo",
    }.items()
}  # fmt: skip


def stages(models: bool = True) -> dict[str, tuple[list[str], list[str], dict[str, Any]]]:
    """The stages whose statistics are written here; models: those that train, too, which take seconds to read."""
    of, drops = {name: str(path) for name, path in STATS.items()}, "data/dropped"
    judges = {"judges.m1": {"model": "m1", "method": "psrlm", "shots": 0}}
    searched = {"psrlm.search": SEARCH, "rounds.m2": ROUND}
    trained = (["data/m1/model", "data/m2/pairs"], [str(MODEL), f"{drops}/train-m2.parquet", of["dpo"]], {})
    return ({"dpo@m2": trained} if models else {"sft@m1": ([], [], {})}) | {
        "problems": ([], ["data/problems", of["problems"]], {"variants": {}}),
        "ift": (["data/problems/ift.parquet"], ["data/ift", f"{drops}/ift.parquet", of["ift"]], {}),
        "prm_data": (
            ["data/problems/prm.parquet"], ["data/prm/steps", f"{drops}/prm_data.parquet", of["prm"]], {},
        ),
        "eft@psrlm": (
            ["data/eft_trees/psrlm"], ["data/eft/psrlm", f"{drops}/eft-psrlm.parquet", of["eft"]], {},
        ),
        "search@m2": (
            ["data/m1/model", "data/problems/round-m2.parquet"], ["data/m2/trees", of["search"]], searched,
        ),
        "evaluate@m1": (
            ["data/m1/model", "data/problems/evaluation.parquet"], ["data/m1/evaluation", of["evaluation"]], {},
        ),
        "judge_eval@m1": (
            ["data/m1/model", "data/eft/psrlm"], ["data/m1/judgments-psrlm", of["judge"]], judges,
        ),
    }  # fmt: skip


def labelled(number: int) -> LabelledSolution:
    return LabelledSolution(f"prm-{number}", problem("prm", number).prompt, ("Step 1: a", "Step 2: b"), (True, False))


@pytest.fixture
def whole(run: Path, tiny_model: Path) -> Path:
    """The small run with the statistics of its stages, labelled steps, answers, judgments and a trained model."""
    files.write(Path("data/problems/prm.parquet"), Problem, [problem("prm", n) for n in range(3)])
    roles = {path.stem: files.read(path, Problem) for path in Path("data/problems").iterdir()}
    kept = {role: {"rows": len(rows), "content": files.content(rows)} for role, rows in roles.items()}
    files.write_json(STATS["problems"], kept)
    gone = [Dropped("ift", "ift-9", "altered", "x")]
    files.write(Path("data/dropped/ift.parquet"), Dropped, gone)
    files.write_json(STATS["ift"], ift.statistics(files.read(Path(IFT), Solution), gone))
    steps = [labelled(number) for number in range(3)]
    for name, part in (("train", steps[:2]), ("test", steps[2:])):
        files.write(Path(f"data/prm/steps/{name}.parquet"), LabelledSolution, part)
    files.write(Path("data/dropped/prm_data.parquet"), Dropped, [])
    files.write_json(STATS["prm"], labels.statistics(roles["prm"], steps, []))
    judged = [files.read(Path(f"data/eft/psrlm/{name}.parquet"), JudgedPair) for name in ("train", "test")]
    left_out = files.read(Path("data/dropped/eft-psrlm.parquet"), Dropped)
    files.write_json(STATS["eft"], eft.statistics(3, *judged, left_out))
    files.write_json(STATS["search"], search.statistics(files.read(Path(SEARCHED), Tree)))
    answers = [
        Answered(p.problem_id, p.split, p.prompt, ("Step 1: \\boxed{2}",), "answer", "2", "2", grade, 5)
        for p, grade in zip(roles["evaluation"], ("right", "wrong", "right"), strict=True)
    ]
    for name, part in (("answers", answers), ("samples", [])):
        files.write(Path(f"data/m1/evaluation/{name}.parquet"), Answered, part)
    files.write_json(STATS["evaluation"], evaluate.accuracy(answers))
    row = judged[1][0]
    said = measure.Weighed(row.pair_id, row.winner, "A", "B", "[[A]]", "[[B]]", 1.0, -1.0)
    files.write(Path(JUDGMENTS), measure.Weighed, [said])
    files.write_json(STATS["judge"], {"shots": 0, **measure.quality([said])})
    shutil.copytree(tiny_model, MODEL)
    files.write(Path("data/dropped/train-m2.parquet"), Dropped, [Dropped("dpo", "x/1", "too_long", "")])
    files.write_json(STATS["dpo"], {"dropped": 1, "pairs": 6})
    record(stages())
    return run


def of_tree(**values: Any) -> Callable[[list[Any]], list[Any]]:
    """The rows with values of the first one changed."""
    return lambda rows: [replace(rows[0], **values), *rows[1:]]


def gone(rows: list[Any]) -> list[Any]:
    return rows[1:]


def twice(rows: list[Any]) -> list[Any]:
    return [*rows, rows[0]]


def turned(rows: list[JudgedPair]) -> list[JudgedPair]:
    """The first pair in its other order, with a judgment that fits."""
    one = rows[0]
    other = "B" if one.winner == "A" else "A"
    swapped = replace(one, a=one.b, b=one.a, score_a=one.score_b, score_b=one.score_a, winner=other)
    return [replace(swapped, judgment=f"So [[{other}]]"), *rows[1:]]


def of_node(number: int, **values: Any) -> Callable[[list[SearchTree]], list[SearchTree]]:
    def change(trees: list[SearchTree]) -> list[SearchTree]:
        nodes = list(trees[0].nodes)
        nodes[number] = replace(nodes[number], **values)
        return [replace(trees[0], nodes=tuple(nodes)), *trees[1:]]

    return change


def candidates(**values: Any) -> Callable[[list[Tree]], list[Tree]]:
    """The trees with values of the best candidate of a state changed."""
    best = Candidate("Step 1: 1+1=2.", 1, 1.0, "step", False, 5)
    return of_state(2, candidates=(replace(best, **values), Candidate("Step 1: 1+1=4.", 1, 0.0, "step", False, 5)))


def counted(name: str, **values: Any) -> None:
    files.write_json(STATS[name], files.read_json(STATS[name]) | values)


def prompt(text: str) -> Callable[[], None]:
    """A training problem with another prompt."""
    return lambda: rewritten(
        "data/problems/ift.parquet", Problem, lambda r: [*r, replace(problem("ift", 9), prompt=text)]
    )


def of_model(name: str, change: Callable[[bytes], bytes]) -> Callable[[], object]:
    return lambda: (MODEL / name).write_bytes(change((MODEL / name).read_bytes()))


def another_model() -> None:
    config = json.loads((MODEL / "config.json").read_text())
    (MODEL / "config.json").write_text(json.dumps(config | {"intermediate_size": 8}))

    def narrower(tensors: dict[str, Any]) -> None:
        for name, tensor in tensors.items():
            if ".mlp." in name:
                tensors[name] = (tensor[:, :8] if "down" in name else tensor[:8]).contiguous()

    weights(narrower, MODEL)


def more_columns() -> None:
    table = pq.read_table(PAIRS_FILE)
    pq.write_table(table.append_column("more", pa.array([1] * len(table))), PAIRS_FILE)


ROW_OF_TREES = f"{SEARCHED}: row 1 (round-m2-1), state 2: "
# What is planted, and the line that must name it; dvc.lock is written after it.
CORRUPTIONS: dict[str, tuple[Callable[[], object], str]] = {
    "chosen and rejected swapped": (
        lambda: rewritten(
            PAIRS_FILE, Preference, lambda r: [replace(r[0], chosen=r[0].rejected, rejected=r[0].chosen), *r[1:]]
        ),
        f"{PAIRS_FILE}: row 0 (round-m2-0/1): chosen, rejected differ",
    ),
    "another iteration": (
        lambda: rewritten(PAIRS_FILE, Preference, of_tree(iteration="m3")),
        f"{PAIRS_FILE}: row 0 (round-m2-0/1): iteration differ",
    ),
    "a score that is no number": (
        lambda: rewritten(PAIRS_FILE, Preference, of_tree(chosen_score=float("nan"))),
        f"{PAIRS_FILE}: chosen_score: 1 numbers are not finite",
    ),
    "a column too many": (more_columns, f"{PAIRS_FILE}: columns "),
    "fewer labels than steps": (
        lambda: rewritten(STEPS, LabelledSolution, of_tree(labels=(True,))),
        f"{STEPS}: row 0 (prm-0): has 2 steps and 1 labels",
    ),
    "no steps at all": (
        lambda: rewritten(STEPS, LabelledSolution, of_tree(completions=(), labels=())),
        f"{STEPS}: row 0 (prm-0): has 0 steps and 0 labels",
    ),
    "a label that was turned": (
        lambda: rewritten(STEPS, LabelledSolution, of_tree(labels=(False, False))),
        f"{STATS['prm']}: content is ",
    ),
    "steps without their markers": (
        lambda: rewritten(IFT, Solution, of_tree(steps=("One.", "Two."))),
        f"{IFT}: row 0 (ift-0): its steps are not `Step 1: ` and so on",
    ),
    "a solution twice": (
        lambda: rewritten(IFT, Solution, twice),
        f"{IFT}: row 3 (ift-0): has the problem_id of row 0",
    ),
    "a solution that is gone": (
        lambda: rewritten(IFT, Solution, gone),
        f"{STATS['ift']}: problems is 4, its rows make 3",
    ),
    "a solution of another problem": (
        lambda: rewritten(IFT, Solution, of_tree(problem_id="x", prompt="y")),
        f"{IFT}: row 0 (x): its problem is none of the stage's inputs",
    ),
    "a drop of the IFT data that is gone": (
        lambda: rewritten("data/dropped/ift.parquet", Dropped, gone),
        f"{STATS['ift']}: problems is 4, its rows make 3",
    ),
    "an EFT row that is gone": (lambda: rewritten(EFT, JudgedPair, gone), f"{STATS['eft']}: content is "),
    "an EFT row twice": (lambda: rewritten(EFT, JudgedPair, twice), f"{EFT}: row 4 ("),
    "an EFT row in its other order": (lambda: rewritten(EFT, JudgedPair, turned), f"{STATS['eft']}: content is "),
    "a drop of the EFT data without its row": (
        lambda: counted("eft", dropped={"tie": 1}),
        f"{STATS['eft']}: dropped.tie is 1, its rows make None",
    ),
    "a node of no tree": (
        lambda: rewritten(EFT_TREES, SearchTree, of_node(2, parent=7)),
        f"{EFT_TREES}: row 0 (eft-0): a node's parent is not one of the nodes before it",
    ),
    "a node that is its own parent": (
        lambda: rewritten(EFT_TREES, SearchTree, of_node(2, parent=2)),
        f"{EFT_TREES}: row 0 (eft-0): a node's parent is not one of the nodes before it",
    ),
    "a P(+) above 1": (
        lambda: rewritten(EFT_TREES, SearchTree, of_node(1, score=1.5)),
        f"{EFT_TREES}: row 0 (eft-0), node 1: P(+) 1.5 or value 0.25 is no probability",
    ),
    "visits that do not add up": (
        lambda: rewritten(EFT_TREES, SearchTree, of_node(1, visits=2)),
        f"{EFT_TREES}: row 0 (eft-0), node 0: it has 2 visits, its children 3",
    ),
    "other votes": (
        lambda: rewritten(SEARCHED, Tree, candidates(votes=4)),
        f"{ROW_OF_TREES}its candidates have 5 votes, 2 were sampled",
    ),
    "a token too many": (
        lambda: rewritten(SEARCHED, Tree, candidates(tokens=6)),
        f"{STATS['search']}: sampled_tokens is 192, its rows make 193",
    ),
    "a best candidate that is none": (
        lambda: rewritten(SEARCHED, Tree, of_state(2, best=9)),
        f"{ROW_OF_TREES}its best or worst is no usable candidate",
    ),
    "a grade that was turned": (
        lambda: rewritten(ANSWERS, Answered, of_tree(grade="wrong")),
        f"{STATS['evaluation']}: .accuracy is ",
    ),
    "an answer that is gone": (lambda: rewritten(ANSWERS, Answered, gone), f"{STATS['evaluation']}: .problems is 3"),
    "a judgment that was turned": (
        lambda: rewritten(JUDGMENTS, measure.Weighed, of_tree(straight="B")),
        f"{STATS['judge']}: ",
    ),
    "a gold answer in a round": (
        lambda: rewritten(ROUND_PROBLEMS, Problem, of_tree(answer="2")),
        f"{ROUND_PROBLEMS}: row 0 (round-m2-0): has its answer, which no round may see",
    ),
    "a problem twice": (
        lambda: rewritten(ROUND_PROBLEMS, Problem, twice),
        f"{ROUND_PROBLEMS}: row 3 (round-m2-0): has the problem_id of row 0",
    ),
    "an evaluation problem with unseen characters": (
        prompt("How many\u200b keys has\u00a0evaluation 2?"),
        "data/problems/ift.parquet: row 3 (ift-9): has the text of evaluation-2",
    ),
    "an evaluation problem in wide letters": (
        prompt("Ｈｏｗ many keys has evaluation ２ ？"),
        "data/problems/ift.parquet: row 3 (ift-9): has the text of evaluation-2",
    ),
    "an evaluation problem without its marks": (
        prompt("HOW MANY KEYS HAS\nEVALUATION 2"),
        "data/problems/ift.parquet: row 3 (ift-9): has the text of evaluation-2",
    ),
    "rows of a role": (
        lambda: counted("problems", eft={"rows": 9}),
        f"{STATS['problems']}: eft.rows is 9, its rows make 3",
    ),
    "rows that a training left out": (
        lambda: counted("dpo", dropped=0),
        f"{STATS['dpo']}: dropped is 0, its rows make 1",
    ),
    "statistics that are no JSON": (
        lambda: STATS["ift"].write_text('{"kept": 3'),
        f"{STATS['ift']}: line 1: not JSON",
    ),
    "statistics that are a list": (lambda: STATS["ift"].write_text("[]"), f"{STATS['ift']}: holds no statistics"),
    "statistics that are no text": (lambda: STATS["ift"].write_bytes(b"\xff"), f"{STATS['ift']}: is no UTF-8"),
    "no tokenizer": (lambda: (MODEL / "tokenizer.json").unlink(), f"{MODEL}/tokenizer: cannot be loaded"),
    "half a tokenizer": (of_model("tokenizer.json", lambda b: b[:99]), f"{MODEL}/tokenizer: cannot be loaded"),
    "a configuration of another kind": (
        of_model("config.json", lambda b: b"[1]"),
        f"{MODEL}/config.json: cannot be loaded",
    ),
    "half the weights": (
        of_model("model.safetensors", lambda b: b[: len(b) // 2]),
        f"{MODEL}/model.safetensors: cannot be read",
    ),
    "no weights": (lambda: (MODEL / "model.safetensors").unlink(), f"{MODEL}: has no weights (*.safetensors)"),
    "a torn index": (
        lambda: (MODEL / "model.safetensors.index.json").write_text('{"weight'),
        f"{MODEL}/model.safetensors.index.json: cannot be loaded",
    ),
    "a tensor too many": (
        lambda: weights(lambda t: t.__setitem__("more", torch.ones(2)), MODEL),
        f"{MODEL}: more: is no tensor of the model that config.json says",
    ),
    "another model": (another_model, f"{MODEL}: has another intermediate_size than data/m1/model"),
}


def test_a_sound_run_with_its_statistics_has_no_faults(whole: Path) -> None:
    assert faults() == []


def test_tables_are_read_whole_once_and_statistics_once(whole: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tables, statistics = list[Any](), Counter[Path]()

    def batches(file: Any, names: Any = None, size: int = 4096, read: Any = columns.batches) -> Any:
        if names is None:
            tables.append(file)
        return read(file, names, size)

    def read_json(path: Path, read: Any = files.read_json) -> Any:
        statistics[path] += 1
        return read(path)

    monkeypatch.setattr(columns, "batches", batches)
    monkeypatch.setattr(files, "read_json", read_json)
    assert faults() == []
    assert len(tables) == len(list(Path("data").rglob("*.parquet"))) > 10
    assert {*STATS.values()} <= statistics.keys() and {*statistics.values()} == {1}


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_what_was_recorded_is_named_all_the_same(name: str, whole: Path) -> None:
    plant, line = CORRUPTIONS[name]
    plant()
    record(stages(models=str(MODEL) in line or str(STATS["dpo"]) in line))
    lines = faults()
    assert any(one.startswith(line) for one in lines), lines
    assert all("\n" not in one for one in lines) and len(lines) <= 8, lines


def test_a_model_that_was_trained_from_another_version_is_named(whole: Path) -> None:
    document = yaml.safe_load(Path("dvc.lock").read_text())
    document["stages"]["dpo@m2"]["deps"][0]["md5"] = "0" * 32 + ".dir"
    Path("dvc.lock").write_text(yaml.safe_dump(document))
    assert faults() == ["data/m1/model: dpo@m2 was made from another version of it; `dvc repro dpo@m2` makes it anew"]


@pytest.mark.parametrize("kind", [Estimate, RolloutStep])
def test_tables_of_every_stage_are_known(kind: Any, tmp_path: Path) -> None:
    files.write(tmp_path / "rows.parquet", kind, [])
    assert not list(verify_rows.faults(tmp_path / "rows.parquet", [], set()))
