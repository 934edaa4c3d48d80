"""Every stage of the graph that asks an engine or a server or trains, with what it asks and how much it trains."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from pipeline import methods
from pipeline.core import plugins
from pipeline.core.config import Part, Section, laid_over
from pipeline.core.errors import PipelineError
from pipeline.core.plan import PRM
from pipeline.core.workload import Shape, Sizes, Work, requests
from pipeline.data.settings import GENERATED
from pipeline.methods import pairings
from pipeline.params.schema import Common, Eft
from pipeline.planning.sizes import rows
from pipeline.training.settings import Training

NOTHING = Work()


@dataclass(frozen=True)
class Planned:
    """One stage. items: problems or rows. work: of our engines; paid: of the annotator's or reference's server.

    served: models whose engines run beside each other, by their names in params.yaml; a model of the run is as large
    as the base and named so. trained_tokens: over all epochs. section: of its training's settings (`prm`, `sft`,
    `dpo`), "" for none. override: keys that a round lays over that section.
    """

    stage: str
    items: float = 0.0
    work: Work = NOTHING
    paid: Work = NOTHING
    served: tuple[str, ...] = ()
    trained_tokens: float = 0.0
    section: str = ""
    override: Any = None

    def training(self, params: Common) -> Training:
        """The settings of its training, the round's own laid over them."""
        return _laid_over(getattr(params, self.section), self.override or {})


def _laid_over(section: Part, override: dict[str, Any]) -> Part:
    return type(section).model_validate(laid_over(section.model_dump(by_alias=True), override), strict=False)


def kinds(params: Common) -> list[Planned]:
    """A stage for each kind that has a need of its own of memory, of no work."""
    base, sections = params.base.model, ["sft", "dpo"]
    engines = {(base,)} | {_searching(params, entry) for entry in params.eft.values()}
    if params.annotator.kind == "model":
        engines.add((params.annotator.model,))
    if any(entry.value == PRM for entry in params.eft.values()) and not params.prm.published.model:
        sections.insert(0, "prm")
    trained = [Planned(f"training ({name})", trained_tokens=1, section=name) for name in sections]
    changed = {name: entry.dpo for name, entry in (params.rounds | params.variants).items() if entry.dpo}
    trained += [
        Planned(f"dpo of {name}", trained_tokens=1, section="dpo", override=dpo) for name, dpo in changed.items()
    ]
    names = {1: "a search", 2: "a search with another model that rates"}
    return [*(Planned(names[len(each)], served=each) for each in sorted(engines)), *trained]


def _searching(params: Common, entry: Eft) -> tuple[str, ...]:
    """The models of a search for EFT data: who searches, and who rates if that is another."""
    rating = params.prm.published.model if entry.value == PRM else ""
    return (params.base.model,) if entry.value == entry.policy else (params.base.model, rating or params.base.model)


