"""A model folder or Hub model becomes M0: safetensors, configuration and tokenizer alone."""

from __future__ import annotations

import shutil
from pathlib import Path

from huggingface_hub import snapshot_download
from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError, RepositoryNotFoundError

from pipeline.core.errors import PipelineError

_MODEL_FILES = (".safetensors", ".json", ".jinja", ".txt", ".model")


def adopt(source: Path | str, folder: Path) -> None:
    """Copy a model folder, or download a Hub model, to `folder`: safetensors, configuration and tokenizer alone.

    Raises PipelineError if there is no such folder or repository, or it has no safetensors.
    """
    if Path(source).is_dir():
        folder.mkdir(parents=True, exist_ok=True)
        for file in sorted(Path(source).iterdir()):
            if file.suffix in _MODEL_FILES:
                shutil.copyfile(file, folder / file.name)
    else:
        try:
            snapshot_download(str(source), local_dir=folder, allow_patterns=[f"*{s}" for s in _MODEL_FILES])
        except (RepositoryNotFoundError, LocalEntryNotFoundError, HFValidationError) as error:
            raise PipelineError(f"base.model: no model folder or reachable Hub model {source!s}; correct it") from error
    if not list(folder.glob("*.safetensors")):
        raise PipelineError(f"base.model: {source!s} has no weights as safetensors; convert it first")
