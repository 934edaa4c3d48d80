"""A model folder as it loads: configuration and tokenizer for real, tensors by shape, then value by value."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES
from transformers.utils import logging

from pipeline.training import model_files


def faults(folder: Path, source: str, max_model_len: int, key: str) -> Iterator[str]:
    """A line for each thing that keeps a model folder whose files are sound (`model_files.faults`) from loading whole.

    No code of the folder is run and no weights are held: the model is laid out on the meta device, each tensor is read
    once and alone.
    """
    where = f"{key}: {source}"
    logging.disable_progress_bar()
    logging.set_verbosity_error()
    try:
        config = AutoConfig.from_pretrained(folder, trust_remote_code=False)
    except Exception as error:  # whatever a stranger's file does to the library that reads it
        yield f"{where} {_unread(error)}"
        return
    yield from model_files.too_long(config.to_dict(), source, max_model_len)
    named, known = config.architectures or [], set(MODEL_FOR_CAUSAL_LM_MAPPING_NAMES.values())
    if named and not known & set(named):
        yield f"{where} is a {named[0]}, which is no causal language model that transformers knows; give one"
        return
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
    except Exception as error:
        yield f"{where} has a tokenizer that cannot be loaded ({_line(error)}); save it again"
        return
    try:
        model, info = AutoModelForCausalLM.from_pretrained(
            folder,
            device_map="meta",
            use_safetensors=True,
            trust_remote_code=False,
            ignore_mismatched_sizes=True,
            output_loading_info=True,
        )
    except Exception as error:
        yield f"{where} {_unread(error)}"
        return
    yield from (f"{where} {line}" for line in _of_model(model, info, tokenizer))
    yield from (f"{where} {line}" for line in _values(model_files.weight_files(folder)))


def _of_model(model: Any, info: dict[str, Any], tokenizer: Any) -> Iterator[str]:
    """Faults of a model without weights: tensors beside its configuration, vocabulary, what saving would refuse."""
    lacks = sorted(info["missing_keys"])
    over = sorted(info["unexpected_keys"])
    other = sorted(name for name, *_ in info["mismatched_keys"])
    for names, fault in ((lacks, "lacks tensors of"), (over, "has tensors beside"), (other, "has other shapes than")):
        if names:
            yield f"{fault} its config.json: {_named(names)}; give configuration and weights that belong together"
    rows, top = model.get_input_embeddings().weight.shape[0], max(tokenizer.get_vocab().values(), default=-1)
    if top >= rows:
        yield f"has a tokenizer with ids up to {top}, its embedding {rows} rows; resize it (`resize_token_embeddings`)"
    with tempfile.TemporaryDirectory() as place:
        try:
            model.save_pretrained(place, state_dict={})
        except ValueError as error:
            yield f"has a generation_config.json that cannot be saved again ({_line(error)}); correct it"


def _values(weights: Sequence[Path]) -> Iterator[str]:
    """Faults of the numbers: a NaN or an infinity anywhere."""
    broken = []
    for file in weights:
        with safe_open(str(file), framework="pt") as tensors:
            for name in tensors.keys():  # noqa: SIM118  # no mapping
                tensor = tensors.get_tensor(name)
                if tensor.is_floating_point() and tensor.numel():
                    least, most = torch.aminmax(tensor)  # a NaN is both; nothing of the tensor's size is made
                    if not (torch.isfinite(least) and torch.isfinite(most)):
                        broken.append(name)
    if broken:
        yield f"has NaN or infinity in {_named(broken)}; give sound weights"


def _named(names: Sequence[str]) -> str:
    return names[0] + (f" and {len(names) - 1} more" if len(names) > 1 else "")


def _unread(error: Exception) -> str:
    if "trust_remote_code" in str(error) or "custom code" in str(error):
        return "needs code of its own (auto_map), which is never run here; give a model that transformers knows"
    return f"cannot be loaded by transformers ({_line(error)}); correct it, or give another"


def _line(error: Exception) -> str:
    """An error's words in one line that is no novel."""
    words = " ".join(str(error).split())
    return words if len(words) <= 200 else words[:200] + "..."
