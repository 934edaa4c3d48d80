"""The benchmarks run: all parts of the memory benchmark on few rows, and what an attack's cells say."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import attacks, memory


def test_every_part_of_the_memory_benchmark_runs_on_few_pairs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "prompts").symlink_to(Path("prompts").resolve())
    monkeypatch.chdir(tmp_path)
    for part in memory.PARTS:
        part(60)
    assert len(list(memory.rows())) == 60


def test_a_form_has_moved_verdicts_only_beyond_both_controls() -> None:
    always, never, coin = [[1.0] * 4] * 30, [[0.0] * 4] * 30, [[1.0, 0.0, 1.0, 0.0]] * 29 + [[None] * 4]
    assert attacks.cells(always, never, never)[-2:] == ["to it", "0.0, 0.0"]
    assert attacks.cells(never, always, coin)[-2:] == ["from it", "0.0, 3.3"]
    assert attacks.cells(coin, coin, never)[-2:] == ["no", "3.3, 0.0"]
    assert [len(attacks.padding(text)) for text in ("", "x" * 7, "x" * 99)] == [0, 7, 99]
