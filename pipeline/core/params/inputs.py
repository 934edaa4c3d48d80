"""What a run starts from: problem sources, the embedded world and the recipe of its base model."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Source:
    """Where problems come from. path: `world`, a local file (.jsonl, .json, .csv, .tsv, .parquet), a folder or glob of
    such files, `hub:<dataset id>` with its config, split and pinned revision, or `known:<name>` of the table
    pipeline/data/known.yaml; rows: how many (0: all).

    prompt, answer, solution: names of columns, or paths to fields inside them (`reward_model.ground_truth`); an empty
    string means that the file has none. format: how answers are written (pipeline/data/formats.py), or for the role
    prm `prm800k` (human step ratings).
    """

    path: str
    rows: int
    prompt: str = ""
    answer: str = ""
    solution: str = ""
    format: str = "plain"
    config: str = ""
    split: str = "train"
    revision: str = ""


@dataclass(frozen=True)
class Problems:
    """Sources by role. rounds: every round takes `rounds.rows` of it, or as many as its own `problems` key says.

    ngram: so many words in a row shared with an evaluation problem keep a prompt out of training. neutral: whether a
    step that people rated 0 counts as right for the process reward model. near: share of common words from which on a
    prompt is a near-copy of another with the same numbers, and is left out (0: equal texts alone).
    """

    ngram: int
    neutral: bool
    ift: Source
    prm: Source
    eft: Source
    rounds: Source
    evaluation: dict[str, Source]
    near: float = 0.8


@dataclass(frozen=True)
class World:
    """The embedded world. base: `shipped`, `train`, or a model folder or Hub id to start from.

    careless: how often a step open to a misconception shows it in the corpus.
    splits: evaluation splits as name: [fewest steps, most steps, problems].
    """

    base: str
    seed: int
    careless: float
    splits: dict[str, list[int]]


@dataclass(frozen=True)
class Phase:
    """One phase of pre-training: documents, each seen once, and the shares of their kinds; the rest are solutions.

    checks: examiners' notes, some undecided; contrasts: decided ones alone; lines: short ones without a problem;
    homework: marked solutions. matrix_rate: Muon's learning rate for hidden matrices; other_rate: AdamW's for
    embeddings and norms.
    """

    documents: int
    checks: float
    homework: float
    contrasts: float
    lines: float
    matrix_rate: float
    other_rate: float


@dataclass(frozen=True)
class Base:
    """The recipe of the world's base model: its size, the phases of its pre-training, batch in documents."""

    width: int
    layers: int
    context: int
    batch: int
    warmup: float
    threads: int
    phases: list[Phase]
