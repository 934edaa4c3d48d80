"""The run as params.yaml plans it: which model is trained from which, by which method."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from pipeline.core import plugins
from pipeline.core.config import Name, Positive, Section, Seed, build, read_yaml

BASE, PRM = "m0", "prm"
Method = Annotated[Name, plugins.existing("pipeline.methods")]
Pairing = Annotated[Name, plugins.existing("pipeline.methods.pairings")]
Domain = Annotated[Name, plugins.existing("pipeline.domains")]
# Folders of data/ beside those of models.
TAKEN = {"diagnostics", "dropped", "eft", "eft_trees", "excerpts", "ift", PRM, "problems", "sources"}


class Root(Section):
    """A model trained by SFT."""

    start: Name = Field(alias="from")
    method: Method


class Round(Root):
    """A model trained by DPO. search, pairs, dpo: keys laid over those sections, for this round alone."""

    problems: Positive | None = None
    search: dict[str, Any] = Field(default={})
    pairs: dict[str, Any] = Field(default={})
    dpo: dict[str, Any] = Field(default={})


class Variant(Section):
    """A model trained on other pairs from the search of round `of`; `from` is that round's, `by` the second model.

    gold: it learns from gold answers, as its kind does; nothing else but such a variant gets any.
    """

    of: Name
    start: Name = Field(alias="from")
    by: Name
    kind: Pairing
    gold: bool = False
    dpo: dict[str, Any] = Field(default={})


class Plan(Section):
    """The models of a run."""

    seed: Seed
    domain: Domain = Field(description="a folder of pipeline/domains or extensions: problems, answers, oracle")
    models: tuple[Name, ...] = Field(description="report order: the base m0, every root, round and variant")
    roots: dict[Name, Root] = Field(description="models trained by SFT")
    rounds: dict[Name, Round] = Field(description="models trained by DPO; a round may override search, pairs, dpo")
    variants: dict[Name, Variant] = Field(description="models trained on other pairs from a round's search")

    def names(self) -> list[str]:
        """The base, every root, round and variant, as these sections say it."""
        return [BASE, *self.roots, *self.rounds, *self.variants]

    def override(self, model: str, section: str) -> dict[str, Any]:
        """The keys that round or variant `model` lays over a section; none for other models."""
        return dict(getattr(self.rounds.get(model) or self.variants.get(model), section, {}))

    def method(self, model: str) -> str:
        """The method of a root or round, or of the round whose search a variant uses."""
        if model in self.variants:
            return self.method(self.variants[model].of)
        return (self.roots | self.rounds)[model].method

    def iteration(self, model: str) -> int:
        """How many trainings lie behind a model: 0 for the base, 1 for a root, 2 for a round from a root."""
        start = self.start_of(model)
        return 0 if start is None else 1 + self.iteration(start)

    def uses_gold(self, model: str) -> bool:
        """Whether gold answers chose the pairs that `model`, or a model before it, was trained on."""
        start = self.start_of(model)
        own = model in self.variants and self.variants[model].gold
        return own or (start is not None and self.uses_gold(start))

    def label(self, model: str) -> str:
        """What a report calls the training of a model: its method, or the kind of a variant, and that it used gold."""
        variant = self.variants.get(model)
        name = variant.kind if variant else "base" if model == BASE else self.method(model)
        return f"{name}, gold answers" if self.uses_gold(model) else name

    def readers(self, model: str) -> dict[str, bool]:
        """A round and its variants, which read its problems, each with whether it gets their gold answers."""
        return {model: False} | {name: entry.gold for name, entry in self.variants.items() if entry.of == model}

    def round_sizes(self, default: int) -> dict[int, dict[str, int]]:
        """Problems of each round, by iteration.

        Rounds of one iteration share their problems, so that methods are compared at equal prompts; one with fewer
        has the first of them.
        """
        sizes: dict[int, dict[str, int]] = {}
        for model, entry in self.rounds.items():
            sizes.setdefault(self.iteration(model), {})[model] = entry.problems or default
        return sizes

    def start_of(self, model: str) -> str | None:
        """The model that `model` was trained from, None for the base."""
        entry = self.roots.get(model) or self.rounds.get(model) or self.variants.get(model)
        return entry.start if entry else None

    def faults(self) -> list[str]:
        """What does not hold together, a line each, without the file's name."""
        known = set(self.names())
        starts = [
            f"{key}.from: no model {entry.start!r}; give one of {', '.join(sorted(known))}"
            for key, _, entry in self._entries()
            if entry.start not in known
        ]
        sections = [{BASE}, set(self.roots), set(self.rounds), set(self.variants)]
        twice = sorted({model for one, other in itertools.combinations(sections, 2) for model in one & other})
        faults = [f"{model}: is the base, a root, a round or a variant, not two of them; rename one" for model in twice]
        faults += [f"{m}: another folder of data/ is called so; rename the model" for m in sorted(known & TAKEN)]
        if set(self.models) != known or len(self.models) != len(known):
            odd = ", ".join(sorted(set(self.models) ^ known)) or "a name that stands twice"
            faults.append(f"models: must list {BASE}, every root, round and variant once; differs in {odd}")
        if starts or twice:
            return [*starts, *faults]
        return [*faults, *(self._circles() or [*self._mixed(), *self._variants()])]

    def _entries(self) -> Iterator[tuple[str, str, Root | Variant]]:
        """Every entry of the sections, with its key in the file and its model."""
        for section in ("roots", "rounds", "variants"):
            for model, entry in getattr(self, section).items():
                yield f"{section}.{model}", model, entry

    def _circles(self) -> list[str]:
        for key, model, _ in self._entries():
            seen = [model]
            while (start := self.start_of(seen[-1])) is not None:
                if start in seen:
                    return [f"{key}.from: the models {' -> '.join([*seen, start])} are a circle"]
                seen.append(start)
        return []

    def _mixed(self) -> list[str]:
        return [
            f"rounds.{model}.method: {entry.method} cannot start from {entry.start}, which learned to judge as "
            f"{self.method(entry.start)}; give another `from` or `method`"
            for model, entry in self.rounds.items()
            if entry.start != BASE
            and (entry.start not in self.variants or self.variants[entry.start].of in self.rounds)
            and self.method(entry.start) != entry.method
        ]

    def _variants(self) -> list[str]:
        faults = []
        for model, entry in self.variants.items():
            if entry.of not in self.rounds:
                faults.append(f"variants.{model}.of: no round {entry.of!r}; give one of {', '.join(self.rounds)}")
            elif entry.start != (start := self.start_of(entry.of)):
                faults.append(f"variants.{model}.from: must be {start}, from which the round {entry.of} starts")
            elif entry.by not in self.names():
                faults.append(f"variants.{model}.by: no model {entry.by!r}; give one of {', '.join(self.names())}")
        return faults


def load(path: Path) -> Plan:
    """The plan of a params file; PipelineError with a line for each fault of its shape."""
    document = read_yaml(path)
    return build(Plan, {key: document[key] for key in Plan.model_fields if key in document}, f"{path}: ")
