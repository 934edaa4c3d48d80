"""What a params.yaml says of judging, where it must fit together: measured judges, and ways of judging."""

from __future__ import annotations

from collections.abc import Iterator

from pipeline import methods
from pipeline.core import config, fingerprint, plugins
from pipeline.core.config import laid_over
from pipeline.core.plan import BASE
from pipeline.methods import pairings
from pipeline.methods.psrlm import listwise
from pipeline.methods.psrlm.settings import Search
from pipeline.params.schema import Common


def faults(params: Common) -> Iterator[str]:
    """A line for each thing that does not fit together, without the file's name."""
    yield from _steps(params)
    yield from _judges(params)
    yield from _ways(params)


def _steps(params: Common) -> Iterator[str]:
    """What needs judged steps must be of a round that judges some."""
    for model, variant in params.variants.items():
        pairing, method = plugins.part(pairings.__name__, variant.kind, "pairs"), params.method(variant.of)
        settings = plugins.part(methods.__name__, method, "settings")
        if getattr(pairing, "NEEDS_STEPS", False) and not getattr(settings, "JUDGES_STEPS", False):
            yield f"variants.{model}.of: {variant.of} is a {method} round; {variant.kind} needs judged steps"


def _judges(params: Common) -> Iterator[str]:
    for key, judge in params.judges.items():
        if judge.model not in params.models:
            yield f"judges.{key}.model: no model {judge.model!r}; give one of {', '.join(params.models)}"
        elif judge.model != BASE and params.method(judge.model) != judge.method:
            yield f"judges.{key}.method: {judge.model} learned to judge as {params.method(judge.model)}"
        if judge.method not in params.eft:
            yield f"judges.{key}.method: there are no EFT data of {judge.method}; add it to `eft`"


def _ways(params: Common) -> Iterator[str]:
    """What a way of judging needs: a template, and letters enough; and what needs all verdicts must get them."""
    sections = {name: getattr(getattr(params, name), "search", None) for name in type(params).model_fields}
    searches = {f"{name}.search": search for name, search in sections.items() if isinstance(search, Search)}
    for model, entry in params.rounds.items():
        if own := searches.get(f"{entry.method}.search"):
            changed = laid_over(own.model_dump(), entry.search)
            if search := config.checked(type(own), changed, "")[0]:
                searches[f"rounds.{model}.search"] = search
    for where, search in searches.items():
        template = fingerprint.PROMPTS / params.prompts.family / f"{listwise.PROMPT}.txt"
        if search.judge.schedule == "listwise" and template.parent.is_dir() and not template.is_file():
            yield f"{where}.judge.schedule: listwise needs the template {template}; write it, or give pairs"
        if search.judge.schedule == "listwise" and search.width > len(listwise.LETTERS):
            yield f"{where}.width: listwise has {len(listwise.LETTERS)} letters; give as many candidates at most"
    for model, variant in params.variants.items():
        pairing = plugins.part(pairings.__name__, variant.kind, "pairs")
        needed = getattr(pairing, "NEEDS_ALL_VERDICTS", False)
        search = searches.get(where := f"rounds.{variant.of}.search")
        if needed and search and (search.judge.full < 1 or search.judge.schedule != "pairs"):
            rule = "judge: {schedule: pairs, full: 1.0}"
            yield f"variants.{model}.kind: {variant.kind} compares all wins of two judges; give {where}: {{{rule}}}"
