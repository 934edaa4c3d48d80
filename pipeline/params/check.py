"""The check of a whole params.yaml: every fault at once, a line each; and what of the code each stage depends on."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any

from pipeline import domains
from pipeline.core import config, fingerprint, plugins
from pipeline.core.config import Section, laid_over
from pipeline.core.errors import PipelineError
from pipeline.core.plan import BASE, PRM, TAKEN
from pipeline.data import sources
from pipeline.data.settings import GENERATED, GYM, Source
from pipeline.domains import graders
from pipeline.language import prompts
from pipeline.methods import pairings
from pipeline.params import judging
from pipeline.params.renamed import renamed
from pipeline.params.schema import Common, whole
from pipeline.training import model_files
from pipeline.training.settings import Dpo

_DATA = Path("data/sources")


def check(path: Path) -> Common:
    """Every section of a params file read strictly, with the overrides of each round, and all that must fit together.

    Raises PipelineError with a line for each fault.
    """
    document = config.read_yaml(path)
    params, faults = config.checked(whole(document), document, f"{path}: ")
    if old := renamed(document):
        faults = _with_renamed(old, faults, f"{path}: ")
    elif params is not None:
        faults = [f"{path}: {line}" for line in _together(params)]
    if params is None or faults:
        raise PipelineError("\n".join(faults))
    return params


def _with_renamed(old: Mapping[str, str], faults: Sequence[str], where: str) -> list[str]:
    """A line for each key that has another name now, and the faults that these do not explain."""
    explained = tuple(
        f"{where}{beginning}"
        for key, new in old.items()
        for beginning in (f"{key}:", f"{key}.", f"{key.partition('.')[0]}: unknown", f"{new}: missing")
    )
    lines = [f"{where}{key}: is called {new} now" for key, new in old.items()]
    return lines + [line for line in faults if not line.startswith(explained)]


def _together(params: Common) -> list[str]:
    """What does not fit together, a line each, without the file's name."""
    plan = params.faults()
    of_plan = () if plan else (*_overrides(params), *_variants(params), *judging.faults(params), *_circles(params))
    of_data = *_labels(params), *_golds(params), *_parts(params)
    return [*plan, *of_plan, *_lists(params), *of_data, *_servers(params), *_paths(params)]


def _overrides(params: Common) -> Iterator[str]:
    """What a round or variant lays over a section must still be that section."""
    for model, entry in (params.rounds | params.variants).items():
        where = f"{'rounds' if model in params.rounds else 'variants'}.{model}"
        method = params.method(model)
        for name in ("search", "pairs", "dpo"):
            changed = getattr(entry, name, {})
            base: Section | None = getattr(params if name == "dpo" else getattr(params, method), name, None)
            if changed and base is None:
                yield f"{where}.{name}: the method {method} has no such section; take it out"
            elif changed and base is not None:
                yield from config.checked(type(base), laid_over(base.model_dump(), changed), f"{where}.{name}")[1]


def _variants(params: Common) -> Iterator[str]:
    for model, entry in params.variants.items():
        where = f"variants.{model}"
        pairing = plugins.part(pairings.__name__, entry.kind, "pairs")
        wanted = entry.start if pairing.BY == "start" else params.start_of(entry.start)
        if entry.by != wanted:
            reason = f"the model that {entry.of} starts from" if pairing.BY == "start" else f"before {entry.start}"
            yield f"{where}.by: must be {wanted}, {reason}"
        if entry.gold != (gold := getattr(pairing, "GOLD", False)):
            learns = "learns from gold answers" if gold else "learns from no gold answer"
            yield f"{where}.gold: must be {str(gold).lower()}, {entry.kind} {learns}"
        training, _ = config.checked(Dpo, laid_over(params.dpo.model_dump(), entry.dpo), "")
        if getattr(pairing, "NEEDS_LIKELIHOOD", False) and training and not training.loss_weights.sft:
            yield f"{where}.dpo: {entry.kind} has no rejected side to learn from; give loss_weights: {{sft: 1.0}}"


