"""The check of a whole params.yaml: every fault at once, a line each; and what of the code each stage depends on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pipeline.core import config, fingerprint, plugins
from pipeline.core.config import Section, laid_over
from pipeline.core.errors import PipelineError
from pipeline.core.plan import BASE
from pipeline.data.settings import GENERATED
from pipeline.methods import pairings
from pipeline.params.renamed import renamed
from pipeline.params.schema import Common, whole

_SOURCES = Path("data/sources")
_OVERRIDES = ("search", "pairs")


def check(path: Path) -> Common:
    """Every section of a params file read strictly, with the overrides of each round, and all that must fit together.

    Raises PipelineError with a line for each fault.
    """
    document = config.read_yaml(path)
    if old := renamed(document):
        raise PipelineError("\n".join(f"{path}: {line}" for line in old))
    found, faults = config.checked(whole(document), document, f"{path}: ")
    if found is None:
        raise PipelineError("\n".join(faults))
    lines = found.faults() or [*_overrides(found), *_variants(found), *_lists(found), *_judging(found), *_paths(found)]
    if lines:
        raise PipelineError("\n".join(f"{path}: {line}" for line in lines))
    return found


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
        try:
            pairing = plugins.part(pairings.__name__, entry.kind, "pairs")
        except PipelineError as error:
            yield f"{where}.kind: {error}"
            continue
        if pairing.NEEDS_STEPS and found.method(entry.of) != "psrlm":
            yield f"{where}.of: {entry.of} is a {found.method(entry.of)} round; {entry.kind} needs judged steps"
        wanted = entry.start if pairing.BY == "start" else found.start_of(entry.start)
        if entry.by != wanted:
            reason = f"the model that {entry.of} starts from" if pairing.BY == "start" else f"before {entry.start}"
            yield f"{where}.by: must be {wanted}, {reason}"


def _lists(found: Common) -> Iterator[str]:
    """Models, splits and methods that are named beside the plan."""
    known = ", ".join(found.models)
    splits = found.problems.evaluation_splits(getattr(found, found.domain))
    for split in found.evaluate.average.splits:
        if split not in splits:
            yield f"evaluate.average.splits: no split {split!r}; give some of {', '.join(splits)}"
    for model in found.scale.models:
        if model not in found.models:
            yield f"scale.models: no model {model!r}; give some of {known}"
    for model in found.reference.models:
        if model in found.models:
            yield f"reference.models: {model!r} is a model of this run; references are others"
    for model, root in found.roots.items():
        if root.method not in found.eft:
            yield f"roots.{model}.method: there are no EFT data of {root.method}; add it to `eft`"
    for method, eft in found.eft.items():
        for name, model in (("policy", eft.policy), ("value", eft.value)):
            if model not in found.models and model != "prm":
                yield f"eft.{method}.{name}: no model {model!r}; give prm or one of {known}"


def _judging(found: Common) -> Iterator[str]:
    for key, judge in found.judges.items():
        if judge.model not in found.models:
            yield f"judges.{key}.model: no model {judge.model!r}; give one of {', '.join(found.models)}"
        elif judge.model != BASE and found.method(judge.model) != judge.method:
            yield f"judges.{key}.method: {judge.model} learned to judge as {found.method(judge.model)}"
        if judge.method not in found.eft:
            yield f"judges.{key}.method: there are no EFT data of {judge.method}; add it to `eft`"


def _paths(found: Common) -> Iterator[str]:
    """A path that DVC does not watch would count as up to date whatever becomes of it."""
    sources = {f"problems.{role}": getattr(found.problems, role).path for role in ("ift", "prm", "eft", "rounds")}
    sources |= {f"problems.evaluation.{key}": source.path for key, source in found.problems.evaluation.items()}
    given = sources | {"problems.ratings": found.problems.ratings, "base.model": found.base.model}
    given |= {"annotator.model": found.annotator.model if found.annotator.kind == "model" else ""}
    for where, path in given.items():
        if path and Path(path).exists() and _SOURCES.absolute() not in Path(path).absolute().parents:
            yield f"{where}: {path} is not in {_SOURCES}; put it, or a link to it, there, so that a change is seen"
    for where, path in sources.items():
        if path != GENERATED and not path.startswith(("hub:", "known:")) and not Path(path).exists():
            yield f"{where}.path: no such file {path!r}; give `generated`, a file, `hub:<dataset id>` or `known:<name>`"


def fingerprints(path: Path) -> dict[str, Any]:
    """code.json: a hash for each stage; for a stage that works for methods or pairings, a hash for each of these."""
    found = check(path)
    chosen = {"domains": found.domain}
    methods = sorted({*found.eft, *(entry.method for entry in (*found.roots.values(), *found.rounds.values()))})
    kinds = sorted({entry.kind for entry in found.variants.values()})
    result: dict[str, Any] = {}
    for script in sorted(Path("stages").glob("[a-z]*.py")):
        name, asked = script.stem, fingerprint.asks(script.stem)
        kind, plugged = ("pairings", kinds) if "pairings" in asked else ("methods", methods)
        if kind in asked:
            result[name] = {one: fingerprint.stage(name, chosen | {kind: one}, found.prompts.family) for one in plugged}
        else:
            result[name] = fingerprint.stage(name, chosen, found.prompts.family)
    return result
