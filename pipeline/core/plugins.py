"""Methods, domains and pairings by name: the library's own folders, or a module of the user in `extensions/`.

Each has parts of fixed names (a method's `search` and `pairs`, a domain's `answers` and `oracle`), so that a stage
imports, and depends on, no more than the part it uses. A part is a module of the folder; where all stands in one
file, that module is every part. A table `PARTS` of folder or file names the parts that are modules of others.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from pathlib import Path
from types import ModuleType

from pydantic import AfterValidator

from pipeline.core.errors import PipelineError

EXTENSIONS = "extensions"


def part(kind: str, name: str, role: str) -> ModuleType:
    """Part `role` of the plug-in `name`; kind: the package that lists its plug-ins (`pipeline.methods`).

    Raises PipelineError where there is no such plug-in or it has no such part.
    """
    module = where(kind, name, role)
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name != module:
            raise
        raise PipelineError(f"{module.replace('.', '/')}.py: no such file; {name} needs the part `{role}`") from error


def where(kind: str, name: str, role: str) -> str:
    """The dotted name of the module that is part `role` of a plug-in. Raises PipelineError where there is none."""
    if (package := find(kind, name)) is None:
        raise PipelineError(f"no {kind.rpartition('.')[2].removesuffix('s')} {name!r}; give {_choice(kind)}")
    module = importlib.import_module(package)
    borrowed: dict[str, str] = getattr(module, "PARTS", {})
    return borrowed.get(role) or (f"{package}.{role}" if hasattr(module, "__path__") else package)


def find(kind: str, name: str) -> str | None:
    """The dotted name of the plug-in's module or package, None where there is none."""
    if name in importlib.import_module(kind).LISTED:
        return f"{kind}.{name}"
    if str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))
    extension = f"{EXTENSIONS}.{name}"
    if name.isidentifier() and importlib.util.find_spec(EXTENSIONS) and importlib.util.find_spec(extension):
        return extension
    return None


def has(kind: str, name: str, role: str) -> bool:
    """Whether the plug-in `name` has the part `role`, which is not imported."""
    return importlib.util.find_spec(where(kind, name, role)) is not None


def existing(kind: str) -> AfterValidator:
    """For a parameter that names a plug-in: that there is one."""

    def check(name: str) -> str:
        if find(kind, name) is None:
            raise ValueError(f"must be {_choice(kind)}")
        return name

    return AfterValidator(check)


def _choice(kind: str) -> str:
    return f"one of {', '.join(importlib.import_module(kind).LISTED)}, or the name of a module in {EXTENSIONS}/"
