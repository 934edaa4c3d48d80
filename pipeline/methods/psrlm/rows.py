"""An EFT row of PSRLM as a training row and as text."""

from __future__ import annotations

from pipeline.core.records import JudgedPair, Text
from pipeline.language.renderer import Renderer
from pipeline.language.steps import join
from pipeline.methods.psrlm import judge

Row = JudgedPair


def token_ids(renderer: Renderer, row: JudgedPair) -> tuple[list[int], list[int]]:
    """Prompt and completion: the judge's prompt, and explanation and verdict."""
    text = judge.prompt(renderer.family, row.prompt, row.steps, row.a, row.b, renderer.special)
    return renderer.turn(text), renderer.answer(row.judgment)


def text(row: JudgedPair) -> Text:
    """Problem, steps so far and both candidates, and the judgment."""
    return Text("EFT", row.pair_id, join([row.prompt, *row.steps, row.a, row.b]), row.judgment)
