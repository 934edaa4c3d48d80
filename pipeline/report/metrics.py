"""The numbers of all models in one mapping, and how the models descend from each other."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.core.errors import PipelineError
from pipeline.core.files import read_json
from pipeline.core.means import mean_and_error, named

Metrics = dict[str, dict[str, Any]]
PAIRS, SCORES = "judge_accuracy", "order_accuracy"  # what a method's `measure` calls the share of right judgments


@dataclass(frozen=True)
class Lineage:
    """The models of a run in report order: what each was trained from (None: a base) and by which method.

    roots: those trained by SFT. A chain leads from a base through a root and its rounds to a last model. references:
    other models that were evaluated beside them. variants: those trained on other pairs from a round's search, which
    make no chain.
    """

    models: tuple[str, ...]
    starts: Mapping[str, str | None]
    methods: Mapping[str, str]
    roots: tuple[str, ...]
    references: tuple[str, ...] = ()
    variants: tuple[str, ...] = ()

    def chain(self, model: str) -> list[str]:
        """The models on the way from the base to `model`, both included."""
        start = self.starts[model]
        return [*(self.chain(start) if start else []), model]

    def chains(self) -> dict[str, list[str]]:
        """Every chain by a name: the last model's method, with the model where a method has several chains."""
        used = set(self.starts.values())
        lasts = [model for model in self.models if model not in used and model not in self.variants]
        methods = [self.methods[model] for model in lasts]
        names = [f"{m} {last}" if methods.count(m) > 1 else m for m, last in zip(methods, lasts, strict=True)]
        return {name: self.chain(last) for name, last in zip(names, lasts, strict=True)}

    def trained(self, chain: Sequence[str]) -> tuple[str, str] | None:
        """First (M1) and last model of a chain's self-rewarding part, None if it has no round."""
        roots = [model for model in chain if model in self.roots]
        return (roots[-1], chain[-1]) if roots and chain[-1] not in self.roots else None


def collect(folder: Path, lineage: Lineage, splits: Sequence[str]) -> Metrics:
    """Each model's own statistics files as one mapping, with differences to the model it was trained from.

    splits: the order of the evaluation splits in tables and curves; `pooled` comes last. `average` is the plain mean of
    the splits' accuracies, as in the paper; `graders` are those of a run that has several; a round's judge is compared
    with the last round's. Reads `<folder>/<model>/*.json` for the models and references of the lineage only, so a model
    taken off the list leaves the report.
    """
    metrics: Metrics = {}
    for model in (*lineage.models, *lineage.references):
        stats = {path.stem: read_json(path) for path in sorted((folder / model).glob("*.json"))}
        if "evaluation" not in stats:
            stage = "evaluate" if model in lineage.models else "reference"
            raise PipelineError(f"{folder / model}: no evaluation.json; run `dvc repro {stage}@{model}`")
        stats |= {"graders": graders} if (graders := stats["evaluation"].get("graders")) else {}
        stats["evaluation"] = {split: stats["evaluation"][split] for split in [*splits, "pooled"]}
        stats["average"] = average([stats["evaluation"][split] for split in splits])
        metrics[model] = stats
    for model, start in lineage.starts.items():
        if start in metrics and model in metrics:
            metrics[model]["delta"] = difference(metrics[start], metrics[model])
    _compare_judges(metrics, lineage)
    return metrics


def _compare_judges(metrics: Metrics, lineage: Lineage) -> None:
    """agreement: of a round's judge with the last round's, share of equal verdicts on the same held-out rows.

    Rounds from a root have no last round. The verdicts themselves leave the metrics.
    """
    verdicts = {
        (model, name): part.pop("verdicts").split()
        for model, stats in metrics.items()
        for name, part in stats.items()
        if name.startswith("judge-") and "verdicts" in part
    }
    for model, stats in metrics.items():
        judge, name = lineage.starts.get(model), f"judge-{lineage.methods.get(model)}"
        if "verdicts" not in stats or judge is None or judge in lineage.roots:
            continue
        own, last = ((one, name) for one in (judge, str(lineage.starts[judge])))
        pairs = zip(verdicts.get(own, []), verdicts.get(last, []), strict=False)
        equal = [sum(a == b != "?" for a, b in zip(*pair, strict=True)) / len(pair[0]) for pair in pairs]
        if equal:
            stats["verdicts"] |= named("agreement", mean_and_error(equal))


def judged(stats: Mapping[str, Any], measure: str) -> dict[str, Any]:
    """A model's quality as a judge, of the first method that measures it so; empty where none does.

    measure: PAIRS, of steps compared, or SCORES, of whole solutions.
    """
    return next((part for name, part in stats.items() if name.startswith("judge-") and measure in part), {})


def average(parts: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Mean accuracy of independent splits and its standard error."""
    error = math.sqrt(sum(part["accuracy_se"] ** 2 for part in parts)) / len(parts)
    return named("accuracy", (sum(part["accuracy"] for part in parts) / len(parts), error))


def parts(stats: Mapping[str, Any]) -> dict[str, Any]:
    """A model's accuracies: by split, pooled, and averaged over the splits."""
    return {**stats["evaluation"], "average": stats["average"]}


def difference(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, float]:
    """delta_<split>: change of accuracy between two models' metrics; its standard error unpaired."""
    result, earlier = dict[str, float](), parts(before)
    for split, new in parts(after).items():
        old = earlier[split]
        error = math.hypot(new["accuracy_se"], old["accuracy_se"])
        result |= named(f"delta_{split}", (new["accuracy"] - old["accuracy"], error))
    return result
