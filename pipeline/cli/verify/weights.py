"""Whether the weights of a model folder are whole and finite: one tensor is held at a time, no code of a model runs."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

from pipeline.core.errors import PipelineError
from pipeline.core.files import read_json

_INDEX = "model.safetensors.index.json"
# What a trained model has of the model that it began with.
_KEPT = ("model_type", "architectures", "hidden_size", "intermediate_size", "num_hidden_layers", "vocab_size")


def faults(folder: Path, start: Path | None = None) -> Iterator[str]:
    """What is wrong, a line each: a file or the configuration cannot be read, a tensor is missing or not finite.

    start: the folder of the model that it was trained from.
    """
    import torch
    from safetensors import SafetensorError, safe_open

    shapes: dict[str, tuple[int, ...]] = {}
    for path in sorted(folder.glob("*.safetensors")):
        try:
            with safe_open(str(path), framework="pt") as file:
                for name in file.keys():  # noqa: SIM118 (no mapping)
                    tensor = file.get_tensor(name)
                    shapes[name] = tuple(tensor.shape)
                    if tensor.is_floating_point() and (odd := int((~torch.isfinite(tensor)).sum())):
                        yield f"{path}: {name}: {odd} of {tensor.numel()} values are not finite; train it again"
        except (SafetensorError, OSError) as error:
            yield f"{path}: cannot be read ({error}); train it again"
            return
    if not shapes:
        yield f"{folder}: has no weights (*.safetensors); train it again"
        return
    yield from _against_configuration(folder, shapes)
    if start:
        try:
            own, before = (read_json(one / "config.json") for one in (folder, start))
            other = [name for name in _KEPT if own.get(name) != before.get(name)]
        except (AttributeError, PipelineError, UnicodeDecodeError):
            return  # has a line already
        if other:
            yield f"{folder}: has another {other[0]} than {start}, from which it was trained; train it again"


def _against_configuration(folder: Path, shapes: dict[str, tuple[int, ...]]) -> Iterator[str]:
    """Whether configuration and tokenizer load, and tensors that the model of config.json, by its own classes, has and
    the files have not, the other way round, or in another shape."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

    part = "config.json"
    try:
        config = AutoConfig.from_pretrained(str(folder), trust_remote_code=False)
        with torch.device("meta"):
            model = AutoModelForCausalLM.from_config(config, trust_remote_code=False)
        part = "tokenizer"
        AutoTokenizer.from_pretrained(str(folder), trust_remote_code=False)
        part = _INDEX
        index = folder / _INDEX
        listed = set(json.loads(index.read_bytes())["weight_map"]) if index.is_file() else set[str]()
    except Exception as error:  # whatever a file does to the library that reads it
        yield f"{folder / part}: cannot be loaded ({' '.join(str(error).split())[:200]}); train it again"
        return
    wanted = {name: tuple(value.shape) for name, value in model.named_parameters()}  # a tied head is named once
    for name in sorted(wanted.keys() | listed):
        if name not in shapes:
            yield f"{folder}: {name}: no file has this tensor; train it again"
        elif name in wanted and wanted[name] != shapes[name]:
            yield f"{folder}: {name}: has shape {shapes[name]}, config.json says {wanted[name]}"
    ignored = model._keys_to_ignore_on_load_unexpected or ()
    for name in sorted(shapes.keys() - wanted.keys() - model.state_dict().keys()):
        if not any(re.search(pattern, name) for pattern in ignored):
            yield f"{folder}: {name}: is no tensor of the model that config.json says; train it again"
