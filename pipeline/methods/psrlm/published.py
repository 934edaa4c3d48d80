"""Process reward models that somebody else trained, whose language-model head predicts label tokens.

Two forms are published. Math-Shepherd's (`marked`): problem and steps are one text, a mark ends each step, and the
label is what the model says after it. RLHFlow's (`turns`): each step is a user's turn of a chat, the label is the
assistant's answer, the steps before it labelled as good. Their texts are tokenised whole, as their authors do, by their
own tokenizer. How a model is asked lies beside its weights, in `asked.json`.
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
    """Write beside the weights how the model is asked. Raises PipelineError where it cannot be."""
    files.write_json(model / FILE, settings.model_dump(exclude={"model"}))
    asking = asker(model)
    renderer = _renderer(model, settings)
    asking(renderer, "1+1", (), "2", "prm")


def asker(model: Path) -> prm.Ask:
    """How the PRM of a folder is asked: as ours, or as its `asked.json` says."""
    if not (model / FILE).is_file():
        return prm.request
    settings = build(Published, read_yaml(model / FILE), f"{model / FILE}: ")
    own = _renderer(model, settings)
    labels = own.last(settings.good), own.last(settings.bad)
    if labels[0] == labels[1]:
        raise PipelineError(
            f"prm.published: good {settings.good!r} and bad {settings.bad!r} end in the same token; give its labels"
        )
    render = _marked if settings.form == "marked" else _turns

    def ask(renderer: Renderer, problem: str, before: Sequence[str], step: str, engine: str) -> Request:
        texts = [harmless(text, own.special) for text in (problem, *before, step)]
        first = settings.prompt.replace("{problem}", texts[0])
        return Request(tuple(render(own, settings, first, texts[1:])), 1, labels=labels, model=engine)

    return ask


def _renderer(model: Path, settings: Published) -> Renderer:
    tokenizer = AutoTokenizer.from_pretrained(str(model), trust_remote_code=False)
    return Renderer(tokenizer, "", chat="never")


def _marked(renderer: Renderer, settings: Published, first: str, steps: Sequence[str]) -> list[int]:
    return renderer.turn(first + "\n".join(step + settings.mark for step in steps))


def _turns(renderer: Renderer, settings: Published, first: str, steps: Sequence[str]) -> list[int]:
    turns = [first + steps[0]]
    for step in steps[1:]:
        turns += [settings.good, step]
    return renderer.conversation(turns)
