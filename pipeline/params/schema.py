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
    entries = [*_values(document.get("roots")), *_values(document.get("rounds")), *_values(document.get("judges"))]
    names = dict.fromkeys(["psrlm", *(str(e["method"]) for e in entries if isinstance(e, dict) and "method" in e)])
    listed = [name for name in methods.LISTED if name in document]
    wanted |= dict.fromkeys([*names, *_keys(document.get("eft")), *listed], methods.__name__)
    sections: dict[str, Any] = {}
    for name, kind in wanted.items():
        if plugins.find(kind, name):
            sections[name] = (plugins.part(kind, name, "settings").Settings, ...)
    return create_model("Params", __base__=Common, **sections)


def _values(mapping: Any) -> list[Any]:
    return list(mapping.values()) if isinstance(mapping, dict) else []


def _keys(mapping: Any) -> list[str]:
    return [str(key) for key in mapping] if isinstance(mapping, dict) else []
