"""A model folder as it loads: configuration and tokenizer for real, tensors by shape, then value by value.

No code of the folder is run and no weights are held: the model is laid out on the meta device, each tensor is read
once and alone.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES
from transformers.utils import logging

from pipeline.training import model_files


class Unloadable(Exception):
    """What a file does to the library that reads it; its message is one line. part: `config.json`, `tokenizer`, or ""
    for the model."""

    def __init__(self, part: str, error: Exception) -> None:
        words = " ".join(str(error).split())
        super().__init__(words if len(words) <= 200 else words[:200] + "...")
        self.part, self.custom = part, "trust_remote_code" in str(error) or "custom code" in str(error)


@dataclass(frozen=True)
class LaidOut:
    """A model without weights, its tokenizer, and what its files have that config.json has not, or the other way round.

    mismatched: names of tensors with their shapes in the files and by config.json.
    """

    model: Any
    tokenizer: Any
    missing: list[str]
    unexpected: list[str]
    mismatched: list[tuple[str, tuple[int, ...], tuple[int, ...]]]


def configuration(folder: Path) -> Any:
    """The folder's config.json as transformers reads it; raises Unloadable."""
    logging.disable_progress_bar()
    logging.set_verbosity_error()
    try:
        return AutoConfig.from_pretrained(folder, trust_remote_code=False)
    except Exception as error:  # whatever a stranger's file does to the library that reads it
        raise Unloadable("config.json", error) from error


def laid_out(folder: Path, config: Any) -> LaidOut:
    """The model of a configuration on the meta device, its files compared with it; raises Unloadable."""
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
    except Exception as error:
        raise Unloadable("tokenizer", error) from error
    try:
        model, info = AutoModelForCausalLM.from_pretrained(
            folder, config=config, device_map="meta", use_safetensors=True, trust_remote_code=False,
            ignore_mismatched_sizes=True, output_loading_info=True,
        )  # fmt: skip
    except Exception as error:
        raise Unloadable("", error) from error
    other = sorted((name, tuple(has), tuple(wanted)) for name, has, wanted in info["mismatched_keys"])
    return LaidOut(model, tokenizer, sorted(info["missing_keys"]), sorted(info["unexpected_keys"]), other)


def not_finite(file: Path) -> Iterator[tuple[str, int, int]]:
    """Each tensor of a safetensors file with a NaN or an infinity: its name, how many, and of how many values."""
    with safe_open(str(file), framework="pt") as tensors:
        for name in tensors.keys():  # noqa: SIM118  # no mapping
            tensor = tensors.get_tensor(name)
            if tensor.is_floating_point() and tensor.numel():
                least, most = torch.aminmax(tensor)  # a NaN is both; nothing of the tensor's size is made
                if not (torch.isfinite(least) and torch.isfinite(most)):
                    yield name, int((~torch.isfinite(tensor)).sum()), tensor.numel()


def faults(folder: Path, source: str, max_model_len: int, key: str) -> Iterator[str]:
    """A line for each thing that keeps a folder of sound files (`model_files.faults`) from loading whole."""
    where = f"{key}: {source}"
    try:
        config = configuration(folder)
        yield from model_files.too_long(config.to_dict(), source, max_model_len)
        named, known = config.architectures or [], set(MODEL_FOR_CAUSAL_LM_MAPPING_NAMES.values())
        if named and not known & set(named):
            yield f"{where} is a {named[0]}, which is no causal language model that transformers knows; give one"
            return
        model = laid_out(folder, config)
    except Unloadable as error:
        yield f"{where} {_unread(error)}"
        return
    yield from (f"{where} {line}" for line in _of_model(model))
    broken = [name for file in model_files.weight_files(folder) for name, *_ in not_finite(file)]
    if broken:
        yield f"{where} has NaN or infinity in {_named(broken)}; give sound weights"


def _of_model(laid: LaidOut) -> Iterator[str]:
    """Faults of a model without weights: tensors beside its configuration, vocabulary, what saving would refuse."""
    other = [name for name, *_ in laid.mismatched]
    for names, fault in (
        (laid.missing, "lacks tensors of"), (laid.unexpected, "has tensors beside"), (other, "has other shapes than"),
    ):  # fmt: skip
        if names:
            yield f"{fault} its config.json: {_named(names)}; give configuration and weights that belong together"
    rows = laid.model.get_input_embeddings().weight.shape[0]
    top = max(laid.tokenizer.get_vocab().values(), default=-1)
    if top >= rows:
        yield f"has a tokenizer with ids up to {top}, its embedding {rows} rows; resize it (`resize_token_embeddings`)"
    with tempfile.TemporaryDirectory() as place:
        try:
            laid.model.save_pretrained(place, state_dict={})
        except ValueError as error:
            line = Unloadable("generation_config.json", error)
            yield f"has a generation_config.json that cannot be saved again ({line}); correct it"


def _named(names: Sequence[str]) -> str:
    return names[0] + (f" and {len(names) - 1} more" if len(names) > 1 else "")


def _unread(error: Unloadable) -> str:
    if error.part == "tokenizer":
        return f"has a tokenizer that cannot be loaded ({error}); save it again"
    if error.custom:
        return "needs code of its own (auto_map), which is never run here; give a model that transformers knows"
    return f"cannot be loaded by transformers ({error}); correct it, or give another"
