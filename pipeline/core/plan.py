"""The run as params.yaml plans it: seed, models, roots and rounds; checked before anything starts."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pipeline.core import params
from pipeline.core.errors import PipelineError
from pipeline.core.params import Source

METHODS = ("psrlm", "srlm")
PROFILES = Path(__file__).parents[1] / "profiles"
SECTIONS: dict[str, type] = {
    "prompts": params.Prompts,
    "engine": params.Engine,
    "problems": params.Problems,
    "world": params.World,
    "base": params.Base,
    "ift": params.Ift,
    "annotator": params.Annotator,
    "prm": params.Training,
    "eft_search": params.EftSearch,
    "eft": params.Eft,
    "sft": params.Training,
    "eft_scores": params.EftScores,
    "search": params.Search,
    "pairs": params.Pairs,
    "solutions": params.SolutionSearch,
    "solution_pairs": params.SolutionPairs,
    "dpo": params.Dpo,
    "evaluate": params.Evaluate,
    "judge_eval": params.JudgeEval,
    "score_eval": params.JudgeEval,
    "scale": params.Scale,
    "reference": params.Reference,
    "report": params.Report,
}
# What a round of each method may override.
OVERRIDABLE = {"psrlm": ("search", "pairs", "dpo"), "srlm": ("solutions", "solution_pairs", "dpo")}
# Other pairs from a round's search: of whole solutions, those that an implicit reward agrees with, or all, weighted by
# how far the judge before agrees.
KINDS = ("outcome", "agreement", "cream")
TOP = ("seed", "models", "roots", "rounds", "variants")


@dataclass(frozen=True)
class Plan:
    """models: report order. roots: models trained by SFT. rounds: models trained by DPO; each has `from`, `method`,
    and may have `problems` (how many) and its own keys of its method's sections. variants: models trained
    on other pairs from the search of the round `of`, by `kind`; `from` is that round's, `by` the second model asked."""

    seed: int
    models: tuple[str, ...]
    roots: dict[str, dict[str, Any]]
    rounds: dict[str, dict[str, Any]]
    variants: dict[str, dict[str, Any]]

    def override(self, model: str, section: str) -> dict[str, Any]:
        """The keys that round or variant `model` lays over a section."""
        found: dict[str, Any] = {**self.rounds, **self.variants}[model].get(section, {})
        return found

    def method(self, model: str) -> str:
        """`psrlm` (steps, judged pairwise) or `srlm` (whole solutions, scored) of a root, round or variant."""
        if model in self.variants:
            return self.method(self.variants[model]["of"])
        return str((self.roots.get(model) or self.rounds[model])["method"])

    def iteration(self, model: str) -> int:
        """How many trainings lie behind a model: 0 for the base, 1 for a root, 2 for a round from a root."""
        start = self.start_of(model)
        return 0 if start is None else 1 + self.iteration(start)

    def round_sizes(self, default: int) -> dict[int, dict[str, int]]:
        """Problems of each round, by iteration.

        Rounds of one iteration share their problems, so that methods are compared at equal prompts; one with fewer
        has the first of them.
        """
        sizes: dict[int, dict[str, int]] = {}
        for model, entry in self.rounds.items():
            sizes.setdefault(self.iteration(model), {})[model] = entry.get("problems", default)
        return sizes

    def start_of(self, model: str) -> str | None:
        """The model that `model` was trained from, None for the base."""
        entry = self.roots.get(model) or self.rounds.get(model) or self.variants.get(model)
        return str(entry["from"]) if entry else None


def load(path: Path) -> Plan:
    """The plan of a params file; PipelineError with one clear line where it does not hold together."""
    document = params.read_yaml(path)
    for name in TOP:
        if name not in document:
            raise PipelineError(f"{path}: `{name}` is missing; `psr profile tiny` writes a whole file")
    roots, rounds, variants = (document[name] or {} for name in ("roots", "rounds", "variants"))
    plan = Plan(document["seed"], tuple(document["models"]), roots, rounds, variants)
    _check(plan, path)
    _check_variants(plan, path)
    known = {"m0", *plan.roots, *plan.rounds, *plan.variants}
    if set(plan.models) != known:
        odd = ", ".join(sorted(set(plan.models) ^ known))
        raise PipelineError(f"{path}: models: must list m0, every root, round and variant once; differs in {odd}")
    return plan


def _check(plan: Plan, path: Path) -> None:
    known = {"m0", *plan.roots, *plan.rounds, *plan.variants}
    for section, entries in (("roots", plan.roots), ("rounds", plan.rounds), ("variants", plan.variants)):
        for model, entry in entries.items():
            if (start := entry.get("from")) not in known:
                models = ", ".join(sorted(known))
                raise PipelineError(f"{path}: {section}.{model}.from: no model {start!r}; give one of {models}")
    for model, entry in {**plan.roots, **plan.rounds}.items():
        where = f"{path}: {'rounds' if model in plan.rounds else 'roots'}.{model}"
        if entry.get("method") not in METHODS:
            raise PipelineError(f"{where}.method: {entry.get('method')!r} is not one of {', '.join(METHODS)}")
        for key in entry:
            allowed = OVERRIDABLE[entry["method"]]
            if key not in ("from", "method", "problems", *allowed):
                raise PipelineError(f"{where}.{key}: unknown key; such a round may override {', '.join(allowed)}")
    for model in plan.rounds:
        seen = [model]
        while (start := plan.start_of(seen[-1])) is not None:
            if start in seen:
                raise PipelineError(
                    f"{path}: rounds.{model}.from: the rounds {' -> '.join([*seen, start])} are a circle"
                )
            seen.append(start)


