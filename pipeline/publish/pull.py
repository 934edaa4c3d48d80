"""Bring published data back as the inputs of a pipeline: every file's hash checked before anything is written."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.core import files
from pipeline.core.errors import PipelineError
from pipeline.core.plan import TAKEN
from pipeline.core.records import JudgedPair, LabelledSolution, Preference, Solution
from pipeline.data import table_faults
from pipeline.publish import configs, hub

# config -> the stage that makes it (the key of a stage of pairs is the model), the type of its rows, and its splits
PLACES: dict[str, tuple[str, type, tuple[str, ...]]] = {
    "ift": ("ift", Solution, ("train",)),
    "eft": ("eft@psrlm", JudgedPair, ("train", "test")),
    "prm": ("prm_data", LabelledSolution, ("train", "test")),
    "ppd": ("pairs", configs.StepPreference, ("train",)),
}


def pull(repository: str, revision: str, graph: Mapping[str, Any], replace: bool) -> list[Path]:
    """Write the IFT, EFT and PRM data and the pairs of a published run where `graph` (dvc.yaml) has them.

    Returns the files written. Raises PipelineError if a file is not what the manifest or the type of its rows says, or
    if other data stand in a place and `replace` is false; then nothing is written.
    """
    source = hub.Repository(hub.connect(), repository)
    state = source.state(revision)
    if state is None:
        raise PipelineError(f"{repository}: not found, or not for your token to see (404); correct the name or log in")
    listed = source.download(configs.MANIFEST, state.head)
    if listed is None:
        raise PipelineError(f"{repository}: has no {configs.MANIFEST}; give a dataset that `psr push` made")
    contents = configs.published_contents(listed, repository)
    with tempfile.TemporaryDirectory(prefix="psr-pull-") as folder:
        ready: dict[Path, Path] = {}
        for name, splits in contents.items():
            kind, _, model = name.partition("-")
            if kind not in PLACES or (kind == "ppd") != bool(model):
                continue
            if model in TAKEN:
                raise PipelineError(f"{repository}: {name}: data/{model} holds no model; rename it on the Hub")
            stage, row_type, known = PLACES[kind]
            for split, entry in splits.items():
                if split not in known:
                    continue
                path = source.download(configs.location(name, split), state.head)
                where = f"{repository}: {configs.location(name, split)} at {state.head[:12]}"
                if path is None or hub.sha256(path) != entry["sha256"]:
                    raise PipelineError(
                        f"{where} is not what its {configs.MANIFEST} says; "
                        "push again from where it was made, or give --revision"
                    )
                require_rows(path, row_type, entry["rows"], where)
                ready[_place(graph, stage, model) / f"{split}.parquet"] = own(path, kind, Path(folder) / name)
        for target, path in ready.items():
            if target.exists() and not replace and hub.sha256(target) != hub.sha256(path):
                raise PipelineError(f"{target}: other data stand there; --replace overwrites them")
        for target, path in ready.items():
            with files.replacing(target) as temporary:
                shutil.copyfile(path, temporary)
    return list(ready)


def require_rows(path: Path, row_type: type[Any], rows: Any, where: str) -> None:
    """Refuse a file that is not so many readable rows of this type, whatever its hash (PipelineError)."""
    try:
        if not pq.read_schema(path).equals(files.schema(row_type)):
            raise PipelineError(f"{where}: has other columns or types than the rows of {row_type.__name__}")
        fault = next(table_faults.faults(path, where), None)
        count = pq.read_metadata(path).num_rows
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise PipelineError(f"{where}: is no Parquet file ({error})") from error
    if count != rows:
        raise PipelineError(f"{where}: has {count} rows, its {configs.MANIFEST} says {rows!r}")
    if fault:
        raise PipelineError(fault)


def own(path: Path, kind: str, folder: Path) -> Path:
    """The file as the pipeline has it: pairs become its own records again, all else is its own already."""
    if kind != "ppd":
        return path
    written = folder / path.name
    ids = ("prompt_ids", "chosen_ids", "rejected_ids")
    files.write(written, Preference, map(configs.record, files.rows(path, configs.StepPreference, 4096, *ids)))
    return written


def _place(graph: Mapping[str, Any], stage: str, model: str) -> Path:
    """The output folder of a stage of dvc.yaml."""
    name, _, key = stage.partition("@")
    entry = graph["stages"][name]
    out = entry.get("do", entry)["outs"][0]
    return Path(str(out).replace("${key}", key or model))
