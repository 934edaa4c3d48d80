"""A round's pairs as token rows, and step-wise DPO on them (paper, section 3.4)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pipeline.core import machine
from pipeline.core.command import note
from pipeline.core.config import Prompts
from pipeline.core.errors import PipelineError
from pipeline.core.files import require_weights
from pipeline.core.records import Dropped, Preference
from pipeline.language.renderer import Renderer
from pipeline.training import launch
from pipeline.training.common import ends, read_renderer
from pipeline.training.order import updates
from pipeline.training.settings import Dpo
from pipeline.training.supervised import Trained


def preference_rows(renderer: Renderer, pairs: Sequence[Preference]) -> list[dict[str, Any]]:
    """Pairs as token ids: the same prompt ids that the search sampled from, end of sequence on terminal steps only."""
    return [{**renderer.preference(pair), "consistency": pair.consistency} for pair in pairs]


def train_preferences(
    start: Path,
    pairs: Sequence[Preference],
    prompts: Prompts,
    settings: Dpo,
    here: machine.Training,
    seed: int,
    folder: Path,
) -> Trained:
    """Train the model folder `start`, which is also the reference, on pairs and save it to `folder`.

    Rows over settings.max_length tokens are left out. Raises PipelineError if none is left, and as `launch.run` does.
    """
    require_weights(start)
    renderer = read_renderer(start, prompts)
    fitting, dropped = [], []
    for pair, row in zip(pairs, preference_rows(renderer, pairs), strict=True):
        if (length := _length(row)) <= settings.max_length:
            fitting.append({**row, "weight": 1.0})
        else:
            dropped.append(Dropped("dpo", f"{pair.problem_id}/{pair.step_index}", "too_long", f"{length} tokens"))
    if not fitting:
        raise PipelineError(
            f"{folder}: no preference pair to train on ({len(dropped)} too long); see the round's pairs.json"
        )
    order = updates(list(map(_length, fitting)), settings.batch_size, settings.epochs, seed, by_length=False)
    end = [renderer.tokenizer.eos_token_id]
    blank = {"prompt_ids": end, "chosen_ids": end, "rejected_ids": end, "consistency": 1.0, "weight": 0.0}
    outcome = launch.run("dpo", start, fitting, blank, order, settings, here, seed, folder)
    tokens = sum(2 * len(row["prompt_ids"]) + len(row["chosen_ids"]) + len(row["rejected_ids"]) for row in fitting)
    note(trained_tokens=tokens * settings.epochs)
    last = {name: value for name, value in outcome.curve[-1].items() if name.startswith("reward_")}
    statistics = {"pairs": len(fitting), "dropped": len(dropped), **ends(outcome.curve), **last}
    return Trained(statistics, outcome, dropped)


def _length(row: dict[str, Any]) -> int:
    """Tokens of the longer of the two sequences."""
    return len(row["prompt_ids"]) + max(len(row["chosen_ids"]), len(row["rejected_ids"]))
