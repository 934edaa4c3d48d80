"""Lengths and counts that a plan starts from: a few real problems in the base model's tokens, else assumptions."""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from huggingface_hub import try_to_load_from_cache
from huggingface_hub.errors import HFValidationError

from pipeline import domains
from pipeline.core import plugins
from pipeline.core.errors import PipelineError
from pipeline.core.files import read_json
from pipeline.core.memory import Architecture, architecture
from pipeline.core.workload import Shape, Sizes
from pipeline.data import problems as reading
from pipeline.data import sources
from pipeline.data.settings import GENERATED, Source
from pipeline.language import prompts, steps
from pipeline.language.renderer import Renderer
from pipeline.params.schema import Common

EXAMPLES = 60
_QWEN = {"model_type": "qwen2", "tie_word_embeddings": False, "vocab_size": 152064}
_SMOLLM2 = {"model_type": "llama", "hidden_size": 576, "intermediate_size": 1536, "num_hidden_layers": 30,
    "num_attention_heads": 9, "num_key_value_heads": 3, "vocab_size": 49152, "tie_word_embeddings": True}  # fmt: skip
# config.json of the models that the profiles name, for a plan without the network.
CONFIGS: dict[str, dict[str, Any]] = {
    "Qwen/Qwen2.5-Math-1.5B": _QWEN | {"hidden_size": 1536, "intermediate_size": 8960, "num_hidden_layers": 28,
        "num_attention_heads": 12, "num_key_value_heads": 2, "vocab_size": 151936, "tie_word_embeddings": True},
    "Qwen/Qwen2.5-Math-7B": _QWEN | {"hidden_size": 3584, "intermediate_size": 18944, "num_hidden_layers": 28,
        "num_attention_heads": 28, "num_key_value_heads": 4},
    "Qwen/Qwen2.5-Math-72B": _QWEN | {"hidden_size": 8192, "intermediate_size": 29568, "num_hidden_layers": 80,
        "num_attention_heads": 64, "num_key_value_heads": 8},
    "HuggingFaceTB/SmolLM2-135M-Instruct": _SMOLLM2,
}  # fmt: skip
# Problems of sources that are read whole.
ROWS = {
    "known:gsm8k": 1319, "known:math": 5000, "known:math500": 500, "known:gaokao2023en": 385,
    "known:olympiadbench": 675, "known:aime2024": 30, "known:amc2023": 40, "known:prm800k": 12000,
}  # fmt: skip


def folder(params: Common, model: str) -> Path | None:
    """The folder of a model: the domain's own, the user's, or that of the Hub's cache; None where none is."""
    at = Path(model)
    if model in ("shipped", "train"):
        at = Path(plugins.part(domains.__name__, params.domain, "base").SHIPPED)
    if (at / "config.json").is_file():
        return at
    with suppress(HFValidationError):  # no Hub id
        if isinstance(cached := try_to_load_from_cache(model, "config.json"), str):
            return Path(cached).parent
    return None


def shape_of(params: Common, model: str) -> Architecture | None:
    """The shape of a model that params name; None where no config.json is at hand, or one of another kind."""
    at = folder(params, model)
    with suppress(PipelineError):
        return architecture(read_json(at / "config.json") if at else CONFIGS.get(model), model)
    return None


class Counted:
    """Words, digits and marks of texts as their tokens, for a plan without a tokenizer.

    Of SmolLM2's tokens of the templates, GSM8K, MATH, OlympiadBench and PRM800K these are 91 to 105%.
    """

    special: tuple[str, ...] = ()
    _TOKEN = re.compile(r"[^\W\d_]+|\d|[^\w\s]|_|\n+")

    def __init__(self, family: str) -> None:
        self.family = family

    def text(self, text: str) -> list[str]:
        """As many as the text would have tokens."""
        return self._TOKEN.findall(text)


