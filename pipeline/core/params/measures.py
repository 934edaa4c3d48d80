"""The sections of params.yaml that say what is measured and shown; each field is a key."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.core.params.sections import Sampling, Search


@dataclass(frozen=True)
class Average:
    """avg@k of small evaluation sets: k = `samples` solutions to each problem of the named splits ([]: none)."""

    splits: list[str]
    samples: int
    sampling: Sampling


@dataclass(frozen=True)
class Evaluate:
    """Greedy decoding of whole solutions, max_tokens: cap of one solution; and what is averaged over samples."""

    max_tokens: int
    average: Average


@dataclass(frozen=True)
class JudgeEval:
    """Models whose judgments are measured on held-out rows.

    shots: worked examples before the question, for models that never learned to judge (the paper's M0: 3).
    """

    models: list[str]
    shots: dict[str, int]


@dataclass(frozen=True)
class Report:
    """What the report shows. trees: problems of each round in the tree viewer; points: texts of each kind in Figure 2.

    embedder: a sentence-embedding model for Figure 2 (model folder or Hub id), or "" for TF-IDF.
    """

    trees: int
    points: int
    embedder: str


@dataclass(frozen=True)
class Scale:
    """Test-time step search; sampling: of the whole solutions that vote beside it, at equal tokens."""

    models: list[str]
    problems: int
    search: Search
    sampling: Sampling
