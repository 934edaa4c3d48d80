"""Every output against what dvc.lock recorded: its bytes are read again, DVC's own memory of them is not trusted."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pipeline.core.errors import PipelineError
from pipeline.publish import lock


def stages(recorded: lock.Lock, graph: Path) -> dict[str, Any]:
    """The stages of dvc.lock that the graph still has, by name; PipelineError where DVC cannot read the graph."""
    from dvc.exceptions import DvcException
    from dvc.repo import Repo  # takes a second

    try:
        with Repo(str(graph.parent), config={"core": {"no_scm": True}}) as repo:
            names = {stage.addressing for stage in repo.stage.load_file(str(graph))}
    except DvcException as error:
        raise PipelineError(f"{graph}: DVC cannot read it ({' '.join(str(error).split())}); correct it") from error
    return {name: stage for name, stage in recorded.stages.items() if name in names}


def faults(stage: Any, cache: Path) -> Iterator[str]:
    """What differs in the outputs of one stage, a line a file; cache: DVC's, which lists the files of folders."""
    for out in stage.get("outs", ()):
        path, md5 = Path(out["path"]), str(out["md5"])
        if not path.exists():
            yield f"{path}: is missing; {_remedy(md5, cache)}"
        elif lock.md5(path) != md5:
            yield from _differences(path, md5, cache)


def mixed(stages: dict[str, Any]) -> Iterator[str]:
    """Inputs of a stage that another stage has made anew since."""
    made = lock.hashes(stages)
    for name, stage in stages.items():
        for dep in stage.get("deps", ()):
            if (recorded := made.get(dep["path"])) and recorded != dep.get("md5", recorded):
                yield f"{dep['path']}: {name} was made from another version of it; `dvc repro {name}` makes it anew"


def _differences(path: Path, md5: str, cache: Path) -> Iterator[str]:
    """Which files of an output are not what was recorded; the output itself where DVC's listing is not there."""
    listing = _cached(md5, cache)
    if not path.is_dir() or not listing.is_file() or lock.md5(listing) != md5.removesuffix(".dir"):
        yield f"{path}: is not what dvc.lock recorded; {_remedy(md5, cache)}"
        return
    recorded = {entry["relpath"]: entry["md5"] for entry in json.loads(listing.read_bytes())}
    there = {file.relative_to(path).as_posix(): file for file in path.rglob("*") if file.is_file()}
    for name in sorted(recorded.keys() | there.keys()):
        if name not in there:
            yield f"{path / name}: is missing; {_remedy(recorded[name], cache)}"
        elif name not in recorded:
            yield f"{path / name}: is no file of the output that dvc.lock recorded; remove it"
        elif lock.md5(there[name]) != recorded[name]:
            yield f"{path / name}: is not what dvc.lock recorded; {_remedy(recorded[name], cache)}"


def _cached(md5: str, cache: Path) -> Path:
    return cache / "files" / "md5" / md5[:2] / md5[2:]


def _remedy(md5: str, cache: Path) -> str:
    """What brings an output back; a hard link to the cache is damaged there as well."""
    kept = _cached(md5, cache)
    if not kept.is_file():
        return "`dvc repro` makes it again"
    if lock.md5(kept) == md5.removesuffix(".dir"):
        return "`dvc checkout --force` brings it back"
    return f"DVC's {kept} is damaged too: remove both, then `dvc repro` makes it again"
