"""The process reward model: P("+") of a step given the problem and the steps before it (OpenR's recipe).

The language-model head predicts the label token `+` or `-` after a mark that follows the step (template `step_mark`);
the loss is on those tokens only. Served by vLLM as the log-probabilities of the two label tokens after the last mark.
The world's mark is empty: its small model compares a result with its own in the last layer, at the result itself, and
has no layer left to carry the outcome to a later token (accuracy 0.92 against 0.71 with a newline as mark).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pipeline.core.errors import PipelineError
from pipeline.core.means import proportion
from pipeline.core.records import LabelledSolution
from pipeline.inference.requests import Completion, Request, Task
from pipeline.language import prompts
from pipeline.language.renderer import Renderer

LABELS = ("+", "-")
# From renderer, problem, steps before, step and engine: what asks for P("+") of the step.
Ask = Callable[[Renderer, str, Sequence[str], str, str], Request]


def label_ids(renderer: Renderer) -> tuple[int, int]:
    """Ids of the label tokens `+` and `-`; PipelineError if one of them is not a single token."""
    ids = [renderer.text(label) for label in LABELS]
    if any(len(parts) != 1 for parts in ids):
        raise PipelineError("prm: the tokenizer splits `+` or `-` into several tokens; this model cannot be a PRM here")
    return ids[0][0], ids[1][0]


def marked_ids(renderer: Renderer, step: str) -> list[int]:
    """Ids of one step and the mark after it, where its label is predicted."""
    return [*renderer.marked(step), *renderer.text(prompts.template(renderer.family, "step_mark"))]


def training_row(renderer: Renderer, row: LabelledSolution) -> dict[str, list[int]]:
    """input_ids and labels of one labelled solution.

    The label stands where the token after a mark would be predicted; the input there is the next step's first
    token (the end-of-sequence token after the last), so the model never reads a label.
    """
    input_ids = renderer.prompt("step_label", problem=row.prompt)
    labels = [-100] * len(input_ids)
    plus, minus = label_ids(renderer)
    due: int | None = None
    for text, right in zip(row.completions, row.labels, strict=True):
        ids = marked_ids(renderer, text)
        labels += [-100 if due is None else due] + [-100] * (len(ids) - 1)
        input_ids += ids
        due = plus if right else minus
    assert due is not None
    return {"input_ids": [*input_ids, renderer.end], "labels": [*labels, due]}


def request(renderer: Renderer, problem: str, before: Sequence[str], step: str, model: str) -> Request:
    """Ask for P("+") of `step` after the steps `before`."""
    ids = renderer.prompt("step_label", problem=problem)
    for text in (*before, step):
        ids += marked_ids(renderer, text)
    return Request(tuple(ids), 1, labels=label_ids(renderer), model=model)


def probability(completion: Completion) -> float:
    """P("+") among the two labels; 0 where the prompt did not fit the context."""
    if completion.finish == "context":
        return 0.0
    plus, minus = completion.label_logprobs
    return 1 / (1 + math.exp(minus - plus))


def quality(predicted: Sequence[float], labels: Sequence[bool]) -> dict[str, float]:
    """How well P("+") > 1/2 matches labels on held-out steps: accuracy with its standard error, F1 of the label `-`."""
    pairs = [(plus > 0.5, label) for plus, label in zip(predicted, labels, strict=True)]
    accuracy, error = proportion([named == label for named, label in pairs])
    wrong = sum((not named) + (not label) for named, label in pairs)
    f1 = 2 * pairs.count((False, False)) / wrong if wrong else 1.0
    return {"steps": len(pairs), "accuracy": accuracy, "accuracy_error": error, "f1": f1}


@dataclass(frozen=True)
class Rating:
    """P("+") of one step."""

    plus: float


def rating_tasks(renderer: Renderer, rows: Sequence[LabelledSolution], ask: Ask = request) -> dict[str, Task[Rating]]:
    """A task for each step of labelled solutions, in order. ask: how to ask this model."""
    return {
        f"{row.solution_id}/{index}": _rate(ask(renderer, row.prompt, row.completions[:index], step, "policy"))
        for row in rows
        for index, step in enumerate(row.completions)
    }


def _rate(request: Request) -> Task[Rating]:
    (completion,) = yield [request]
    return Rating(probability(completion))
