"""A model folder as its files say: what keeps it from being used here, without loading anything."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from pipeline.core.errors import PipelineError
from pipeline.core.files import read_json

_INDEX = "model.safetensors.index.json"
_WHOLE = "model.safetensors"
BESIDE = (".json", ".jinja", ".txt", ".model")  # what a folder holds beside its weights; no code
_TOKENIZERS = ("tokenizer.json", "tokenizer.model", "vocab.json", "vocab.txt", "spiece.model")
_SENSES = ("vision_config", "audio_config", "image_token_id", "audio_token_id")
_POSITIONS = ("max_position_embeddings", "n_positions", "max_seq_len", "seq_length", "max_sequence_length")
# Of these, max_position_embeddings is what was reached by the scaling; of the others, what was before it (as in vLLM).
_SCALED = ("default", "su", "longrope", "llama3", "yarn", "deepseek_yarn")


def faults(folder: Path, source: str, max_model_len: int, key: str = "base.model") -> Iterator[str]:
    """A line for each thing that keeps a model folder from being trained and served here.

    source: how params.yaml names the folder, under `key`. max_model_len: tokens of prompt and completion.
    """
    where = f"{key}: {source}"
    if (folder / "adapter_config.json").exists():
        yield f"{where} holds an adapter; merge it into its model (peft: `merge_and_unload`), give what that saves"
        return
    try:
        yield from (f"{where} {line}" for line in _weights(folder))
        config, _ = (_settings(folder / name) for name in ("config.json", "generation_config.json"))
    except PipelineError as error:
        yield f"{key}: {error}"
        return
    if not any((folder / name).exists() for name in _TOKENIZERS):
        yield f"{where} has no tokenizer (tokenizer.json); save it there with `tokenizer.save_pretrained`"
    if config is None:
        yield f"{where} has no config.json; give the folder that `save_pretrained` writes"
    else:
        yield from (f"{where} {line}" for line in _kind(folder, config))
        yield from too_long(config, source, max_model_len)


def wanted(folder: Path) -> list[Path]:
    """The files of a model folder that become M0: weights, configuration and tokenizer."""
    weights = weight_files(folder)
    beside = (file for file in folder.iterdir() if file.suffix in BESIDE)
    return sorted([*weights, *(file for file in beside if file.name != _INDEX or folder / _WHOLE not in weights)])


def weight_files(folder: Path) -> list[Path]:
    """The safetensors that a model folder's weights are in: the one file, else those that the index names.

    Raises PipelineError if the index is no JSON or does not name files beside it.
    """
    if (folder / _WHOLE).exists() or not (folder / _INDEX).exists():
        return [file for file in [folder / _WHOLE] if file.exists()]
    index = read_json(folder / _INDEX)
    named = index.get("weight_map") if isinstance(index, dict) else None
    names = sorted(set(map(str, named.values()))) if isinstance(named, dict) else []
    if not names or any(Path(name).name != name for name in names):
        raise PipelineError(f"{folder / _INDEX}: its `weight_map` does not name files beside it; download it again")
    return [folder / name for name in names]


def _weights(folder: Path) -> Iterator[str]:
    """Faults of the weights: none, no index, shards that are absent, files that are torn."""
    files = weight_files(folder)
    if not files and any(folder.glob("*.safetensors")):
        yield f"has weights that neither are {_WHOLE} nor stand in {_INDEX}; download it again"
    elif not files:
        yield "has no weights as safetensors; convert it first"
    if absent := [file.name for file in files if not file.exists()]:
        yield f"lacks {absent[0]}, which {_INDEX} names{_more(absent)}; download it again"
    for file in files:
        if file.exists():
            try:
                with safe_open(str(file), framework="numpy"):
                    pass  # its header was checked against its length
            except SafetensorError as error:
                yield f"has a torn file {file.name} ({error}); download it again"


def _settings(path: Path) -> dict[str, Any] | None:
    settings = read_json(path) if path.exists() else None
    if not isinstance(settings, dict | None):
        raise PipelineError(f"{path}: holds no settings by name; download it again")
    return settings


def _kind(folder: Path, config: Mapping[str, Any]) -> Iterator[str]:
    """Faults of the kind of model."""
    if config.get("is_encoder_decoder"):
        yield "is an encoder-decoder model; give a causal language model"
    processors = ("preprocessor_config.json", "processor_config.json")
    if any(key in config for key in _SENSES) or any((folder / name).exists() for name in processors):
        yield "is multimodal: its processor and towers are not trained here; give its text model alone"
    if quantised := config.get("quantization_config"):
        method = quantised.get("quant_method", "") if isinstance(quantised, dict) else ""
        yield f"is quantised{f' ({method})' if method else ''}, which cannot be trained; give the unquantised weights"


def too_long(config: Mapping[str, Any], source: str, max_model_len: int) -> Iterator[str]:
    """A line if the context is longer than the model's positions, its rope scaling counted as vLLM counts it."""
    known = [config[key] for key in _POSITIONS if isinstance(config.get(key), int)]
    if known and max_model_len > (most := int(min(known) * _scaling(config))):
        yield f"inference.max_model_len: {max_model_len} is above the {most} positions of {source}; give at most {most}"


def _scaling(config: Mapping[str, Any]) -> float:
    rope = config.get("rope_parameters") or config.get("rope_scaling") or {}
    nested = [part for part in rope.values() if isinstance(part, dict)]  # one for each kind of layer
    for part in nested or [rope]:
        kind = part.get("rope_type", part.get("type", "default"))
        if kind not in _SCALED and part.get("factor"):
            return float(part["factor"])
    return 1.0


def _more(names: list[str]) -> str:
    return f" (and {len(names) - 1} more)" if len(names) > 1 else ""
