"""A model folder or Hub model becomes a model of the run: safetensors, configuration and tokenizer alone, all sound."""

from __future__ import annotations

import shutil
from pathlib import Path

from huggingface_hub import snapshot_download
from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError, RepositoryNotFoundError

from pipeline.core.errors import PipelineError
from pipeline.training import loadable, model_files

_PATTERNS = ["*.safetensors", *(f"*{suffix}" for suffix in model_files.BESIDE)]


def adopt(source: Path | str, folder: Path, max_model_len: int, key: str = "base.model") -> None:
    """Copy a model folder, or download a Hub model, to `folder`: safetensors, configuration and tokenizer alone.

    max_model_len: tokens of prompt and completion, which the model must have positions for. key: of params.yaml, for
    the lines. Raises PipelineError, a line for each fault, if there is no such folder or repository, or it cannot be
    trained and served here.
    """
    place = Path(source) if Path(source).is_dir() else folder
    if place == folder:
        try:
            snapshot_download(str(source), local_dir=folder, allow_patterns=_PATTERNS, ignore_patterns=["*/*"])
        except (RepositoryNotFoundError, LocalEntryNotFoundError, HFValidationError) as error:
            raise PipelineError(f"{key}: no model folder or reachable Hub model {source!s}; correct it") from error
    how = place, str(source), max_model_len, key
    if faults := [*model_files.faults(*how)] or [*loadable.faults(*how)]:
        raise PipelineError("\n".join(dict.fromkeys(faults)))
    wanted = model_files.wanted(place)
    if place == folder:
        shutil.rmtree(folder / ".cache", ignore_errors=True)  # the client's, with times in it
        for file in {*folder.iterdir()} - {*wanted}:
            file.unlink()
        return
    folder.mkdir(parents=True, exist_ok=True)
    for file in wanted:
        shutil.copyfile(file, folder / file.name)
