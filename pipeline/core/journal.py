"""A journal of finished units, so that a stage killed anywhere goes on where it was.

One JSON line a unit, synced to disk; a torn last line is dropped. It lies outside the DVC outputs, under a
fingerprint of everything the results depend on, and is locked while a stage writes to it.
"""

from __future__ import annotations

import fcntl
import json
import os
from pathlib import Path
from typing import Generic, TypeVar

from pipeline.core.errors import PipelineError
from pipeline.core.files import plain, record

Row = TypeVar("Row")
FOLDER = Path(".work")  # unfinished work of all stages; git and DVC ignore it


class Journal(Generic[Row]):
    """Finished rows by key; a context manager that holds the lock."""

    def __init__(self, folder: Path, name: str, fingerprint: str, row_type: type[Row]) -> None:
        self.path = folder / name / f"{fingerprint[:16]}.jsonl"
        self.row_type = row_type
        self.done: dict[str, Row] = {}

    def __enter__(self) -> Journal[Row]:
        """Take the lock and read what is done."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._file = self.path.open("a+b")
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise PipelineError(
                f"{self.path}: another run of this stage is writing here; wait for it or end it"
            ) from error
        self._file.seek(0)
        whole = 0
        for line in self._file:
            if not line.endswith(b"\n"):
                break
            whole += len(line)
            entry = json.loads(line)
            self.done[entry["key"]] = record(self.row_type, entry["row"])
        self._file.truncate(whole)
        return self

    def add(self, key: str, row: Row) -> None:
        """Record a finished unit; it is on disk when this returns."""
        self.done[key] = row
        entry = {"key": key, "row": plain(row)}
        self._file.write(json.dumps(entry).encode() + b"\n")
        self._file.flush()
        os.fsync(self._file.fileno())

    def remove(self) -> None:
        """Remove the journal: what it holds stands in the stage's outputs."""
        self._file.close()
        self.path.unlink()

    def __exit__(self, *_: object) -> None:
        self._file.close()
