"""`psr clean` takes what no run can use again, and nothing else."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.cli import __main__ as psr
from pipeline.cli import clean
from pipeline.core.journal import Journal
from pipeline.core.records import Dropped

OLD, DAMAGED = Path(".work/search/0123456789abcdef.jsonl"), Path(".work/scale/0123456789abcdef.damaged-1")
CHECKPOINTS = Path(".work/train/fedcba9876543210")
PAID, OTHER = Path(".work/annotator/0123456789abcdef.jsonl"), Path(".work/uv/pyvenv.cfg")
ENDED, WRITING = Path("data/dropped/.ift.parquet.99999999"), Path(f"data/.x.parquet.{os.getpid()}")
BESIDE, COPY = Path(".code.json.99999999"), Path(".work/annotator/.0123456789abcdef.jsonl.99999999")
OURS, THEIRS = Path("data/sources/.mine.2024"), Path(".env.2024")  # no stage writes there


@pytest.fixture
def left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with all kinds of leftovers, and the working directory."""
    monkeypatch.chdir(tmp_path)
    checkpoint = CHECKPOINTS / "checkpoint-3/model.safetensors"
    for path in (OLD, DAMAGED, checkpoint, PAID, OTHER, ENDED, WRITING, BESIDE, COPY, OURS, THEIRS):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x" * 2000)
    Path(".work/runs.jsonl").write_text("{}\n")
    return tmp_path


def ran(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *arguments: str) -> list[str]:
    monkeypatch.setattr(sys, "argv", ["psr", "clean", *arguments])
    psr.main()
    return capsys.readouterr().out.splitlines()


def test_leftovers_are_listed_with_sizes_and_removed_only_when_asked_to(
    left: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clean, "unfinished", lambda root: {})
    gone = {OLD, DAMAGED, CHECKPOINTS, ENDED, BESIDE, COPY}
    before = sorted(left.rglob("*"))
    listed = ran(capsys, monkeypatch)
    assert sorted(left.rglob("*")) == before
    assert {Path(line.split()[2]) for line in listed if line.startswith("would remove")} == gone
    assert f"would remove {CHECKPOINTS} (2.0 kB): checkpoints of stages that are all up to date" in listed
    assert f"kept {PAID.parent} (4.0 kB): paid answers; --answers takes them too" in listed
    ran(capsys, monkeypatch, "--yes")
    assert not any(path.exists() for path in gone)
    assert PAID.exists() and OTHER.exists() and WRITING.exists() and Path(".work/runs.jsonl").exists()
    assert OURS.exists() and THEIRS.exists()
    ran(capsys, monkeypatch, "--yes", "--answers")
    assert not PAID.exists()


def test_what_an_unfinished_stage_may_go_on_from_stays_and_so_does_what_a_process_writes(
    left: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clean, "unfinished", lambda root: {"search": ["search@m2"], "train": ["dpo@m2"]})
    listed = ran(capsys, monkeypatch, "--yes")
    assert OLD.exists() and CHECKPOINTS.exists() and not DAMAGED.exists()
    assert f"kept {OLD} (2.0 kB): search@m2 may go on from it" in listed
    monkeypatch.setattr(clean, "unfinished", lambda root: {})
    with Journal(Path(".work"), "search", "0" * 16, Dropped) as held:
        ran(capsys, monkeypatch, "--yes")
        assert held.path.exists() and not OLD.exists()
    ran(capsys, monkeypatch, "--yes")
    assert not held.path.exists()


def test_dvc_says_which_stages_are_unfinished(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    command = "echo -m stages.{0} > {0}.txt && echo"
    stages = "".join(
        f"  {name}:\n    cmd: {command.format(name)}\n    deps: [in.txt]\n    outs: [{name}.txt]\n"
        for name in ("search", "dpo")
    )
    (tmp_path / "dvc.yaml").write_text(f"stages:\n{stages}")
    (tmp_path / "in.txt").write_text("1")
    subprocess.run([sys.executable, "-m", "dvc", "init", "--no-scm", "--quiet"], check=True)
    assert set(clean.unfinished(tmp_path)) == {"search", "dpo", "train"}  # killed in its first stage, or no dvc.lock
    (tmp_path / "diagnostics").mkdir()
    (tmp_path / "diagnostics/dvc.yaml").write_text(
        "stages:\n  gates:\n    cmd: echo -m stages.gates\n    deps: [in.txt]\n"
    )
    (tmp_path / "diagnostics/in.txt").write_text("1")
    assert "gates" not in clean.unfinished(tmp_path)  # nobody has asked for them yet
    subprocess.run([sys.executable, "-m", "dvc", "repro", "--quiet"], check=True)
    assert clean.unfinished(tmp_path) == {}
    (tmp_path / "dpo.txt").unlink()
    assert clean.unfinished(tmp_path) == {"dpo": ["dpo"], "train": ["dpo"]}
    (tmp_path / "in.txt").write_text("2")
    assert set(clean.unfinished(tmp_path)) == {"search", "dpo", "train"}
