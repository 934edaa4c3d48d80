"""Problems from the Hub with the real `datasets` client and the stand-in: configs, splits, revisions, wrong ids."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hub_stand_in import Failure, Hub

ROOT = Path(__file__).parent.parent
CARD = b"""---
configs:
- config_name: main
  data_files: [{split: train, path: main/train.parquet}, {split: test, path: main/test.parquet}]
- config_name: other
  data_files: [{split: train, path: other/train.parquet}]
---
"""
READ = """
import json, sys
from pipeline.core.errors import PipelineError
from pipeline.data.settings import Source
from pipeline.data.sources import rows
for case in json.loads(sys.argv[1]):
    try:
        answer = [[number, row["question"]] for number, row in rows(Source(**case), ["question"])]
    except PipelineError as error:
        answer = str(error)
    print(json.dumps(answer), flush=True)
"""


def parquet(*questions: str) -> bytes:
    buffer = io.BytesIO()
    pq.write_table(pa.table({"question": list(questions), "answer": ["1"] * len(questions)}), buffer)
    return buffer.getvalue()


def read(hub: Hub, home: Path, *cases: dict[str, Any]) -> list[Any]:
    """What `sources.rows` gives for each case, in one client process: rows, or the line of a PipelineError."""
    sources = json.dumps([{"path": "hub:org/problems", "rows": 0, "prompt": "question", **case} for case in cases])
    environment = {**os.environ, **hub.environment(home), "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", READ, sources], cwd=home, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.timeout(600)
def test_a_hub_source_streams_its_config_split_and_revision_and_a_wrong_one_is_one_line(tmp_path: Path) -> None:
    with Hub() as hub:
        repo = hub.create("dataset", "org/problems", False)
        data = {"README.md": CARD, "main/train.parquet": parquet("a", "b"), "main/test.parquet": parquet("c")}
        first = repo.commit("main", "first", {**data, "other/train.parquet": parquet("d")})
        repo.commit("main", "second", {**first.files, "main/train.parquet": parquet("a", "b", "new")})
        hub.create("dataset", "org/empty", False)
        answers = read(
            hub,
            tmp_path,
            {"config": "main"},
            {"config": "main", "revision": first.oid},
            {"config": "main", "split": "test"},
            {"config": "other"},
            {"path": "hub:org/none"},
            {"path": "hub:org/empty"},
            {"config": "wrong"},
            {"config": "main", "split": "wrong"},
            {"config": "main", "revision": "v9"},
        )
        assert answers[:4] == [[[1, "a"], [2, "b"], [3, "new"]], [[1, "a"], [2, "b"]], [[1, "c"]], [[1, "d"]]]
        for line, name in zip(answers[4:], ("org/none", "org/empty", "wrong", "wrong", "v9"), strict=True):
            assert isinstance(line, str) and "cannot be read from the Hub" in line and name in line and "\n" not in line


@pytest.mark.timeout(600)
def test_a_hub_that_fails_while_a_source_is_read_is_one_line(tmp_path: Path) -> None:
    with Hub() as hub:
        repo = hub.create("dataset", "org/problems", False)
        repo.commit("main", "first", {"README.md": CARD, "main/train.parquet": parquet("a")})
        hub.failures = [Failure("/resolve/", 403, times=99)]
        (line,) = read(hub, tmp_path, {"config": "main"})
        assert isinstance(line, str) and "org/problems main train" in line and "\n" not in line
