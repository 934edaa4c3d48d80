"""One thing that was looked at, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Finding:
    """name: what was looked at. level: `fault` where a run will not do. observed: what is there. advice: what to do."""

    name: str
    level: Literal["ok", "warning", "fault"]
    observed: str
    advice: str = ""


def judged(name: str, observed: str, *, fault: str = "", warning: str = "") -> Finding:
    """A finding with the advice that is not empty: that of a fault before that of a warning, else all is well."""
    if fault:
        return Finding(name, "fault", observed, fault)
    return Finding(name, "warning" if warning else "ok", observed, warning)
