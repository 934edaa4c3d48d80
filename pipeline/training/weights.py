"""Reading and writing model folders: safetensors, configuration and tokenizer, nothing that needs pickle."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from huggingface_hub import save_torch_state_dict
from peft import LoraConfig, get_peft_model, get_peft_model_state_dict, set_peft_model_state_dict
from transformers import AutoModelForCausalLM, AutoTokenizer

from pipeline.core.files import require_weights
from pipeline.training.settings import Lora

_SHARD = "5GB"  # of one safetensors file


def load(model: Path, dtype: torch.dtype = torch.float32) -> tuple[Any, Any]:
    """Model and tokenizer of a model folder; PipelineError if it has no weights."""
    require_weights(model)
    tokenizer = AutoTokenizer.from_pretrained(str(model), trust_remote_code=False)
    safe = {"trust_remote_code": False, "use_safetensors": True}
    return AutoModelForCausalLM.from_pretrained(str(model), dtype=dtype, **safe), tokenizer


def save(model: Any, tokenizer: Any, folder: Path) -> None:
    """The model as it stands, with its tokenizer."""
    folder.mkdir(parents=True, exist_ok=True)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def adapters(lora: Lora) -> LoraConfig | None:
    """peft's configuration of the adapters; None where all weights are trained."""
    if lora.rank == 0:
        return None
    return LoraConfig(
        r=lora.rank,
        lora_alpha=lora.alpha,
        lora_dropout=lora.dropout,
        target_modules=list(lora.targets) or "all-linear",
        task_type="CAUSAL_LM",
    )


def own_names(model: Any) -> set[str]:
    """Names of the tensors that a model's files hold: a tied one stands once."""
    return {name for name, _ in model.named_parameters()} | {name for name, _ in model.named_buffers()}


def save_trained(trainer: Any, start: Path, names: set[str], dtype: torch.dtype, tokenizer: Any, folder: Path) -> None:
    """What was trained from `start`, whole and in `dtype`; called by every rank, written by the first.

    names: see `own_names`, of the model before it was trained. Adapters are merged into the weights of `start`: a
    server then needs nothing but the folder.
    """
    state = trainer.accelerator.get_state_dict(trainer.model_wrapped)
    if not trainer.accelerator.is_main_process:
        return
    model = trainer.accelerator.unwrap_model(trainer.model_wrapped)
    if configured := getattr(model, "peft_config", None):
        own = get_peft_model_state_dict(model, state_dict=state)
        model = get_peft_model(load(start)[0], configured["default"])
        set_peft_model_state_dict(model, own)
        model = model.merge_and_unload()
        state, names = model.state_dict(), own_names(model)
    folder.mkdir(parents=True, exist_ok=True)
    kept = {name: _alone(tensor, dtype) for name, tensor in state.items() if name in names}
    save_torch_state_dict(kept, folder, max_shard_size=_SHARD)
    model.config.dtype = dtype
    model.config.save_pretrained(folder)
    if model.can_generate():
        model.generation_config.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def _alone(tensor: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """A tensor in `dtype` with a storage of its own: one gathered from ranks may be a part of a larger buffer, which
    safetensors does not save."""
    tensor = tensor.to(dtype) if tensor.is_floating_point() else tensor
    return tensor if tensor.untyped_storage().nbytes() == tensor.nbytes else tensor.clone()