def _lists(params: Common) -> Iterator[str]:
    """Models, splits and methods that are named beside the plan."""
    models, splits = params.names(), params.problems.evaluation_splits(getattr(params, params.domain))
    known = ", ".join(models)
    for split in params.evaluate.average.splits:
        if split not in splits:
            yield f"evaluate.average.splits: no split {split!r}; give some of {', '.join(splits)}"
    for model in params.scale.models:
        if model not in models:
            yield f"scale.models: no model {model!r}; give some of {known}"
    for model in params.reference.models:
        if (folder := model.partition("/")[0]) in models:  # of data/, where its answers go
            yield f"reference.models: {model!r} is a model of this run; references are others"
        if folder in TAKEN:
            yield f"reference.models: {model!r}: another folder of data/ is called so; serve it under another name"
    if params.report.method not in params.eft:
        yield f"report.method: there are no EFT data of {params.report.method}; give one of {', '.join(params.eft)}"
    for model, root in params.roots.items():
        if root.method not in params.eft:
            yield f"roots.{model}.method: there are no EFT data of {root.method}; add it to `eft`"
    for method, eft in params.eft.items():
        if eft.policy not in models:
            yield f"eft.{method}.policy: no model {eft.policy!r}; give one of {known}"
        if eft.value not in (*models, PRM):
            yield f"eft.{method}.value: no model {eft.value!r}; give {PRM} or one of {known}"


def _circles(params: Common) -> Iterator[str]:
    """A model may not make the EFT data that it, or a model before it, is trained on."""
    needs = {f"eft.{method}": {eft.policy, eft.value} for method, eft in params.eft.items()}
    needs[PRM] = {params.prm.rollouts.policy}
    needs |= {model: {f"eft.{root.method}", root.start} for model, root in params.roots.items()}
    needs |= {model: {str(params.start_of(model))} for model in (*params.rounds, *params.variants)}
    try:
        TopologicalSorter(needs).prepare()
    except CycleError as error:
        circle = error.args[1][::-1]
        where = next(name for name in circle if name.startswith("eft."))
        yield f"{where}: {' -> '.join(circle)} are a circle; give a policy and a value before it, such as {BASE}"


def _labels(params: Common) -> Iterator[str]:
    """Who labels the PRM's steps must have what that takes."""
    labels, policy, source = params.prm.labels, params.prm.rollouts.policy, params.problems.prm
    if policy not in params.names():
        yield f"prm.rollouts.policy: no model {policy!r}; give one of {', '.join(params.names())}"
    try:
        source = sources.known(source)
    except PipelineError:
        return  # said of the path
    rated = source.format == "prm800k"
    if labels == "people" and not rated:
        yield "problems.prm.format: prm.labels: people reads ratings; give a source of format: prm800k"
    if labels == "rollouts" and (rated or _without_answers(source)):
        yield "problems.prm.answer: prm.labels: rollouts reaches gold answers; give a source with a column of them"


def _golds(params: Common) -> Iterator[str]:
    """A variant that learns from gold answers must have some."""
    gold = [model for model, entry in params.variants.items() if entry.gold]
    with suppress(PipelineError):  # said of the path
        if gold and _without_answers(sources.known(params.problems.rounds)):
            where = f"variants.{gold[0]}.gold"
            yield f"problems.rounds.answer: {where} asks for gold answers; give a source with a column of them"


def _without_answers(source: Source) -> bool:
    return source.path != GENERATED and not source.answer


def _parts(params: Common) -> Iterator[str]:
    """What is asked of the domain must be a part of it."""
    generated = [where for where, source in _sources(params).items() if source.path == GENERATED]
    needs = [(where, "problems", "a file, `hub:<dataset id>` or `known:<name>`") for where in generated]
    if params.annotator.kind == "oracle" and params.eft:
        needs.append(("annotator.kind", "oracle", "endpoint or model"))
    if params.prm.labels == "oracle":
        needs.append(("prm.labels", "oracle", "people or rollouts"))
    if params.base.model in ("shipped", "train"):
        needs.append(("base.model", "base", "a model folder or a Hub id"))
    for where, role, other in needs:
        if not plugins.has(domains.__name__, params.domain, role):
            yield f"{where}: the domain {params.domain} has no part `{role}`, which this asks for; give {other}"


