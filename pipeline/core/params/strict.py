"""Strict reading of params.yaml: an unknown or missing key is an error with one clear line."""

from __future__ import annotations

import dataclasses
import difflib
import types
from pathlib import Path
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

import yaml

from pipeline.core.errors import PipelineError

Section = TypeVar("Section")


def load(path: Path, name: str, kind: type[Section], override: dict[str, Any] | None = None) -> Section:
    """Section `name` of the YAML file as `kind`, with a round's own keys merged over it.

    Raises PipelineError naming file and key for an unknown, missing or ill-typed one.
    """
    document = read_yaml(path)
    if name not in document:
        raise PipelineError(f"{path}: section `{name}` is missing; `psr profile tiny` writes a whole file")
    return build(kind, merged(document[name], override or {}), f"{path}: {name}")


def read_yaml(path: Path) -> dict[str, Any]:
    """The whole file as plain values."""
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise PipelineError(f"{path}: no such file; `psr profile tiny` writes one") from error
    except yaml.YAMLError as error:
        raise PipelineError(f"{path}: not YAML ({' '.join(str(error).split())})") from error
    if not isinstance(document, dict):
        raise PipelineError(f"{path}: must be a mapping of sections")
    return document


def merged(base: Any, override: dict[str, Any]) -> Any:
    """`base` with the keys of `override` laid over it, section by section."""
    if not isinstance(base, dict):
        return base
    result = dict(base)
    for key, value in override.items():
        result[key] = merged(result[key], value) if isinstance(value, dict) and key in result else value
    return result


def build(kind: Any, value: Any, where: str) -> Any:
    """`value` checked against the type `kind`, sections as frozen dataclasses."""
    if dataclasses.is_dataclass(kind):
        return _section(kind, value, where)
    if get_origin(kind) is dict:
        if not isinstance(value, dict):
            raise PipelineError(f"{where}: must be a mapping, is {value!r}")
        return {key: build(get_args(kind)[1], part, f"{where}.{key}") for key, part in value.items()}
    if get_origin(kind) is list:
        if not isinstance(value, list):
            raise PipelineError(f"{where}: must be a list, is {value!r}")
        return [build(get_args(kind)[0], part, f"{where}[{index}]") for index, part in enumerate(value)]
    if isinstance(kind, types.UnionType):
        return None if value is None else build(get_args(kind)[0], value, where)
    return _scalar(kind, value, where)


def _section(kind: Any, value: Any, where: str) -> Any:
    if not isinstance(value, dict):
        raise PipelineError(f"{where}: must be a section with keys, is {value!r}")
    hints = get_type_hints(kind)
    for key in value:
        if key not in hints:
            near = difflib.get_close_matches(str(key), hints, n=1)
            advice = f"did you mean `{near[0]}`?" if near else f"known keys: {', '.join(hints)}"
            raise PipelineError(f"{where}.{key}: unknown key; {advice}")
    missing = dataclasses.MISSING
    optional = {
        f.name for f in dataclasses.fields(kind) if f.default is not missing or f.default_factory is not missing
    }
    for key in hints:
        if key not in value and key not in optional:
            raise PipelineError(f"{where}.{key}: missing key; add it (`psr profile tiny` shows its default)")
    return kind(**{key: build(hints[key], part, f"{where}.{key}") for key, part in value.items()})


def _scalar(kind: type, value: Any, where: str) -> Any:
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if kind is float and isinstance(value, str):  # YAML reads 1e-6 as text
        try:
            return float(value)
        except ValueError:
            pass
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise PipelineError(f"{where}: must be {kind.__name__}, is {value!r}")
    return value
