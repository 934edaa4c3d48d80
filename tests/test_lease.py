"""The GPU lease on a machine that has none: device files of a temporary folder stand for GPUs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.core import lease

ROOT = Path(__file__).parent.parent
HOLDER = """
import sys
from pathlib import Path
from pipeline.core import lease
lease.DEVICES, lease.LOCKS = Path(sys.argv[1]), Path(sys.argv[1])
held = lease.hold_gpus()
print(len(held), lease.hold_gpus() is held, flush=True)
sys.stdin.read()
"""


def holder(folder: Path, visible: str | None = None) -> subprocess.Popen[str]:
    environment = {key: value for key, value in os.environ.items() if key != "CUDA_VISIBLE_DEVICES"}
    environment |= {} if visible is None else {"CUDA_VISIBLE_DEVICES": visible}
    return subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(folder)],
        cwd=ROOT,
        env=environment,
        text=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def line(stream: object) -> str:
    assert stream is not None
    return stream.readline()  # type: ignore[attr-defined]


def test_stages_take_turns_and_a_killed_one_frees_its_gpus(tmp_path: Path) -> None:
    for name in ("nvidia0", "nvidia1", "nvidiactl", "null"):
        (tmp_path / name).touch()
    with holder(tmp_path) as first:
        assert line(first.stdout) == "2 True\n"
        with holder(tmp_path) as second, holder(tmp_path, visible="2") as other:
            assert line(other.stdout) == "1 True\n"
            assert "GPU 0 is in use by another stage" in line(second.stderr)
            first.kill()
            assert line(second.stdout) == "2 True\n"


@pytest.mark.parametrize(("visible", "gpus"), [(None, ["0", "1"]), ("1, 0", ["0", "1"]), ("1", ["1"]), ("", [])])
def test_only_visible_gpus_are_held(
    visible: str | None, gpus: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease, "DEVICES", tmp_path)
    if visible is None:
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    else:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert lease.visible_gpus() == []
    (tmp_path / "nvidia0").touch()
    (tmp_path / "nvidia1").touch()
    assert lease.visible_gpus() == gpus