def sizes(params: Common, assumed: Mapping[str, float], given: Mapping[str, float]) -> tuple[Sizes, list[str]]:
    """Lengths in tokens, and a line on where each comes from; given: assumptions that win over what is measured."""
    at, family = folder(params, params.base.model), params.prompts.family
    with_tokenizer = at is not None and any((at / name).is_file() for name in ("tokenizer.json", "tokenizer.model"))
    if with_tokenizer:
        from transformers import AutoTokenizer  # takes seconds

        tokenizer = AutoTokenizer.from_pretrained(str(at), trust_remote_code=False)
        renderer: Any = Renderer(tokenizer, family, params.prompts.chat)
        note = f"tokens: by the tokenizer of {params.base.model}"
    else:
        renderer = Counted(family)
        note = f"tokens: words, digits and marks (no tokenizer of {params.base.model} here)"
    examples = _examples(params)
    shapes = tuple(
        Shape(len(renderer.text(p)), tuple(float(len(renderer.text(s + "\n"))) for s in solution))
        for p, solution in examples
    )
    values, marker = dict(assumed), float(len(renderer.text("Step 1:")))
    if shapes:
        for name in ("problem", "steps", "step"):
            del values[name]
        values |= _of_oracle(params, renderer, examples) | dict(given)
        where = f"of {len(shapes)} problems with solutions ({params.problems.ift.path})"
    else:
        step = max(assumed["step"], marker + 1)  # a marker and something
        shapes = (Shape(assumed["problem"], (step,) * max(1, round(assumed["steps"]))),)
        where = f"assumed ({params.problems.ift.path} is not at hand)"

    def prompt(name: str) -> float:
        text = prompts.FIELD.sub("", prompts.template(family, name))
        return float(len(renderer.text(text)) + (len(renderer.turn("")) if with_tokenizer else 0))

    lengths = Sizes(shapes, prompt, marker, values)
    of_steps = f"{lengths.steps:.1f} steps of {lengths.step:.1f}"
    return lengths, [note, f"lengths: a problem {lengths.problem:.0f} tokens, {of_steps}, {where}"]


def _examples(params: Common) -> list[tuple[str, list[str]]]:
    """A few problems with solutions in steps: the domain's own, or the first of the IFT role's local file."""
    source = sources.known(params.problems.ift)
    if source.path == GENERATED:
        domain = getattr(params, params.domain)
        made = plugins.part(domains.__name__, params.domain, "problems")
        rows = made.training(domain, params.seed, "ift", EXAMPLES, set())
    elif source.path.startswith(sources.HUB):
        return []
    else:
        rows = itertools.islice(reading.problems(source, "ift", "ift", []), EXAMPLES)
    cut = plugins.part(domains.__name__, params.domain, "solutions").by_line
    return [(row.prompt, list(steps.parts(cut(row.solution)))) for row in rows if row.solution]


def _of_oracle(params: Common, renderer: Any, examples: list[tuple[str, list[str]]]) -> dict[str, float]:
    """Lengths of judgments and scores as the domain's oracle writes them, where it is the annotator."""
    if params.annotator.kind != "oracle":
        return {}
    oracle = plugins.part(domains.__name__, params.domain, "oracle")
    judged, scored = [], []
    for problem, solution in examples:
        for number, step in enumerate(solution):
            text, winner = oracle.compare(problem, solution[:number], step, step)
            judged.append(len(renderer.text(f"{text} [[{winner}]]")) + 1)
        marks, points = oracle.mark(problem, solution)
        scored.append(len(renderer.text("\n".join([*marks, f"Score: {points}"]))) + 1)
    return {"judgment": sum(judged) / len(judged), "scoring": sum(scored) / len(scored)}


def rows(params: Common, source: Source, assumed: Mapping[str, float]) -> float:
    """Problems that a source gives; where all of it is read, as the table says, or the rows of a local file."""
    if source.rows or source.size:
        return source.rows or source.size
    if source.path in ROWS:
        return ROWS[source.path]
    real = sources.known(source)
    if real.path == GENERATED:
        domain = getattr(params, params.domain)
        return len(plugins.part(domains.__name__, params.domain, "problems").evaluation(domain))
    if real.path.startswith(sources.HUB):
        return assumed["rows"]
    return sum(1 for _ in reading.problems(real, "rows", "rows", []))
