"""What a training and a served model need of one device's memory, counted from the model's shape; all values in bytes.

Decoder-only models with gated MLPs, as Llama and Qwen2 are, no mixtures of experts. Weights are trained in fp32 with
AdamW, under bf16 autocast where `bf16` says so; TRL's fused LM head makes logits in tiles. The allocator's and NCCL's
own 5 to 8 GiB a GPU come on top.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from pipeline.core.errors import PipelineError

GIB = 2**30
BYTES = {"float32": 4, "bfloat16": 2, "float16": 2}
OVERHEAD = 6 * GIB  # of a GPU, for its context, NCCL and the allocator (seen: 5 to 8)
_TILE = (4096, 32768)  # tokens and vocabulary of one tile of TRL's fused LM head
_ADAM = 16  # of a trained parameter: fp32 weight 4, gradient 4, two moments 8
_KEYS = ("hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads", "vocab_size")
_KINDS = ("llama", "mistral", "qwen2", "qwen3")  # by model_type; no mixtures of experts, no other MLPs


@dataclass(frozen=True)
class Architecture:
    """The shape of a model, in numbers of elements. bias: whether query, key and value have one (Qwen2)."""

    hidden: int
    intermediate: int
    layers: int
    heads: int
    kv_heads: int
    head_dim: int
    vocab: int
    tied: bool
    bias: bool

    @property
    def kv(self) -> int:
        """Width of all keys of one token in one layer; that of its values is the same."""
        return self.kv_heads * self.head_dim

    @property
    def matrices(self) -> dict[str, tuple[int, int]]:
        """Inputs and outputs of the matrices of one layer, by PEFT's names of them."""
        width, hidden, inner = self.heads * self.head_dim, self.hidden, self.intermediate
        attention = {"q_proj": (hidden, width), "k_proj": (hidden, self.kv), "v_proj": (hidden, self.kv)}
        mlp = {"gate_proj": (hidden, inner), "up_proj": (hidden, inner), "down_proj": (inner, hidden)}
        return attention | {"o_proj": (width, hidden)} | mlp

    @property
    def layer(self) -> int:
        """Parameters of one layer: its matrices, two norms and the biases."""
        biases = self.heads * self.head_dim + 2 * self.kv if self.bias else 0
        return sum(inputs * outputs for inputs, outputs in self.matrices.values()) + 2 * self.hidden + biases

    @property
    def ends(self) -> int:
        """Parameters of the embedding and of the head, where that is not the same matrix."""
        return self.vocab * self.hidden * (1 if self.tied else 2)

    @property
    def parameters(self) -> int:
        """All parameters, the last norm included."""
        return self.layers * self.layer + self.ends + self.hidden

    def adapters(self, rank: int, targets: Iterable[str]) -> int:
        """Parameters of LoRA's two matrices beside each target of each layer. Raises PipelineError for another name."""
        names = list(targets)
        if unknown := sorted(set(names) - set(self.matrices)):
            raise PipelineError(f"lora.targets: no matrix {unknown[0]!r}; give some of {', '.join(self.matrices)}")
        return self.layers * sum(rank * sum(self.matrices[name]) for name in names)

    @property
    def splits(self) -> list[int]:
        """Numbers of GPUs over which tensor parallelism can split the attention heads."""
        return splits(self.heads, self.kv_heads)

    def kv_token(self, dtype: str) -> int:
        """Bytes that one token takes in the KV cache: a key and a value in every layer."""
        return 2 * self.layers * self.kv * BYTES[dtype]


def splits(heads: int, kv_heads: int) -> list[int]:
    """Numbers of GPUs over which vLLM can split attention heads: each has as many, and whole keys and values."""
    return [n for n in range(1, heads + 1) if heads % n == 0 and (kv_heads % n == 0 or n % kv_heads == 0)]


