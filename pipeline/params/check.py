"""The check of a whole params.yaml: every fault at once, a line each; and what of the code each stage depends on."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
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
from pipeline.methods import pairings
from pipeline.params import judging
from pipeline.params.renamed import renamed
from pipeline.params.schema import Common, whole
from pipeline.training import model_files

_SOURCES = Path("data/sources")
_OVERRIDES = ("search", "pairs")
_ROLES = ("ift", "prm", "eft", "rounds")


def check(path: Path) -> Common:
    """Every section of a params file read strictly, with the overrides of each round, and all that must fit together.

    Raises PipelineError with a line for each fault.
    """
    document = config.read_yaml(path)
    found, faults = config.checked(whole(document), document, f"{path}: ")
    if old := renamed(document):
        faults = _with_renamed(old, faults, f"{path}: ")
    elif found is not None:
        faults = [f"{path}: {line}" for line in _together(found)]
    if found is None or faults:
        raise PipelineError("\n".join(faults))
    return found


def _with_renamed(old: Mapping[str, str], faults: Sequence[str], where: str) -> list[str]:
    """A line for each key that has another name now, and the faults that these do not explain."""
    explained = []
    for key, new in old.items():
        section = key.partition(".")[0]
        explained += [f"{where}{key}:", f"{where}{key}.", f"{where}{section}: unknown", f"{where}{new}: missing"]
    lines = [f"{where}{key}: is called {new} now" for key, new in old.items()]
    return lines + [line for line in faults if not line.startswith(tuple(explained))]


def _together(found: Common) -> list[str]:
    """What does not fit together, a line each, without the file's name."""
    plan = found.faults()
    of_plan = () if plan else (*_overrides(found), *_variants(found), *judging.faults(found), *_circles(found))
    return [*plan, *of_plan, *_lists(found), *_labels(found), *_parts(found), *_servers(found), *_paths(found)]


def _overrides(found: Common) -> Iterator[str]:
    """What a round or variant lays over a section must still be that section."""
    for model, entry in {**found.rounds, **found.variants}.items():
        where = f"{'rounds' if model in found.rounds else 'variants'}.{model}"
        for name in (*_OVERRIDES, "dpo"):
            changed = getattr(entry, name, {})
            base: Section | None = (
                found.dpo if name == "dpo" else getattr(getattr(found, found.method(model)), name, None)
            )
            if changed and base is None:
                yield f"{where}.{name}: the method {found.method(model)} has no such section; take it out"
            elif changed and base is not None:
                yield from config.checked(type(base), laid_over(base.model_dump(), changed), f"{where}.{name}")[1]


def _variants(found: Common) -> Iterator[str]:
    for model, entry in found.variants.items():
        where = f"variants.{model}"
        pairing = plugins.part(pairings.__name__, entry.kind, "pairs")
        if pairing.NEEDS_STEPS and found.method(entry.of) != "psrlm":
            yield f"{where}.of: {entry.of} is a {found.method(entry.of)} round; {entry.kind} needs judged steps"
        wanted = entry.start if pairing.BY == "start" else found.start_of(entry.start)
        if entry.by != wanted:
            reason = f"the model that {entry.of} starts from" if pairing.BY == "start" else f"before {entry.start}"
            yield f"{where}.by: must be {wanted}, {reason}"


def _lists(found: Common) -> Iterator[str]:
    """Models, splits and methods that are named beside the plan."""
    models = found.names()
    known, splits = ", ".join(models), found.problems.evaluation_splits(getattr(found, found.domain))
    for split in found.evaluate.average.splits:
        if split not in splits:
            yield f"evaluate.average.splits: no split {split!r}; give some of {', '.join(splits)}"
    for model in found.scale.models:
        if model not in models:
            yield f"scale.models: no model {model!r}; give some of {known}"
    for model in found.reference.models:
        folder = model.partition("/")[0]  # of data/, where its answers go
        if folder in models:
            yield f"reference.models: {model!r} is a model of this run; references are others"
        if folder in TAKEN:
            yield f"reference.models: {model!r}: another folder of data/ is called so; serve it under another name"
    if found.report.method not in found.eft:
        yield f"report.method: there are no EFT data of {found.report.method}; give one of {', '.join(found.eft)}"
    for model, root in found.roots.items():
        if root.method not in found.eft:
            yield f"roots.{model}.method: there are no EFT data of {root.method}; add it to `eft`"
    for method, eft in found.eft.items():
        if eft.policy not in models:
            yield f"eft.{method}.policy: no model {eft.policy!r}; give one of {known}"
        if eft.value not in (*models, PRM):
            yield f"eft.{method}.value: no model {eft.value!r}; give {PRM} or one of {known}"


def _circles(found: Common) -> Iterator[str]:
    """A model may not make the EFT data that it, or a model before it, is trained on."""
    needs = {f"eft.{method}": {eft.policy, eft.value} for method, eft in found.eft.items()}
    needs[PRM] = {found.prm.rollouts.policy}
    needs |= {model: {f"eft.{root.method}", root.start} for model, root in found.roots.items()}
    needs |= {model: {str(found.start_of(model))} for model in (*found.rounds, *found.variants)}
    try:
        TopologicalSorter(needs).prepare()
    except CycleError as error:
        circle = error.args[1][::-1]
        where = next(name for name in circle if name.startswith("eft."))
        yield f"{where}: {' -> '.join(circle)} are a circle; give a policy and a value before it, such as {BASE}"


