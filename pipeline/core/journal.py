"""A journal of finished units, so that a stage killed anywhere goes on where it was.

One JSON line a unit, synced to disk; a torn last line is dropped. It lies outside the DVC outputs, under a
fingerprint of everything the results depend on, and is locked while a stage writes to it. Where another line is
damaged, or holds another type of row, the file is set aside, its sound lines stay, and the rest is done again.
"""

from __future__ import annotations

import fcntl
import json
import os
import sys
from io import BufferedRandom
from pathlib import Path
from typing import Any, Generic, TypeVar

from pydantic import ConfigDict, TypeAdapter, ValidationError, with_config
from typing_extensions import TypedDict

from pipeline.core.errors import PipelineError
from pipeline.core.files import plain, replacing

Row = TypeVar("Row")
FOLDER = Path(".work")  # unfinished work of all stages; git and DVC ignore it


def of_repository() -> Path:
    """FOLDER of the repository itself, also where an experiment of DVC runs in a copy of it."""
    return Path(os.environ.get("DVC_ROOT", "")) / FOLDER  # DVC names the repository to every stage


class Journal(Generic[Row]):
    """Finished rows by key; a context manager that holds the lock.

    shared: by all experiments, which wait for each other; else a second run of the same stage is an error.
    """

    def __init__(self, folder: Path, name: str, fingerprint: str, row_type: type[Row], *, shared: bool = False) -> None:
        self.path = folder / name / f"{fingerprint[:16]}.jsonl"
        self.row_type, self.shared = row_type, shared
        self.done: dict[str, Row] = {}

    def __enter__(self) -> Journal[Row]:
        """Take the lock and read what is done."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._file = self._locked(self.path)
        whole, sound, odd = 0, list[bytes](), list[str]()
        strict = with_config(ConfigDict(extra="forbid", strict=True))
        entry: TypeAdapter[Any] = TypeAdapter(strict(TypedDict("entry", {"key": str, "row": self.row_type})))  # type: ignore
        self._file.seek(0)
        for number, line in enumerate(self._file, start=1):
            if not line.endswith(b"\n"):
                break
            whole += len(line)
            try:
                unit = entry.validate_json(line)
            except ValidationError as error:
                first = error.errors(include_url=False)[0]
                odd.append(f"{number} ({'.'.join(map(str, first['loc'])) or 'line'}: {first['msg']})")
                continue
            self.done[unit["key"]] = unit["row"]
            sound.append(line)
        self._file.truncate(whole)
        if odd:
            self._set_aside(sound, odd)
        return self

    def _locked(self, path: Path) -> BufferedRandom:
        file = path.open("a+b")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            if not self.shared:
                line = f"{self.path}: another run of this stage is writing here; wait for it or end it"
                raise PipelineError(line) from error
            print(f"another run is writing to {self.path}; waiting for it", file=sys.stderr, flush=True)
            fcntl.flock(file, fcntl.LOCK_EX)
        if path.exists() and os.path.samestat(path.stat(), os.fstat(file.fileno())):
            return file
        file.close()  # another was put in its place while this waited
        return self._locked(path)

    def _set_aside(self, sound: list[bytes], odd: list[str]) -> None:
        """Keep the damaged file under another name, and go on with its sound lines in a new one, locked like it."""
        kept = next(p for n in range(1, 1000) if not (p := self.path.with_suffix(f".damaged-{n}")).exists())
        os.link(self.path, kept)
        with replacing(self.path) as temporary:
            new = self._locked(temporary)
            new.writelines(sound)
            new.flush()
            os.fsync(new.fileno())
        self._file.close()
        self._file = new
        lines = odd[0] + f" and {len(odd) - 1} more" * (len(odd) > 1)
        rest = f"what it held is kept in {kept}, {len(sound)} units are sound, the others are done again"
        print(f"warning: {self.path}: damaged in line {lines}; {rest}", file=sys.stderr)

    def add(self, key: str, row: Row) -> None:
        """Record a finished unit; it is on disk when this returns."""
        self.done[key] = row
        self._file.write(json.dumps({"key": key, "row": plain(row)}).encode() + b"\n")
        self._file.flush()
        os.fsync(self._file.fileno())

    def remove(self) -> None:
        """Remove the journal: what it holds stands in the stage's outputs."""
        self._file.close()
        self.path.unlink()

    def __exit__(self, *_: object) -> None:
        self._file.close()