def architecture(config: Any, where: str) -> Architecture:
    """The shape that a model's config.json describes. Raises PipelineError for one that is no such model."""
    config = config if isinstance(config, dict) else {}
    odd = [key for key in _KEYS if not isinstance(config.get(key), int) or config[key] < 1]
    if odd or config.get("model_type") not in _KINDS:
        reason = f"no number {odd[0]}" if odd else f"model_type {config.get('model_type')!r}"
        raise PipelineError(f"{where}: {reason}, so its memory cannot be counted; give one of {', '.join(_KINDS)}")
    hidden, inner, layers, heads, vocab = (config[key] for key in _KEYS)
    bias = config.get("attention_bias", config.get("model_type") == "qwen2")
    head_dim, kv_heads = config.get("head_dim") or hidden // heads, config.get("num_key_value_heads") or heads
    tied = bool(config.get("tie_word_embeddings", False))
    return Architecture(hidden, inner, layers, heads, kv_heads, head_dim, vocab, tied, bool(bias))


@dataclass(frozen=True)
class Memory:
    """Bytes of one device by what takes them."""

    parts: Mapping[str, float]

    @property
    def total(self) -> float:
        return sum(self.parts.values())

    def __str__(self) -> str:
        """Each part in GiB."""
        return ", ".join(f"{name} {size / GIB:.2f}" for name, size in self.parts.items() if size >= GIB / 200)


def training(
    model: Architecture,
    rows: int,
    length: int,
    *,
    bf16: bool,
    processes: int = 1,
    sharded: bool = False,
    checkpointing: bool = False,
    gpu: bool = False,
    adapters: int = 0,
) -> Memory:
    """The peak of a training on one device.

    rows: that one device takes at once (DPO: two a pair); length: tokens of the longest. processes: devices that share
    weights, gradients and moments where `sharded` (FSDP2, ZeRO-3), else each has all of them. checkpointing: whether
    activations are computed again, layer by layer. adapters: LoRA's parameters, which are then all that is trained.

    weights and optimizer: 16 bytes a trained parameter, 4 of a frozen one (2 under bf16). gathered: what FSDP2 holds
    whole at once, in fp32: embedding and head, one layer and its gradient. casts: the bf16 copies that autocast keeps
    for the backward pass where nothing is sharded or computed again, of one layer else. activations with checkpointing:
    the input of each layer in bf16, and 2 (6 hidden + 4 intermediate) bytes a token of the one that is computed again;
    without it, for every layer what transformers' Llama and Qwen2 were seen to save: 32 hidden + 16 intermediate + 8 kv
    bytes a token in fp32, 30, 8 and 4 under bf16 autocast (rows of unequal length: a seventh more). head: the buffer of
    one tile of logits, and where no Triton kernel runs (not `gpu`) six fp32 tensors of the tile's part of the
    vocabulary.
    """
    share, tokens, hidden, inner = processes if sharded else 1, rows * length, model.hidden, model.intermediate
    trained, frozen = (adapters, model.parameters) if adapters else (model.parameters, 0)
    width = 2 if bf16 else 4
    if checkpointing:
        saved = tokens * width * (hidden * model.layers + 6 * hidden + 4 * inner)
        casts = width * model.layer if bf16 and not sharded else 0
    else:
        token = 30 * hidden + 8 * inner + 4 * model.kv if bf16 else 32 * hidden + 16 * inner + 8 * model.kv
        saved, casts = tokens * token * model.layers, 2 * (model.parameters - model.vocab * hidden) if bf16 else 0
    parts = {
        "weights and optimizer": (_ADAM * trained + width * frozen) / share,
        "gathered": 4 * model.ends + 8 * model.layer if sharded else 0,
        "casts": casts,
        "activations": saved,
        "head": min(tokens, _TILE[0]) * (width * _TILE[1] + (0 if gpu else 24 * min(model.vocab, _TILE[1]))),
    }
    return Memory(parts)


def serving(model: Architecture, dtype: str, tokens: int, tensor_parallel: int = 1) -> Memory:
    """One replica on each of its devices: weights, and a KV cache of `tokens`, split over `tensor_parallel` devices.

    Key and value heads fewer than the devices are held more than once.
    """
    shared = min(tensor_parallel, model.kv_heads)
    weights = model.parameters * BYTES[dtype] / tensor_parallel
    return Memory({"weights": weights, "KV cache": tokens * model.kv_token(dtype) / shared})
