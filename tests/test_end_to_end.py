"""The smoke profile through real DVC, vLLM and TRL in an empty clone, as a new user would run it."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import documents
import polars as pl
import pytest
import yaml

ROOT = Path(__file__).parent.parent
CLONED = (
    ".dvc",
    ".gitignore",
    "ablations.yaml",
    "data/sources",
    "diagnostics",
    "dvc.yaml",
    "extensions",
    "machine.yaml",
    "pipeline",
    "prompts",
    "publish",
    "stages",
)
MINUTES = 12  # that a command may take; the longest, `dvc repro`, takes four on two quiet cores
PSR = 'psr() { python -m pipeline.cli "$@"; }\n'
pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1500)]


def copy(folder: Path) -> Path:
    """What git tracks here, in a repository of its own."""
    files = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout
    for name in filter(None, files.decode().split("\0")):
        if name.startswith(CLONED) and (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes((ROOT / name).read_bytes())
    machine = folder / "machine.yaml"  # one core: the other runs other tests, and a second engine would not pay
    text = machine.read_text().replace("replicas: 0", "replicas: 1")
    machine.write_text(text.replace("threads: 2", "threads: 1"))
    call(folder, "git", "init", "-q")
    return folder


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clone of what git tracks here, after `psr profile smoke` and `dvc repro`."""
    folder = copy(tmp_path_factory.mktemp("clone"))
    call(folder, sys.executable, "-m", "pipeline.cli", "profile", "smoke")
    call(folder, "dvc", "repro")
    return folder


def call(folder: Path, *command: str, fails: bool = False) -> str:
    """What a command says; into a file, since DVC's queue workers would keep a pipe open after the command's end."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "DVC_NO_ANALYTICS": "1", "GIT_CONFIG_COUNT": "2"}
    for index, key in enumerate(("name", "email")):
        environment |= {f"GIT_CONFIG_KEY_{index}": f"user.{key}", f"GIT_CONFIG_VALUE_{index}": "test"}
    with tempfile.TemporaryFile("w+") as output:
        process = subprocess.Popen(
            command, cwd=folder, env=environment, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
        )
        try:
            code = process.wait(60 * MINUTES)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            code = None
        output.seek(0)
        printed = output.read()
    assert code is not None, f"{command}: no end after {MINUTES} minutes\n{printed[-8000:]}"
    assert (code != 0) == fails, f"{command}: exit code {code}\n{printed[-8000:]}"
    return printed


def end_queue(folder: Path, start: str) -> None:
    """Wait for DVC's queued experiments, then end its workers: these at times end before their work or never."""
    workers = folder / ".dvc/tmp/exps/celery"
    deadline = time.monotonic() + 60 * MINUTES
    idle = 0
    while re.search(r"Queued|Running", printed := call(folder, "dvc", "queue", "status")):
        if time.monotonic() > deadline:
            logs = "\n".join(path.read_text()[-2000:] for path in workers.glob("*.out"))
            pytest.fail(f"experiments after {MINUTES} minutes:\n{printed}\n{logs}")
        idle = 0 if "Running" in printed else idle + 1
        if idle == 10:
            call(folder, *start.split())
        time.sleep(4)
    assert "Failed" not in printed, printed
    for path in workers.glob("dvc-exp-worker-*.pid"):
        with contextlib.suppress(ProcessLookupError):  # which says that it is gone
            os.kill(int(path.read_text()), signal.SIGTERM)
            while time.monotonic() < deadline:
                os.kill(int(path.read_text()), 0)
                time.sleep(0.1)


def changed(folder: Path) -> set[str]:
    """The stages that are out of date."""
    return set(json.loads(call(folder, "dvc", "status", "--json", "dvc.yaml")))


def rows(path: Path) -> list[dict]:
    return pl.read_parquet(path).to_dicts()


def test_every_model_is_in_the_report_with_accuracy_judge_and_steps(clone: Path) -> None:
    metrics = json.loads((clone / "reports/metrics.json").read_text())
    assert list(metrics) == ["m0", "m1", "m2"]
    for stats in metrics.values():
        assert stats["evaluation"]["pooled"]["problems"] == 60
        assert {"accuracy", "accuracy_se", "answered", "steps"} <= set(stats["evaluation"]["pooled"])
        assert {"judge_accuracy", "consistency"} <= set(stats["judge-psrlm"])
    assert metrics["m0"]["judge-psrlm"]["shots"] == 3
    assert "delta_pooled" in metrics["m2"]["delta"]
    table = (clone / "reports/table.md").read_text()
    assert all(f"| {model} |" in table for model in metrics) and "7B PSRLM" in table
    assert "<svg" in (clone / "reports/accuracy.svg").read_text()


def test_the_report_shows_the_run_and_a_template_alone_reruns_nothing_else(clone: Path) -> None:
    page = (clone / "reports/index.html").read_text()
    stages = yaml.safe_load((clone / "dvc.lock").read_text())["stages"]
    assert all(f">{stage}<" in page for stage in stages if stage != "report")
    assert json.loads((clone / "reports/models/m2/verdicts.json").read_text())["judge"] == "m1"
    ledger = pl.read_csv(clone / "reports/ledger.csv")
    dropped = pl.read_parquet(clone / "data/dropped/pairs-m2.parquet")
    assert ledger.filter(stage="pairs", of="m2")["count"].sum() == len(dropped)
    touched = [clone / name for name in ("pipeline/report/template.html", "code.json", "dvc.lock")]
    before = [file.read_text() for file in touched]
    touched[0].write_text(before[0].replace("<h1>", "<h1>Our "))
    assert changed(clone) == {"fingerprint"}
    call(clone, "dvc", "repro", "fingerprint")
    assert changed(clone) == {"report"}
    for file, text in zip(touched, before, strict=True):
        file.write_text(text)


