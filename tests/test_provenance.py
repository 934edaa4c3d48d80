"""Where a report comes from: the list of runs, and what a run of tasks took of its engines."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path
from typing import Any

from conftest import ROOT, ScriptedEngine

from pipeline.inference.loop import run
from pipeline.inference.requests import Completion, Request, Usage
from pipeline.report import provenance


def stage(folder: Path, name: str, code: str) -> int:
    (folder / "stage.py").write_text(f"from pipeline.core.command import note, run\nrun(lambda stage: {code})\n")
    command = [sys.executable, str(folder / "stage.py")]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "DVC_STAGE": name}
    return subprocess.run(command, cwd=folder, env=environment, check=False, capture_output=True).returncode


def test_a_stage_of_the_graph_leaves_a_line_with_its_seconds_and_tokens(tmp_path: Path) -> None:
    assert stage(tmp_path, "search@m2", "[note(requests=2), note(requests=3, sampled_tokens=7)]") == 0
    assert stage(tmp_path, "search@m2", "note(requests=4)") == 0
    assert stage(tmp_path, "", "None") == 0  # not started by DVC
    assert stage(tmp_path, "pairs@m2", "1 / 0") == 1
    lines = [json.loads(line) for line in (tmp_path / ".work/runs.jsonl").read_text().splitlines()]
    assert [line["stage"] for line in lines] == ["search@m2", "search@m2"]
    assert (lines[0]["requests"], lines[0]["sampled_tokens"]) == (5, 7) and lines[0]["seconds"] >= 0
    assert provenance.runs(tmp_path / ".work/runs.jsonl") == {"search@m2": lines[1]}


def test_without_runs_or_git_there_is_still_a_provenance(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text("seed: 1\n")
    done = subprocess.run(
        [sys.executable, "-c", "from pathlib import Path; from pipeline.report import provenance as p\n"
         "g = p.gather(Path('params.yaml')); print(g.revision, g.runs, g.params.strip(), g.packages['dvc'][0])"],
        cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)}, check=True, capture_output=True, text=True,
    )  # fmt: skip
    assert done.stdout == "no git commit {} seed: 1 3\n"


def test_tokens_are_counted_where_the_engine_works(words: Any) -> None:
    def task() -> Generator[list[Request], list[Completion], str]:
        (answer,) = yield [Request((1, 2, 3), 5)]
        yield []
        return answer.text

    engine = ScriptedEngine(words, lambda prompt, request: Completion("text", "stop", 4))
    usage = run({"policy": engine}, ((str(n), task()) for n in range(3)), 2, lambda key, row: None)
    assert usage == Usage(requests=3, prompt_tokens=9, sampled_tokens=12)
