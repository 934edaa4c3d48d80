"""Strict, typed sections of params.yaml: an unknown or missing key is an error with one clear line."""

from __future__ import annotations

import dataclasses
import difflib
import types
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

import yaml

from pipeline.errors import PipelineError

Section = TypeVar("Section")


@dataclass(frozen=True)
class Sampling:
    """How a step or a judgment is sampled; temperature 0 is greedy. max_tokens is the cap of one request."""

    temperature: float
    top_p: float
    max_tokens: int


@dataclass(frozen=True)
class Prompts:
    """family: a template family shipped in pipeline/templates, or a folder with the same file names."""

    family: str


@dataclass(frozen=True)
class Engine:
    """vLLM. context: tokens of prompt and completion; seats: requests run at once by one copy of the model.

    copies: processes, each with the whole model (CPU: one a core). window: problems in work at once.
    cache_tokens: KV cache of one copy on a CPU.
    """

    dtype: str
    context: int
    seats: int
    copies: int
    window: int
    cache_tokens: int


@dataclass(frozen=True)
class Source:
    """Where problems come from. path: `world`, or a local .jsonl/.parquet/.csv file; rows: how many (0: all).

    prompt, answer, solution: names of columns; an empty string means that the file has none. format: `plain`,
    or `gsm8k` (calculator marks removed, the answer after `####`).
    """

    path: str
    rows: int
    prompt: str = ""
    answer: str = ""
    solution: str = ""
    format: str = "plain"


@dataclass(frozen=True)
class Problems:
    """Sources by role. rounds: every round takes `rounds.rows` of it, or as many as its own `problems` key says."""

    ift: Source
    prm: Source
    eft: Source
    rounds: Source
    evaluation: dict[str, Source]


@dataclass(frozen=True)
class World:
    """The embedded world. base: `shipped`, `train`, or a model folder or Hub id to start from.

    careless: how often a step open to a misconception shows it in the corpus. checks: share of examiners' notes.
    splits: evaluation splits as name: [fewest steps, most steps, problems].
    """

    base: str
    seed: int
    careless: float
    checks: float
    splits: dict[str, list[int]]


@dataclass(frozen=True)
class Training:
    """Supervised training: batch in rows, one cosine schedule with warm-up as a share of all updates."""

    epochs: int
    batch: int
    learning_rate: float
    warmup: float
    max_length: int
    bf16: bool
    threads: int


@dataclass(frozen=True)
class Base:
    """The recipe of the world's base model: its size, documents seen once each, batch in documents.

    matrix_rate: Muon's learning rate for hidden matrices; other_rate: AdamW's for embeddings and norms.
    """

    width: int
    layers: int
    context: int
    documents: int
    batch: int
    matrix_rate: float
    other_rate: float
    warmup: float
    threads: int


@dataclass(frozen=True)
class EftSearch:
    """Monte-Carlo tree search: PUCT constant, sampled candidates an expansion, simulated steps, iterations."""

    width: int
    iterations: int
    depth: int
    exploration: float
    sampling: Sampling
    max_steps: int


@dataclass(frozen=True)
class Eft:
    """margin: smallest difference of P("+") between best and worst; test_pairs are held out by problem."""

    margin: float
    pairs_per_problem: int
    test_pairs: int
    annotator: str


@dataclass(frozen=True)
class Judge:
    """orders: `both` (a win counts only if it holds in both orders) or `single` (one order, drawn by hash)."""

    orders: str
    sampling: Sampling


@dataclass(frozen=True)
class Search:
    """Step-wise search with the model's own judgments (paper, section 3.3)."""

    width: int
    sampling: Sampling
    max_steps: int
    rollbacks: int
    judge: Judge


@dataclass(frozen=True)
class Pairs:
    """min_gap: smallest difference in wins between chosen and rejected."""

    min_gap: float


