"""Process reward models that somebody else trained, whose language-model head predicts label tokens.

Two forms are published. Math-Shepherd's (`marked`): problem and steps are one text, a mark ends each step, and the
label is what the model says after it. RLHFlow's (`turns`): each step is a user's turn of a chat, the label is the
assistant's answer, the steps before it labelled as good. Their texts are tokenised whole, as their authors do, by their
own tokenizer. How to ask a model lies beside its weights, in `asked.json`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from transformers import AutoTokenizer

from pipeline.core import files
from pipeline.core.config import build, read_yaml
from pipeline.core.errors import PipelineError
from pipeline.inference.requests import Request
from pipeline.language.harmless import harmless
from pipeline.language.renderer import Renderer
from pipeline.methods.psrlm import prm
from pipeline.training.settings import Published

FILE = "asked.json"


def keep(settings: Published, model: Path) -> None:
    """Write beside the weights how to ask the model. Raises PipelineError where it cannot be."""
    files.write_json(model / FILE, settings.model_dump(exclude={"model"}))
    asker(model)(_renderer(model), "1+1", (), "2", "prm")


def asker(model: Path) -> prm.Ask:
    """How to ask the PRM of a folder: as ours, or as its `asked.json` says."""
    if not (model / FILE).is_file():
        return prm.request
    settings = build(Published, read_yaml(model / FILE), f"{model / FILE}: ")
    own = _renderer(model)
    labels = own.last(settings.good), own.last(settings.bad)
    if labels[0] == labels[1]:
        raise PipelineError(
            f"prm.published: good {settings.good!r} and bad {settings.bad!r} end in the same token; give its labels"
        )

    def ask(renderer: Renderer, problem: str, before: Sequence[str], step: str, engine: str) -> Request:
        texts = [harmless(text, own.special) for text in (problem, *before, step)]
        beginning, steps = settings.prompt.replace("{problem}", texts[0]), texts[1:]
        if settings.form == "marked":
            ids = own.turn(beginning + "\n".join(step + settings.mark for step in steps))
        else:
            labelled = [turn for step in steps[1:] for turn in (settings.good, step)]
            ids = own.conversation([beginning + steps[0], *labelled])
        return Request(tuple(ids), 1, labels=labels, model=engine)

    return ask


def _renderer(model: Path) -> Renderer:
    tokenizer = AutoTokenizer.from_pretrained(str(model), trust_remote_code=False)
    return Renderer(tokenizer, "", chat="never")