def _servers(params: Common) -> Iterator[str]:
    """Who is asked must be named."""
    kind = params.annotator.kind
    if params.reference.models and not params.reference.url:
        yield "reference.url: must be the server of reference.models, is ''"
    if kind == "endpoint" and not params.annotator.url:
        yield "annotator.url: must be the server that annotator.kind: endpoint asks, is ''"
    if kind != "oracle" and not params.annotator.model:
        yield f"annotator.model: must be the model that annotator.kind: {kind} asks, is ''"
    if kind == "oracle" and params.ift.segmenter == "annotator":
        yield "ift.segmenter: the oracle writes no text; give rule, or annotator.kind: endpoint or model"


def _paths(params: Common) -> Iterator[str]:
    """Paths must exist, and one that DVC does not watch would count as up to date whatever becomes of it."""
    if not (family := fingerprint.PROMPTS / params.prompts.family).is_dir():
        families = ", ".join(sorted(folder.name for folder in fingerprint.PROMPTS.glob("*/")))
        yield f"prompts.family: there is no folder {family}; give one of {families}"
    for template in sorted(family.glob("*.txt")):
        try:
            prompts.read(template)
        except PipelineError as error:
            yield f"prompts.family: {error}"
    given = _sources(params)
    given |= {"problems.ratings": Source(path=params.problems.ratings)} if params.problems.ratings else {}
    models = {"base.model": params.base.model, "prm.published.model": params.prm.published.model}
    annotator = {"annotator.model": params.annotator.model if params.annotator.kind == "model" else ""}
    for where, path in ({where: source.path for where, source in given.items()} | models | annotator).items():
        folder = Path(path) if os.path.isdir(path) else Path(path).parent
        if os.path.exists(path) and not folder.resolve().is_relative_to(_DATA.resolve()):
            yield f"{where}: {path} is not in {_DATA}; move it there (DVC sees no change behind a linked folder)"
    for where, path in models.items():
        if os.path.isdir(path):
            yield from model_files.faults(Path(path), path, params.inference.max_model_len, where)
    for where, source in given.items():
        try:
            real, path = sources.known(source).path, source.path
        except PipelineError as error:
            yield f"{where}: {error}"
            continue
        if real != GENERATED and not real.startswith((sources.HUB, GYM)) and not os.path.exists(real):
            yield f"{where}: no such file {path!r}; give `generated`, a file, `hub:<dataset id>` or `known:<name>`"


def _sources(params: Common) -> dict[str, Source]:
    """Every source of problems by its key."""
    given = {f"problems.{role}.path": getattr(params.problems, role) for role in ("ift", "prm", "eft", "rounds")}
    return given | {f"problems.evaluation.{key}.path": source for key, source in params.problems.evaluation.items()}


def fingerprints(path: Path) -> dict[str, Any]:
    """code.json: a hash for each stage; for a stage that works for methods or pairings, a hash for each of these."""
    params = check(path)
    chosen = {"domains": params.domain}
    graded = {source.grader for source in map(sources.known, _sources(params).values()) if source.grader}
    more = (params.prompts.family, sorted({module for grader in graded for module in graders.modules(grader)}))
    methods = sorted({*params.eft, *(entry.method for entry in (params.roots | params.rounds).values())})
    kinds = sorted({entry.kind for entry in params.variants.values()})
    result: dict[str, Any] = {}
    for script in sorted({*Path("stages").glob("[a-z]*.py")} - {Path("stages/fingerprint.py")}):
        name, parts = script.stem, fingerprint.asks(script.stem)
        kind, plugins_of = ("pairings", kinds) if "pairings" in parts else ("methods", methods)
        if kind in parts:
            result[name] = {one: fingerprint.stage(name, chosen | {kind: one}, *more) for one in plugins_of}
        else:
            result[name] = fingerprint.stage(name, chosen, *more)
    return result