def _check_variants(plan: Plan, path: Path) -> None:
    for model, entry in plan.variants.items():
        where = f"{path}: variants.{model}"
        for key in entry:
            if key not in ("of", "from", "by", "kind", "dpo"):
                raise PipelineError(f"{where}.{key}: unknown key; a variant may override dpo")
        if entry.get("of") not in plan.rounds:
            raise PipelineError(f"{where}.of: no round {entry.get('of')!r}; give one of {', '.join(plan.rounds)}")
        start = plan.start_of(entry["of"])
        if entry.get("kind") not in KINDS:
            raise PipelineError(f"{where}.kind: {entry.get('kind')!r} is not one of {', '.join(KINDS)}")
        if entry.get("from") != start:
            raise PipelineError(f"{where}.from: must be {start}, from which the round {entry['of']} starts")
        if entry["kind"] != "agreement" and plan.method(entry["of"]) != "psrlm":
            raise PipelineError(f"{where}.of: {entry['of']} is an srlm round; {entry['kind']} needs judged steps")
        by = start if entry["kind"] == "outcome" else plan.start_of(str(start))
        if entry.get("by") != by:
            reason = "which completes the rejected steps" if entry["kind"] == "outcome" else f"before {start}"
            raise PipelineError(f"{where}.by: must be {by}, {reason}")


def sized(source: Source, rows: int) -> Source:
    """The same source with another number of rows."""
    return replace(source, rows=rows)


def check(path: Path) -> Plan:
    """Every section of a params file read strictly, with each round's overrides; returns the plan."""
    plan = load(path)
    document = params.read_yaml(path)
    _refuse_unknown(document, path)
    for name, kind in SECTIONS.items():
        params.load(path, name, kind)
        for model in (*plan.rounds, *plan.variants):
            if name in OVERRIDABLE[plan.method(model)]:
                params.load(path, name, kind, plan.override(model, name))
    _check_arms(plan, path)
    return plan


def _refuse_unknown(document: dict[str, Any], path: Path) -> None:
    for name in document:
        if name not in SECTIONS and name not in TOP:
            raise PipelineError(f"{path}: {name}: unknown section; known: {', '.join(sorted(SECTIONS))}")


def _check_arms(plan: Plan, path: Path) -> None:
    """Methods that hold along each arm, and the lists of models and splits that params.yaml keeps beside them."""
    for model, entry in plan.rounds.items():
        start = entry["from"]
        if start != "m0" and plan.method(start) != entry["method"]:
            raise PipelineError(
                f"{path}: rounds.{model}: method {entry['method']} cannot start from {start}, which learned to judge "
                f"as {plan.method(start)}; give another `from` or `method`"
            )
    known = evaluation_splits(path)
    for split in params.load(path, "evaluate", params.Evaluate).average.splits:
        if split not in known:
            raise PipelineError(f"{path}: evaluate.average.splits: no split {split!r}; give some of {', '.join(known)}")
    policies = params.load(path, "eft_scores", params.EftScores).policies
    wanted = sorted({entry["from"] for entry in plan.roots.values() if entry["method"] == "srlm"})
    if policies != wanted:
        raise PipelineError(f"{path}: eft_scores.policies: must be {wanted}, where the srlm roots start")
    for name in ("judge_eval", "score_eval", "scale"):
        section: Any = params.load(path, name, SECTIONS[name])
        for model in section.models:
            if model not in plan.models:
                raise PipelineError(f"{path}: {name}.models: no model {model!r}; give some of {', '.join(plan.models)}")
    for model in params.load(path, "reference", params.Reference).models:
        if model in plan.models:
            raise PipelineError(f"{path}: reference.models: {model!r} is a model of this run; references are others")


def evaluation_splits(path: Path) -> list[str]:
    """Names of the evaluation splits, in the order of the params file; the world as a source has those of `world`."""
    world = params.load(path, "world", params.World)
    found = params.load(path, "problems", params.Problems).evaluation
    return [name for key, source in found.items() for name in (world.splits if source.path == "world" else [key])]


def profiles() -> list[str]:
    """Names of the shipped profiles."""
    return sorted(path.stem for path in PROFILES.glob("*.yaml"))


def profile_text(name: str) -> str:
    """The params file of a shipped profile; PipelineError for an unknown name."""
    path = PROFILES / f"{name}.yaml"
    if not path.is_file():
        raise PipelineError(f"profile {name!r} does not exist; give one of {', '.join(profiles())}")
    return path.read_text(encoding="utf-8")
