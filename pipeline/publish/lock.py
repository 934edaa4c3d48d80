"""What dvc.lock says of a run: the hash of every artifact, which stages led to it, and their parameters.

Only files that are still what dvc.lock recorded are published, so that a card's hashes and parameters are true.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

from pipeline.core.errors import PipelineError


class Lock:
    """A dvc.lock file. Raises PipelineError where it is absent, torn or not one of DVC."""

    def __init__(self, path: Path) -> None:
        if not path.is_file():
            raise PipelineError(f"{path}: no such file; run `dvc repro` first")
        self.path = path
        try:
            self.stages: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))["stages"]
            self._made_by = {out["path"]: name for name, stage in self.stages.items() for out in stage.get("outs", ())}
            self._md5 = hashes(self.stages)
        except (yaml.YAMLError, AttributeError, LookupError, TypeError, ValueError) as error:
            reason = " ".join(f"{type(error).__name__}: {error}".split())[:160]
            line = f"{path}: is no lock file of DVC ({reason}); take it from git again, or run `dvc repro`"
            raise PipelineError(line) from error

    def verified(self, artifact: Path) -> Path:
        """The path itself, if its content is what the lock recorded; else PipelineError."""
        if str(artifact) not in self._md5:
            raise PipelineError(f"{artifact}: {self.path} knows no such output; run `dvc repro` first")
        if not artifact.exists():
            raise PipelineError(f"{artifact}: is missing; `dvc checkout` brings it back")
        if md5(artifact) != self._md5[str(artifact)]:
            raise PipelineError(f"{artifact}: is not what {self.path} recorded; run `dvc repro` or `dvc checkout`")
        return artifact

    def upstream(self, artifacts: Iterable[Path]) -> dict[str, Any]:
        """The stages that led to these artifacts, in the order of the lock."""
        todo, names = [str(path) for path in artifacts], set()
        while todo:
            path = todo.pop()
            for place, name in self._made_by.items():
                if name not in names and (path == place or path.startswith(f"{place}/")):
                    names.add(name)
                    todo += [dep["path"] for dep in self.stages[name].get("deps", ())]
        return {name: stage for name, stage in self.stages.items() if name in names}

    def parameter(self, stage: str, name: str) -> Any:
        """A section of params.yaml as it was in force when a stage ran."""
        return self.stages[stage]["params"]["params.yaml"][name]


def parameters(stages: Mapping[str, Any]) -> dict[str, Any]:
    """All parameters that were in force in these stages; addresses of annotators are left out."""
    sections: dict[str, Any] = {}
    for stage in stages.values():
        sections |= stage.get("params", {}).get("params.yaml", {})
    if "annotator" in sections:
        sections["annotator"] = {name: value for name, value in sections["annotator"].items() if name != "url"}
    return dict(sorted(sections.items()))


def hashes(stages: Mapping[str, Any]) -> dict[str, str]:
    """DVC's hash (md5) of every output of these stages."""
    return {out["path"]: out["md5"] for stage in stages.values() for out in stage.get("outs", ())}


def md5(artifact: Path) -> str:
    """DVC's hash of a file, or of a folder: that of the sorted list of its files with their hashes."""
    if artifact.is_file():
        with artifact.open("rb") as file:
            return hashlib.file_digest(file, "md5").hexdigest()
    files = [path for path in artifact.rglob("*") if path.is_file()]
    entries = [{"md5": md5(path), "relpath": path.relative_to(artifact).as_posix()} for path in files]
    listed = sorted(entries, key=lambda entry: entry["relpath"])
    return hashlib.md5(json.dumps(listed, sort_keys=True).encode()).hexdigest() + ".dir"


def git_revision(lock: Path) -> str:
    """The commit that recorded the lock; says so where it is not committed as it stands."""

    def git(*command: str) -> str:
        done = subprocess.run(["git", *command, "--", str(lock)], capture_output=True, text=True, check=False)
        return done.stdout.strip() if done.returncode == 0 else ""

    commit = git("log", "-1", "--format=%H")
    if not commit:
        return "not committed"
    return f"{commit} with changes" if git("diff", "--name-only", "HEAD") else commit
