"""Where problems and solutions come from, as params.yaml says it."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, Field, model_validator

from pipeline.core.config import Count, Name, Positive, Section, Seed, Share
from pipeline.domains import graders

GENERATED = "generated"
GYM = "gym:"


class Source(Section):
    """path: `generated` (by the domain), a local file (.jsonl, .json, .csv, .tsv, .parquet), a folder or glob of such
    files, `hub:<dataset id>` with its config, split and pinned revision, `known:<name>` of the table
    pipeline/data/known.yaml, or `gym:<dataset>` of reasoning-gym with how many items it makes, its seed and its config.

    prompt, answer, solution: names of columns, or paths to fields inside them (`reward_model.ground_truth`), or a text
    with such names in braces (`{theory} True or false? {question}`); an empty string means that the file has none.
    choices: the column of the options of a multiple choice, which are shown below the prompt. format: how answers are
    written (pipeline/data/formats.py), or for the role prm `prm800k` (human step ratings). grader: compares answers
    with the gold ones (pipeline/domains/graders), "" the domain's own.
    """

    in_one_line: ClassVar[bool] = True
    path: str = Field(min_length=1)
    rows: Count = Field(default=0, description="0: all")
    prompt: str = ""
    answer: str = ""
    solution: str = ""
    choices: str = ""
    format: Literal["plain", "gsm8k", "boxed", "gaokao", "olympiadbench", "prm800k"] = "plain"
    grader: Annotated[str, AfterValidator(graders.checked)] = ""
    config: str | dict[str, Any] = ""
    split: str = "train"
    revision: str = ""
    size: Count = 0
    seed: Seed = 0

    @model_validator(mode="after")
    def _agree(self) -> Source:
        gym = self.path.startswith(GYM)
        if gym and not self.size:
            raise ValueError("size must be given, of how many items reasoning-gym makes")
        if not gym and (self.size or self.seed or isinstance(self.config, dict)):
            raise ValueError(f"size, seed and a mapping as config are those of `{GYM}<dataset>`; take them out")
        return self


class Problems(Section):
    """Sources by role; path: generated (by the domain), a .jsonl, .parquet or .csv file, hub:, known: or gym:."""

    ngram: Positive = Field(description="words in a row shared with an evaluation problem keep a prompt out")
    near: Share = Field(default=0.8, description="share of common words of a near-copy with equal numbers; 0: none")
    neutral: bool = Field(description="a step rated 0 counts as right (human step ratings)")
    ratings: str = Field(description='human step ratings (PRM800K) whose pairs are added to EFT: a file, or ""')
    ift: Source
    prm: Source
    eft: Source
    rounds: Source = Field(description="every round takes so many rows, or what its own `problems` says")
    evaluation: dict[Name, Source] = Field(min_length=1)

    def evaluation_splits(self, domain: Any) -> list[str]:
        """Names of the evaluation splits in order; domain: its section, which names those that it generates."""
        generated = domain.evaluation_splits() if hasattr(domain, "evaluation_splits") else []
        sources = self.evaluation.items()
        return [name for key, s in sources for name in (generated if s.path == GENERATED else [key])]


class Ift(Section):
    """IFT data."""

    segmenter: Literal["rule", "annotator"] = Field(description="rule: every line that is not empty is a step")
