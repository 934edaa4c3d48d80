"""An EFT row of SRLM as a training row and as text."""

from __future__ import annotations

from pipeline.core.records import ScoredSolution, Text
from pipeline.language.renderer import Renderer
from pipeline.language.steps import join
from pipeline.methods.srlm import scoring

Row = ScoredSolution


def token_ids(renderer: Renderer, row: ScoredSolution) -> tuple[list[int], list[int]]:
    """Prompt and completion: the scorer's prompt, and explanation and score."""
    text = scoring.prompt(renderer.family, row.prompt, row.solution, renderer.special)
    return renderer.turn(text), renderer.answer(row.judgment)


def text(row: ScoredSolution) -> Text:
    """Problem and solution, and the judgment."""
    return Text("EFT", row.solution_id, join([row.prompt, row.solution]), row.judgment)
