"""What the project's files ask of the machine: servers that answer, a cache that shares files, folders to write."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pipeline.cli.doctor.finding import Finding, judged
from pipeline.core import machine
from pipeline.core.config import load, read_yaml
from pipeline.core.errors import PipelineError
from pipeline.inference.settings import Annotator, Reference

_WRITTEN = ("data", "reports", ".work", ".dvc")
_LINKS, _LINKING = ("hardlink", "symlink"), "dvc config cache.type hardlink,symlink"
_HALVES = ("bfloat16", "float16")


def bf16(document: dict[str, Any]) -> list[str]:
    """The parameters that ask for bf16 or fp16, by their names in params.yaml."""
    names = [f"{section}.bf16" for section in ("prm", "sft", "dpo") if (document.get(section) or {}).get("bf16")]
    rounds = {f"{kind}.{key}": entry for kind in ("rounds", "variants") for key, entry in document[kind].items()}
    names += [f"{name}.dpo.bf16" for name, entry in rounds.items() if (entry.get("dpo") or {}).get("bf16")]
    return names + ["inference.dtype"] * ((document.get("inference") or {}).get("dtype") in _HALVES)


def findings(params: Path, here: machine.Inference) -> Iterator[Finding]:
    """All of them; a fault where the parameters cannot be read. here: of machine.yaml."""
    from pipeline.cli.doctor import servers  # their client takes a second

    annotator = load(params, "annotator", Annotator)
    if annotator.kind == "endpoint":
        yield servers.endpoint("annotator", annotator, [annotator.model])
    reference = load(params, "reference", Reference)
    if reference.models:
        yield servers.endpoint("reference", reference, reference.models)
    if not here.serve:  # else each stage starts them
        yield from servers.vllm(here.endpoints)
    yield from cache(Path(".dvc"))
    for name in _WRITTEN:
        yield writable(Path(name))


def cache(folder: Path) -> Iterator[Finding]:
    """Whether files of DVC's cache are shared with the workspace, or copied: a checkpoint then lies there twice."""
    from dvc.exceptions import DvcException
    from dvc.repo import Repo  # takes a second

    try:
        with Repo(str(folder.parent), config={"core": {"no_scm": True}}) as repo:
            kinds, place = list(repo.cache.local.cache_types), Path(repo.cache.local.path)
    except DvcException as error:
        yield judged("dvc cache", " ".join(str(error).split()), fault="start it in the repository's folder")
        return
    try:
        place.mkdir(parents=True, exist_ok=True)
        works = next((kind for kind in kinds if _links(place, folder, kind)), "copy")
    except OSError as error:
        fault = "make it a folder that this user may write, or move it: `dvc cache dir`"
        yield judged("dvc cache", f"{place}: {error.strerror}", fault=fault)
        return
    remedy = "`dvc cache dir` moves it to this disk" if set(kinds) & set(_LINKS) else f"`{_LINKING}` links instead"
    advice = f"every output lies in {place} once more; {remedy}"
    yield judged("dvc cache", f"{', '.join(kinds)}: {works} works", warning=advice * (works == "copy"))


def _links(cached: Path, workspace: Path, kind: str) -> bool:
    """Whether a file of the cache can be had in the workspace by this kind of link."""
    if kind not in _LINKS:
        return False
    with tempfile.NamedTemporaryFile(dir=cached) as file, tempfile.TemporaryDirectory(dir=workspace) as there:
        try:
            (os.link if kind == "hardlink" else os.symlink)(file.name, Path(there) / "link")
        except OSError:
            return False
    return True


def writable(folder: Path) -> Finding:
    """Whether a file can be made in a folder, or the folder itself."""
    place = folder if folder.exists() else Path()
    try:
        with tempfile.TemporaryFile(dir=place):
            return judged(f"write {folder}", "yes")
    except OSError as error:
        return judged(f"write {folder}", str(error.strerror), fault=f"make {place.resolve()} writable for this user")


def parameters(params: Path) -> dict[str, Any]:
    """params.yaml as it stands; raises PipelineError where a part that is looked at is no mapping."""
    document = read_yaml(params)
    for name in ("rounds", "variants"):
        if not isinstance(document.get(name), dict):
            raise PipelineError(f"{params}: section `{name}` is missing; `psr check` says what else")
    return document