def test_no_row_is_lost_between_trees_and_pairs(clone: Path) -> None:
    states = [state for tree in rows(clone / "data/m2/trees/trees.parquet") for state in tree["states"]]
    kept, dropped = (rows(clone / f"data/{name}.parquet") for name in ("m2/pairs/train", "dropped/pairs-m2"))
    assert len(kept) + len(dropped) == len(states) and kept
    layers = json.loads((clone / "reports/data/eft-psrlm.json").read_text())["layers"]
    places = ("eft/psrlm/train", "eft/psrlm/test", "dropped/eft-psrlm")
    train, test, left = (rows(clone / f"data/{name}.parquet") for name in places)
    assert len(train) // 2 + len(test) + len(left) == layers
    assert all(row["reason"] for row in dropped + left)


def test_rounds_see_no_answer_and_share_no_prompt_with_evaluation(clone: Path) -> None:
    held_out = {row["prompt"] for row in rows(clone / "data/problems/evaluation.parquet")}
    for name in ("round-m2", "ift", "eft", "prm"):
        problems = rows(clone / f"data/problems/{name}.parquet")
        assert not {row["prompt"] for row in problems} & held_out
        if name == "round-m2":
            assert all(row["answer"] is None and row["solution"] is None for row in problems)


def test_nothing_is_left_to_do_and_a_knob_reruns_what_depends_on_it(clone: Path) -> None:
    assert "up to date" in call(clone, "dvc", "status", "dvc.yaml")
    path = clone / "params.yaml"
    before = path.read_text()
    path.write_text(before.replace("beta: 0.3", "beta: 0.4"))
    assert changed(clone) == {"fingerprint", "dpo@m2"}  # the first reads params.yaml whole
    path.write_text(before)


def test_a_forced_rerun_gives_the_same_bytes(clone: Path) -> None:
    before = yaml.safe_load((clone / "dvc.lock").read_text())["stages"]
    for stage in ("search@m2", "dpo@m2"):
        call(clone, "dvc", "repro", "--single-item", "--force", "--no-run-cache", stage)
    after = yaml.safe_load((clone / "dvc.lock").read_text())["stages"]
    for stage in ("search@m2", "dpo@m2"):
        assert [out["md5"] for out in after[stage]["outs"]] == [out["md5"] for out in before[stage]["outs"]]


def test_bad_input_stops_a_run_with_one_line(clone: Path) -> None:
    path = clone / "params.yaml"
    before = path.read_text()
    path.write_text(before.replace("max_model_len: 1024", "max_model_len: 64"))
    made = [clone / "data/m1/evaluation", clone / "reports/models/m1/evaluation.json"]
    aside = [file.rename(file.with_suffix(".aside")) for file in made]  # before DVC removes them
    assert "error: inference.max_model_len" in call(clone, "dvc", "repro", "--single-item", "evaluate@m1", fails=True)
    path.write_text(before)
    for file, kept in zip(made, aside, strict=True):
        kept.rename(file)


@pytest.mark.slow
def test_a_method_and_a_domain_of_a_users_own_run_through_the_whole_graph(clone: Path, tmp_path: Path) -> None:
    folder = copy(tmp_path)
    for toy in (ROOT / "tests/extensions").glob("*.py"):
        shutil.copy(toy, folder / "extensions")
    params = yaml.safe_load((clone / "params.yaml").read_text())
    votes = {name: params["psrlm"][name] for name in ("eft_search", "eft", "search")} | {"pairs": {"min_gap": 1}}
    del params["arithmetic"]
    params |= {"domain": "sums", "sums": {"evaluation": 6, "misconception_rate": 0.65}, "votes": votes}
    params["eft"] = {"votes": params["eft"]["psrlm"]}
    params["roots"]["m1"]["method"] = params["rounds"]["m2"]["method"] = params["report"]["method"] = "votes"
    params["judges"] = {"m1": {"model": "m1", "method": "votes"}}
    params["scale"]["models"] = []
    params["sft"]["epochs"] = 1
    for role, rows_of_it in {"ift": 40, "prm": 100, "eft": 60, "rounds": 8}.items():
        params["problems"][role]["rows"] = rows_of_it
    (folder / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False))
    call(folder, "dvc", "repro")
    metrics = json.loads((folder / "reports/metrics.json").read_text())
    assert metrics["m2"]["pairs"]["pairs"] > 0 and metrics["m2"]["evaluation"]["sums"]["problems"] == 6
    assert metrics["m1"]["judge-votes"]["pairs"] > 0
    trees = rows(folder / "data/m2/trees/trees.parquet")
    assert all(
        candidate["score"] == candidate["votes"] for t in trees for s in t["states"] for candidate in s["candidates"]
    )


@pytest.mark.slow
def test_every_command_of_the_documents_runs_and_leaves_the_workspace_clean(clone: Path) -> None:
    printed = {}
    for command in documents.to_run():
        printed[command] = call(clone, "bash", "-c", PSR + command)
        if command.startswith("dvc queue start"):
            end_queue(clone, command)
    assert call(clone, "git", "status", "--porcelain") == ""
    (table,) = (text for command, text in printed.items() if command.startswith("dvc exp show"))
    assert all(name in table for name in ("gap-2", "gap-3", "m2.evaluation.pooled.accuracy", "psrlm.pairs.min_gap"))
    assert not any(name in table for name in ("_se", "by_gap", "seed", "data/"))
    assert "## Greedy accuracy, %" in printed["psr compare m1 m2"]
    narrow = printed["psr compare HEAD narrow"]
    assert "| m2 pairs |" in narrow and "| m2 pooled |" not in narrow and "the same in both: m0, m1" in narrow
