"""The sections of params.yaml, each with the type that reads it; the one place where a section is listed."""

from __future__ import annotations

from typing import Any

from pydantic import Field, create_model

from pipeline import domains, methods
from pipeline.core import plan, plugins
from pipeline.core.config import Name, Prompts, Section
from pipeline.core.products import Shares
from pipeline.data.settings import Ift, Problems
from pipeline.evaluation.settings import Judge, Scale
from pipeline.inference.settings import Annotator, Evaluate, Inference, Reference
from pipeline.methods.alarm import Alarm
from pipeline.report.settings import Report
from pipeline.training.settings import Base, Dpo, Prm, Training


class Eft(Section):
    """policy: the model that searches. value: the model that rates what it finds, `prm`, or the policy if none does."""

    policy: Name
    value: Name


class Common(plan.Plan):
    """Every section but those of domains and methods."""

    prompts: Prompts
    inference: Inference
    shares: Shares
    alarm: Alarm
    problems: Problems
    base: Base
    ift: Ift
    annotator: Annotator
    prm: Prm
    eft: dict[plan.Method, Eft] = Field(
        description="methods with EFT data; value: the model that rates, or the policy if none does"
    )
    sft: Training = Field(description="supervised fine-tuning, M0 to M1")
    dpo: Dpo
    evaluate: Evaluate
    judges: dict[Name, Judge] = Field(description="models measured on the held-out EFT rows of a method")
    scale: Scale
    reference: Reference
    report: Report


def whole(document: dict[str, Any]) -> type[Common]:
    """The type of a whole file: the common sections, and one for its domain and for each of its methods that exist."""
    wanted = {str(document.get("domain")): domains.__name__}
    if plugins.find(domains.__name__, str(document.get("domain"))) is None:  # which is the fault, not its section
        wanted = {name: domains.__name__ for name in domains.LISTED if name in document}
    sections = {key: value for key, value in document.items() if isinstance(value, dict)}  # else a fault
    entries = [entry for key in ("roots", "rounds", "judges") for entry in sections.get(key, {}).values()]
    used = [str(entry["method"]) for entry in entries if isinstance(entry, dict) and "method" in entry]
    listed = [name for name in methods.LISTED if name in document]
    wanted |= dict.fromkeys(["psrlm", *used, *map(str, sections.get("eft", ())), *listed], methods.__name__)
    kinds = {name: kind for name, kind in wanted.items() if plugins.find(kind, name)}
    types: Any = {name: (plugins.part(kind, name, "settings").Settings, ...) for name, kind in kinds.items()}
    return create_model("Params", __base__=Common, **types)
