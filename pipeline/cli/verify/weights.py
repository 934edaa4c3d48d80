"""Whether the weights of a model folder are whole and finite: one tensor is held at a time, no code of a model runs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path


def faults(folder: Path) -> Iterator[str]:
    """What is wrong, a line each: a file or the configuration cannot be read, a tensor is missing or not finite."""
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
    yield from _against_configuration(folder, shapes)


def _against_configuration(folder: Path, shapes: dict[str, tuple[int, ...]]) -> Iterator[str]:
    """Tensors that the model of config.json has, by its own classes, and the files have not, or in another shape."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    try:
        config = AutoConfig.from_pretrained(str(folder), trust_remote_code=False)
        with torch.device("meta"):
            model = AutoModelForCausalLM.from_config(config, trust_remote_code=False)
    except (OSError, ValueError, KeyError) as error:
        yield f"{folder / 'config.json'}: is no configuration to load ({' '.join(str(error).split())[:200]})"
        return
    index = folder / "model.safetensors.index.json"
    listed = set(json.loads(index.read_bytes())["weight_map"]) if index.is_file() else set[str]()
    wanted = {name: tuple(value.shape) for name, value in model.named_parameters()}  # a tied head is named once
    for name in sorted(wanted.keys() | listed):
        if name not in shapes:
            yield f"{folder}: {name}: no file has this tensor; train it again"
        elif name in wanted and wanted[name] != shapes[name]:
            yield f"{folder}: {name}: has shape {shapes[name]}, config.json says {wanted[name]}"