def _labels(found: Common) -> Iterator[str]:
    """Who labels the PRM's steps must have what that takes."""
    labels, policy, source = found.prm.labels, found.prm.rollouts.policy, found.problems.prm
    if policy not in found.names():
        yield f"prm.rollouts.policy: no model {policy!r}; give one of {', '.join(found.names())}"
    try:
        source = sources.known(source)
    except PipelineError:
        return  # said of the path
    rated = source.format == "prm800k"
    if labels == "people" and not rated:
        yield "problems.prm.format: prm.labels: people reads ratings; give a source of format: prm800k"
    if labels == "rollouts" and (rated or (source.path != GENERATED and not source.answer)):
        yield "problems.prm.answer: prm.labels: rollouts reaches gold answers; give a source with a column of them"


def _parts(found: Common) -> Iterator[str]:
    """What is asked of the domain must be a part of it."""
    generated = [f"problems.{role}.path" for role in _ROLES if getattr(found.problems, role).path == GENERATED]
    evaluation = found.problems.evaluation.items()
    generated += [f"problems.evaluation.{key}.path" for key, source in evaluation if source.path == GENERATED]
    needs = [(where, "problems", "a file, `hub:<dataset id>` or `known:<name>`") for where in generated]
    if found.annotator.kind == "oracle" and found.eft:
        needs.append(("annotator.kind", "oracle", "endpoint or model"))
    if found.prm.labels == "oracle":
        needs.append(("prm.labels", "oracle", "people or rollouts"))
    if found.base.model in ("shipped", "train"):
        needs.append(("base.model", "base", "a model folder or a Hub id"))
    for where, role, other in needs:
        if not plugins.has(domains.__name__, found.domain, role):
            yield f"{where}: the domain {found.domain} has no part `{role}`, which this asks for; give {other}"


def _servers(found: Common) -> Iterator[str]:
    """Who is asked must be named."""
    if found.reference.models and not found.reference.url:
        yield "reference.url: must be the server of reference.models, is ''"
    if found.annotator.kind == "endpoint" and not found.annotator.url:
        yield "annotator.url: must be the server that annotator.kind: endpoint asks, is ''"
    if found.annotator.kind != "oracle" and not found.annotator.model:
        yield f"annotator.model: must be the model that annotator.kind: {found.annotator.kind} asks, is ''"
    if found.annotator.kind == "oracle" and found.ift.segmenter == "annotator":
        yield "ift.segmenter: the oracle writes no text; give rule, or annotator.kind: endpoint or model"


def _paths(found: Common) -> Iterator[str]:
    """Paths must exist, and one that DVC does not watch would count as up to date whatever becomes of it."""
    if not (family := fingerprint.PROMPTS / found.prompts.family).is_dir():
        families = ", ".join(sorted(folder.name for folder in fingerprint.PROMPTS.glob("*/")))
        yield f"prompts.family: there is no folder {family}; give one of {families}"
    given = {f"problems.{role}.path": getattr(found.problems, role) for role in _ROLES}
    given |= {f"problems.evaluation.{key}.path": source for key, source in found.problems.evaluation.items()}
    given |= {"problems.ratings": Source(path=found.problems.ratings)} if found.problems.ratings else {}
    files = {where: source.path for where, source in given.items()}
    more = {"base.model": found.base.model, "prm.published.model": found.prm.published.model}
    more |= {"annotator.model": found.annotator.model if found.annotator.kind == "model" else ""}
    for where, path in (files | more).items():
        folder = Path(path) if os.path.isdir(path) else Path(path).parent
        if os.path.exists(path) and not folder.resolve().is_relative_to(_SOURCES.resolve()):
            yield f"{where}: {path} is not in {_SOURCES}; move it there (DVC sees no change behind a linked folder)"
    for key, model in (("base.model", found.base.model), ("prm.published.model", found.prm.published.model)):
        if os.path.isdir(model):
            yield from model_files.faults(Path(model), model, found.inference.max_model_len, key)
    for where, source in given.items():
        try:
            real, path = sources.known(source).path, source.path
        except PipelineError as error:
            yield f"{where}: {error}"
            continue
        if real != GENERATED and not real.startswith((sources.HUB, GYM)) and not os.path.exists(real):
            yield f"{where}: no such file {path!r}; give `generated`, a file, `hub:<dataset id>` or `known:<name>`"


def fingerprints(path: Path) -> dict[str, Any]:
    """code.json: a hash for each stage; for a stage that works for methods or pairings, a hash for each of these."""
    found = check(path)
    chosen = {"domains": found.domain}
    given = (*found.problems.evaluation.values(), *(getattr(found.problems, role) for role in _ROLES))
    graded = sorted({module for s in map(sources.known, given) if s.grader for module in graders.modules(s.grader)})
    methods = sorted({*found.eft, *(entry.method for entry in (*found.roots.values(), *found.rounds.values()))})
    kinds = sorted({entry.kind for entry in found.variants.values()})
    more = (found.prompts.family, graded)
    result: dict[str, Any] = {}
    for script in sorted({*Path("stages").glob("[a-z]*.py")} - {Path("stages/fingerprint.py")}):
        name, asked = script.stem, fingerprint.asks(script.stem)
        kind, plugged = ("pairings", kinds) if "pairings" in asked else ("methods", methods)
        if kind in asked:
            result[name] = {one: fingerprint.stage(name, chosen | {kind: one}, *more) for one in plugged}
        else:
            result[name] = fingerprint.stage(name, chosen, *more)
    return result
