"""Disks that are full or read-only, and a clock that is set back; real file systems, real stages."""

from __future__ import annotations

import ast
import errno
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

from pipeline.core import files
from pipeline.core.journal import Journal
from pipeline.core.records import Dropped
from pipeline.training import worker

ROOT = Path(__file__).parent.parent
Remount = Callable[[str], None]


def row(number: int) -> Dropped:
    return Dropped("sft", str(number), "too_long", os.urandom(400).hex())


@pytest.fixture
def small(tmp_path: Path) -> Iterator[tuple[Path, Remount]]:
    """A file system of 32 KiB, and what mounts it again with other options."""
    folder = tmp_path / "small"
    folder.mkdir()

    def mount(options: str) -> bool:
        command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
        return subprocess.run(command, capture_output=True, check=False).returncode == 0

    if os.geteuid() or not mount("size=32k"):
        pytest.skip("a file system can be mounted by root alone")
    yield folder, lambda options: None if mount(f"remount,{options}") else pytest.fail(options)
    subprocess.run(["umount", str(folder)], check=True)


def problems(folder: Path) -> subprocess.CompletedProcess[str]:
    """A real stage that writes to the folder."""
    paths = {"problems": "problems", "dropped": "dropped.parquet", "stats": "stats.json"}
    options = [word for name, path in paths.items() for word in (f"--{name}", str(folder / path))]
    command = [sys.executable, "-m", "stages.problems", *options]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_a_stage_on_a_full_or_read_only_disk_says_so_in_one_line_and_leaves_nothing(
    small: tuple[Path, Remount],
) -> None:
    folder, remount = small
    full = problems(folder)
    assert full.returncode == 1 and "Traceback" not in full.stderr
    assert full.stderr.splitlines()[-1].startswith("error: ") and "No space left on device" in full.stderr
    assert not list(folder.rglob(".*"))
    remount("size=32m,ro")
    locked = problems(folder)
    assert locked.returncode == 1 and "Traceback" not in locked.stderr
    line = locked.stderr.splitlines()[-1]
    assert line.startswith("error: ") and "Read-only file system" in line and str(folder) in line
    remount("size=32m,rw")
    assert problems(folder).returncode == 0 and (folder / "stats.json").is_file()


def test_a_command_on_a_full_disk_says_so_in_one_line(small: tuple[Path, Remount]) -> None:
    folder, _ = small
    (folder / "filler").write_bytes(bytes(28_000))
    command = [sys.executable, "-m", "pipeline.cli", "profile", "smoke", "--output", str(folder / "params.yaml")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1 and done.stderr.count("\n") == 1
    assert done.stderr.startswith("error: ") and "No space left on device" in done.stderr
    assert [path.name for path in folder.iterdir()] == ["filler"]


def test_a_training_knows_the_words_with_which_torch_says_that_a_disk_is_full(small: tuple[Path, Remount]) -> None:
    folder, _ = small
    with pytest.raises(RuntimeError, match=re.escape(worker._NO_ROOM)):
        torch.save({"exp_avg": torch.zeros(100_000)}, folder / "optimizer.pt")


def test_a_journal_on_a_full_disk_keeps_every_unit_that_it_took(small: tuple[Path, Remount]) -> None:
    folder, remount = small
    units = {str(number): row(number) for number in range(100)}
    taken: list[str] = []
    with pytest.raises(OSError) as caught, Journal(folder, "search", "f" * 64, Dropped) as journal:
        for key, unit in units.items():
            journal.add(key, unit)
            taken.append(key)
    assert caught.value.errno == errno.ENOSPC and 0 < len(taken) < len(units)
    remount("size=32m")
    with Journal(folder, "search", "f" * 64, Dropped) as again:
        assert again.done == {key: units[key] for key in taken}
        for key in units.keys() - again.done.keys():
            again.add(key, units[key])
    with Journal(folder, "search", "f" * 64, Dropped) as last:
        assert last.done == units


def test_a_table_on_a_full_disk_leaves_the_old_one_and_nothing_else(small: tuple[Path, Remount]) -> None:
    folder, _ = small
    files.write(folder / "rows.parquet", Dropped, [row(0)])
    before = (folder / "rows.parquet").read_bytes()
    with pytest.raises(OSError):
        files.write(folder / "rows.parquet", Dropped, map(row, range(1000)))
    assert [path.name for path in folder.iterdir()] == ["rows.parquet"]
    assert (folder / "rows.parquet").read_bytes() == before


def test_what_a_killed_write_leaves_is_in_no_hash_of_dvc() -> None:
    paths = ["data/dropped/.prm.parquet.1234", "reports/models/m1/.sft.json.7", "data/m1/model/1-of-2.safetensors"]
    dvc = Path(sys.executable).with_name("dvc")
    ignored = subprocess.run([dvc, "check-ignore", *paths], cwd=ROOT, capture_output=True, text=True, check=False)
    assert ignored.stdout.splitlines() == paths[:2]


def test_nothing_depends_on_the_clock() -> None:
    """What is read of it is the time of a run that is listed; a file's time is compared for equality alone."""
    clocks = {"now", "utcnow", "today", "time_ns", "st_mtime", "st_mtime_ns", "st_ctime", "getmtime"}
    uses = set()
    for path in [*ROOT.glob("pipeline/**/*.py"), *ROOT.glob("stages/*.py")]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Attribute):
                of_time = node.attr == "time" and isinstance(node.value, ast.Name) and node.value.id == "time"
                if node.attr in clocks or of_time:
                    uses.add((path.name, node.attr))
    assert uses == {("command.py", "now"), ("hub.py", "st_mtime_ns")}