@dataclass(frozen=True)
class Dpo:
    """Step-wise DPO: beta, weight of the likelihood term on the chosen step, and the training itself."""

    beta: float
    likelihood: float
    training: Training


@dataclass(frozen=True)
class Evaluate:
    """Greedy decoding of whole solutions; max_tokens: cap of one solution."""

    max_tokens: int


@dataclass(frozen=True)
class JudgeEval:
    """shots: worked examples before the pair, for models that never learned to judge (the paper's M0: 3)."""

    shots: dict[str, int]


@dataclass(frozen=True)
class Scale:
    """Test-time step search at evaluation; models that get it, and problems a split."""

    models: list[str]
    problems: int


def load(path: Path, name: str, kind: type[Section], override: dict[str, Any] | None = None) -> Section:
    """Section `name` of the YAML file as `kind`, with a round's own keys merged over it.

    Raises PipelineError naming file and key for an unknown, missing or ill-typed one.
    """
    document = read_yaml(path)
    if name not in document:
        raise PipelineError(f"{path}: section `{name}` is missing; `psr profile tiny` writes a whole file")
    return build(kind, merged(document[name], override or {}), f"{path}: {name}")


def read_yaml(path: Path) -> dict[str, Any]:
    """The whole file as plain values."""
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise PipelineError(f"{path}: no such file; `psr profile tiny` writes one") from error
    except yaml.YAMLError as error:
        raise PipelineError(f"{path}: not YAML ({' '.join(str(error).split())})") from error
    if not isinstance(document, dict):
        raise PipelineError(f"{path}: must be a mapping of sections")
    return document


def merged(base: Any, override: dict[str, Any]) -> Any:
    """`base` with the keys of `override` laid over it, section by section."""
    if not isinstance(base, dict):
        return base
    result = dict(base)
    for key, value in override.items():
        result[key] = merged(result[key], value) if isinstance(value, dict) and key in result else value
    return result


def build(kind: Any, value: Any, where: str) -> Any:
    """`value` checked against the type `kind`, sections as frozen dataclasses."""
    if dataclasses.is_dataclass(kind):
        return _section(kind, value, where)
    if get_origin(kind) is dict:
        if not isinstance(value, dict):
            raise PipelineError(f"{where}: must be a mapping, is {value!r}")
        return {key: build(get_args(kind)[1], part, f"{where}.{key}") for key, part in value.items()}
    if get_origin(kind) is list:
        if not isinstance(value, list):
            raise PipelineError(f"{where}: must be a list, is {value!r}")
        return [build(get_args(kind)[0], part, f"{where}[{index}]") for index, part in enumerate(value)]
    if isinstance(kind, types.UnionType):
        return None if value is None else build(get_args(kind)[0], value, where)
    return _scalar(kind, value, where)


def _section(kind: Any, value: Any, where: str) -> Any:
    if not isinstance(value, dict):
        raise PipelineError(f"{where}: must be a section with keys, is {value!r}")
    hints = get_type_hints(kind)
    for key in value:
        if key not in hints:
            near = difflib.get_close_matches(str(key), hints, n=1)
            advice = f"did you mean `{near[0]}`?" if near else f"known keys: {', '.join(hints)}"
            raise PipelineError(f"{where}.{key}: unknown key; {advice}")
    optional = {f.name for f in dataclasses.fields(kind) if f.default is not dataclasses.MISSING}
    for key in hints:
        if key not in value and key not in optional:
            raise PipelineError(f"{where}.{key}: missing key; add it (`psr profile tiny` shows its default)")
    return kind(**{key: build(hints[key], part, f"{where}.{key}") for key, part in value.items()})


def _scalar(kind: type, value: Any, where: str) -> Any:
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if kind is float and isinstance(value, str):  # YAML reads 1e-6 as text
        try:
            return float(value)
        except ValueError:
            pass
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise PipelineError(f"{where}: must be {kind.__name__}, is {value!r}")
    return value
