"""What a run publishes: the configs of one dataset repository, each a Parquet file a split.

IFT, EFT, PRM labels and trees are the run's own files, byte for byte. Preference pairs become TRL's explicit-prompt
preference format, with the token ids that the run trained on and the columns that give the pair back.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from pipeline import methods
from pipeline.core import files, plugins
from pipeline.core.config import Prompts, build, identifier
from pipeline.core.errors import PipelineError
from pipeline.core.records import JudgedPair, LabelledSolution, Preference, Solution
from pipeline.language import prompts, steps
from pipeline.language.renderer import Renderer
from pipeline.publish.hub import sha256
from pipeline.publish.lock import Lock

MANIFEST = "manifest.json"
Contents = Mapping[str, Mapping[str, Mapping[str, Any]]]  # config -> split -> rows, sha256


@dataclass(frozen=True)
class Artifacts:
    """Where the run's files lie; `models` and `reports` are the folders with one folder a model."""

    ift: Path
    eft: Path
    prm: Path
    problems: Path
    models: Path
    reports: Path


@dataclass(frozen=True)
class StepPreference:
    """One row of a `ppd-<model>` config.

    prompt: the reasoning prompt, the steps so far and the marker of the next one; chosen, rejected: what follows that
    marker (SRLM: to the solution's end), a newline after it unless the last step ends it. prompt_ids, chosen_ids,
    rejected_ids: the trainer's rows, with the frame of a chat and the token that ends a turn. is_terminal,
    rejected_is_terminal: the text ends the solution. problem, steps: what is needed to make the run's own record again.
    """

    prompt: str
    chosen: str
    rejected: str
    prompt_ids: tuple[int, ...]
    chosen_ids: tuple[int, ...]
    rejected_ids: tuple[int, ...]
    problem_id: str
    step_index: int
    is_terminal: bool
    chosen_score: float
    rejected_score: float
    iteration: str
    problem: str
    steps: tuple[str, ...]
    rejected_is_terminal: bool


@dataclass(frozen=True)
class Config:
    """One config: its name and the local file of each split."""

    name: str
    splits: dict[str, Path]

    @property
    def files(self) -> dict[str, Path]:
        """Path in the repository -> local file."""
        return {location(self.name, split): path for split, path in self.splits.items()}


def published(pair: Preference, renderer: Renderer) -> StepPreference:
    """A pair as text, and as step-wise DPO of a model with this renderer sees it."""
    marker = steps.marker(len(pair.steps) + 1)
    question = prompts.fill(renderer.family, "reasoning", problem=pair.prompt)
    ids = {name: tuple(row) for name, row in renderer.preference(pair).items()}
    return StepPreference(
        prompt="".join([question, *(f"{step}\n" for step in pair.steps), marker]),
        chosen=pair.chosen.removeprefix(marker) + ("" if pair.chosen_terminal else "\n"),
        rejected=pair.rejected.removeprefix(marker) + ("" if pair.rejected_terminal else "\n"),
        **ids,
        problem_id=pair.problem_id,
        step_index=pair.step_index,
        is_terminal=pair.chosen_terminal,
        chosen_score=pair.chosen_score,
        rejected_score=pair.rejected_score,
        iteration=pair.iteration,
        problem=pair.prompt,
        steps=pair.steps,
        rejected_is_terminal=pair.rejected_terminal,
    )


def record(row: StepPreference) -> Preference:
    """The run's own record of a published pair: the inverse of `published`."""
    marker = steps.marker(len(row.steps) + 1)
    return Preference(
        problem_id=row.problem_id,
        step_index=row.step_index,
        prompt=row.problem,
        steps=row.steps,
        chosen=marker + (row.chosen if row.is_terminal else row.chosen.removesuffix("\n")),
        rejected=marker + (row.rejected if row.rejected_is_terminal else row.rejected.removesuffix("\n")),
        chosen_terminal=row.is_terminal,
        rejected_terminal=row.rejected_is_terminal,
        chosen_score=row.chosen_score,
        rejected_score=row.rejected_score,
        iteration=row.iteration,
    )


def collect(
    places: Artifacts, lock: Lock, rounds: Mapping[str, str], starts: Mapping[str, str | None], folder: Path
) -> Iterator[Config]:
    """All configs of a run, in the order they are pushed; converted pairs are written to `folder`.

    rounds: method of each round; starts: the model that each was trained from, whose tokenizer gives the ids. Raises
    PipelineError for an artifact that is absent or not what the lock recorded.
    """
    from transformers import AutoTokenizer  # here, since `psr` starts without it

    yield Config("ift", _splits(lock.verified(places.ift), Solution, "train"))
    yield Config("eft", _splits(lock.verified(places.eft), JudgedPair, "train", "test"))
    yield Config("prm", _splits(lock.verified(places.prm), LabelledSolution, "train", "test"))
    for model in rounds:
        how = build(Prompts, lock.parameter(f"search@{model}", "prompts"), f"{lock.path}: prompts")
        start = lock.verified(places.models / str(starts[model]) / "model")
        renderer = Renderer(AutoTokenizer.from_pretrained(start, trust_remote_code=False), how.family, how.chat)
        pairs = files.rows(lock.verified(places.models / model / "pairs") / "train.parquet", Preference)
        path = folder / f"{model}.parquet"
        files.write(path, StepPreference, (published(pair, renderer) for pair in pairs))
        yield Config(f"ppd-{model}", {"train": path})
    for model, method in rounds.items():
        search = plugins.part(methods.__name__, method, "search")
        name = Path(search.FILE).stem
        splits = _splits(lock.verified(places.models / model / "trees"), search.Row, name)
        yield Config(f"{name}-{model}", {"train": splits[name]})


def _splits(folder: Path, row_type: type, *names: str) -> dict[str, Path]:
    splits = {name: folder / f"{name}.parquet" for name in names}
    for path in splits.values():
        if pq.read_schema(path).names != files.schema(row_type).names:
            raise PipelineError(f"{path}: was made by another version of the pipeline; run `dvc repro` again")
    return splits


def manifest(configs: Sequence[Config]) -> Contents:
    """Rows and hash of every split of every config: what `psr pull` checks against."""
    return {
        config.name: {
            split: {"rows": pq.read_metadata(path).num_rows, "sha256": sha256(path)}
            for split, path in config.splits.items()
        }
        for config in configs
    }


def location(config: str, split: str) -> str:
    """Where a split lies in the repository."""
    return f"{config}/{split}.parquet"


def locations(contents: Contents) -> set[str]:
    """Every path in the repository that a manifest lists."""
    return {location(config, split) for config, splits in contents.items() for split in splits}


def published_contents(listed: Path, repository: str) -> Contents:
    """A manifest from the Hub; PipelineError if it is no such thing or has a name that is none of a path's."""
    try:
        contents = json.loads(listed.read_bytes().decode("utf-8"))
        names = [name for config, splits in contents.items() for name in (*config.split("-", 1), *splits)]
        checked = {
            config: {split: {"rows": entry["rows"], "sha256": entry["sha256"]} for split, entry in splits.items()}
            for config, splits in contents.items()
        }
    except (AttributeError, KeyError, TypeError, ValueError, RecursionError) as error:
        raise PipelineError(f"{repository}: its {MANIFEST} is not one of `psr push`; rename it on the Hub") from error
    for text in names:
        try:
            identifier(text)
        except ValueError as error:
            odd = f"{repository}: its {MANIFEST} has the odd name {text!r}; rename it on the Hub"
            raise PipelineError(odd) from error
    return checked