class Stages:
    """All stages of a run, in the graph's order."""

    def __init__(self, params: Common, sizes: Sizes) -> None:
        self.params, self.sizes, self._base = params, sizes, (params.base.model,)
        self._of_eft = rows(params, params.problems.eft, sizes.assumed)
        self._ift = rows(params, params.problems.ift, sizes.assumed)
        evaluated = params.problems.evaluation
        self._splits = [rows(params, source, sizes.assumed) for source in evaluated.values()]
        self._averaged = sum(self._of_splits()[name] for name in params.evaluate.average.splits)

    def planned(self) -> list[Planned]:
        parts = (self._data(), self._eft(), self._models(), self._measured())
        return [stage for part in parts for stage in part]

    def _cost(self, method: str) -> Any:
        part = plugins.part(methods.__name__, method, "cost")
        if not hasattr(part, "cost_of_search"):
            raise PipelineError(f"{part.__name__}: has no cost_of_search; the method needs the part `cost` for a plan")
        return part

    def _settings(self, method: str, search: dict[str, Any] | None = None) -> Section:
        section: Section = getattr(self.params, method)
        return _laid_over(section, {"search": search}) if search else section

    def _by_annotator(self, stage: str, items: float, work: Work) -> Planned:
        match self.params.annotator.kind:
            case "endpoint":
                return Planned(stage, items, paid=self._with_thinking(work))
            case "model":
                return Planned(stage, items, work, served=(self.params.annotator.model,))
        return Planned(stage, items)

    def _with_thinking(self, work: Work) -> Work:
        return work + Work(sampled_tokens=work.requests * self.sizes.assumed["thinking"])

    def _data(self) -> Iterator[Planned]:
        sizes, params = self.sizes, self.params
        if params.ift.segmenter == "annotator":
            prompt = sizes.prompt("segmentation") + sizes.problem + sizes.solution
            yield self._by_annotator("ift", self._ift, requests(self._ift, prompt, sizes.solution))
        if all(entry.value != PRM for entry in params.eft.values()):
            return
        cost = self._cost(next(method for method, entry in params.eft.items() if entry.value == PRM))
        count = rows(params, params.problems.prm, sizes.assumed)
        if params.prm.labels == "people":  # a row is a rated step with those before it
            count *= sizes.assumed["rated"]
            steps = (sizes.assumed["rated_step"],) * max(1, round(sizes.assumed["rated_steps"]))
            sizes = replace(sizes, shapes=(Shape(sizes.problem, steps),))
        elif params.prm.labels == "rollouts":
            yield Planned("prm_data", count, self._rolled_out() * count, served=self._base)
            count *= params.prm.rollouts.solutions
        if not params.prm.published.model:
            tokens = 0.9 * count * cost.labelled(sizes) * params.prm.epochs
            yield Planned("prm", 0.9 * count, trained_tokens=tokens, section="prm")
        rating = (params.prm.published.model,) if params.prm.published.model else self._base
        yield Planned("prm_eval", 0.1 * count, cost.rated(sizes) * (0.1 * count), served=rating)

    def _rolled_out(self) -> Work:
        """Solutions of one problem, and continuations from each of their steps but the last, half a solution long."""
        how, sizes = self.params.prm.rollouts, self.sizes
        prompt = sizes.prompt("reasoning") + sizes.problem + sizes.marker
        continued = how.solutions * max(sizes.steps - 1, 0) * how.continuations
        return sizes.whole(how.solutions) + requests(continued, prompt + sizes.prefix, sizes.solution / 2)

    def _eft(self) -> Iterator[Planned]:
        for method, entry in self.params.eft.items():
            cost, settings, count = self._cost(method), self._settings(method), self._of_eft
            searched = cost.cost_of_eft_search(settings, self.sizes) * count
            yield Planned(f"eft_search@{method}", count, searched, served=_searching(self.params, entry))
            yield self._by_annotator(f"eft@{method}", count, cost.cost_of_annotation(settings, self.sizes) * count)

    def _models(self) -> Iterator[Planned]:
        params, sizes = self.params, self.sizes
        for model, root in params.roots.items():
            cost, settings = self._cost(root.method), self._settings(root.method)
            judged, tokens, _ = cost.expected_eft_rows(settings, sizes, self._of_eft)
            solved = self._ift * (sizes.prompt("reasoning") + sizes.problem + sizes.solution)
            trained = (judged * tokens + solved) * params.sft.epochs
            yield Planned(f"sft@{model}", judged + self._ift, trained_tokens=trained, section="sft")
        for model, entry in params.rounds.items():
            cost, settings = self._cost(entry.method), self._settings(entry.method, entry.search)
            count = self._problems(model)
            work = cost.cost_of_search(settings, sizes, params.iteration(model)) * count
            yield Planned(f"search@{model}", count, work, served=self._base)
            yield self._dpo(f"dpo@{model}", *self._pairs(model), entry.dpo)
        for model, variant in params.variants.items():
            pairing, entry = plugins.part(pairings.__name__, variant.kind, "cost"), params.rounds[variant.of]
            number, tokens = self._pairs(variant.of, pairing)
            of = self._problems(variant.of) if getattr(pairing, "PER_PROBLEM", False) else number
            needed = pairing.cost(self._settings(entry.method, entry.search), sizes)
            yield Planned(f"variant@{model}", of, needed * of, served=self._base if needed.requests else ())
            yield self._dpo(f"dpo_variant@{model}", number, tokens, variant.dpo)

    def _problems(self, model: str) -> float:
        """Problems of a round."""
        return self.params.rounds[model].problems or self.params.problems.rounds.rows

    def _pairs(self, model: str, pairing: Any = None) -> tuple[float, float]:
        """Pairs of a round, or those that a pairing makes of it, and tokens of each."""
        entry, iteration = self.params.rounds[model], self.params.iteration(model)
        part = pairing if hasattr(pairing, "expected_pairs") else self._cost(entry.method)
        each, tokens = part.expected_pairs(self._settings(entry.method, entry.search), self.sizes, iteration)
        return each * self._problems(model), tokens

    def _dpo(self, stage: str, number: float, tokens: float, override: dict[str, Any]) -> Planned:
        epochs = override.get("epochs", self.params.dpo.epochs)
        return Planned(stage, number, trained_tokens=number * tokens * epochs, section="dpo", override=override)

    def _measured(self) -> Iterator[Planned]:
        params, sizes, all_of_them = self.params, self.sizes, sum(self._splits)
        once = sizes.whole(1)
        work = once * (all_of_them + self._averaged * params.evaluate.average.samples)
        for model in params.models:
            yield Planned(f"evaluate@{model}", all_of_them, work, served=self._base)
        for model in params.reference.models:
            yield Planned(f"reference@{model}", all_of_them, paid=self._with_thinking(work))
        for key, judge in params.judges.items():
            cost, settings = self._cost(judge.method), self._settings(judge.method)
            _, _, held_out = cost.expected_eft_rows(settings, sizes, self._of_eft)
            work = cost.cost_of_measure(settings, sizes, judge.shots) * held_out
            yield Planned(f"judge_eval@{key}", held_out, work, served=self._base)
        scaled = self._settings("psrlm", params.scale.search.model_dump())
        count = sum(min(params.scale.problems, n) for n in self._of_splits().values())
        for model in params.scale.models:
            search = self._cost("psrlm").cost_of_search(scaled, sizes, params.iteration(model) + 1)
            trial = search + once * (search.sampled_tokens / once.sampled_tokens)  # a vote at equal tokens
            yield Planned(f"scale@{model}", count, trial * count, served=self._base)

    def _of_splits(self) -> dict[str, float]:
        """Problems of each evaluation split; those of a generated source are taken as equally large."""
        domain = getattr(self.params, self.params.domain)
        counts: dict[str, float] = {}
        for (key, source), count in zip(self.params.problems.evaluation.items(), self._splits, strict=True):
            names = domain.evaluation_splits() if source.path == GENERATED else [key]
            counts |= dict.fromkeys(names, count / len(names))
        return counts
