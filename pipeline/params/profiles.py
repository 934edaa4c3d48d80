"""Profiles: whole sets of parameters. `tiny` holds every key, each other one lays its own over the one it names."""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, get_origin

from pydantic.fields import FieldInfo

from pipeline.core.config import YAML_WORDS, Section, read_yaml
from pipeline.core.errors import PipelineError
from pipeline.params.schema import Common, whole

FOLDER = Path(__file__).parent / "profiles"
_COLUMN, _WIDTH = 34, 120


@cache
def profiles() -> dict[str, str]:
    """What each shipped profile is, by its name."""
    return {path.stem: str(read_yaml(path)["about"]) for path in sorted(FOLDER.glob("*.yaml"))}


def profile(name: str) -> dict[str, Any]:
    """All parameters of a shipped profile or of one's own file `*.yaml`. Raises PipelineError for an unknown name."""
    own = _own(name)
    own.pop("about", None)
    base = profile(own.pop("over")) if "over" in own else {}
    together = {**base, **own}
    kind = whole(together)
    merged: dict[str, Any] = _merged(kind, base, own)
    return {key: value for key, value in merged.items() if key in kind.model_fields}


def _own(name: str) -> dict[str, Any]:
    """What the file of a profile says itself."""
    if name not in profiles() and not name.endswith(".yaml"):
        raise PipelineError(f"profile {name!r} does not exist; give a file or one of {', '.join(profiles())}")
    return read_yaml(Path(name) if name.endswith(".yaml") else FOLDER / f"{name}.yaml")


def _merged(kind: Any, base: Any, own: Any) -> Any:
    """`own` laid over `base`, section by section; what is no section (a table of rounds) is taken as a whole."""
    if not (isinstance(kind, type) and issubclass(kind, Section)) or not isinstance(base, dict):
        return own
    fields = {field.alias or name: field for name, field in kind.model_fields.items()}
    result = dict(base)
    for key, value in own.items():
        inner = fields[key].annotation if key in fields else None
        result[key] = _merged(inner, base[key], value) if key in base else value
    return result


def text(name: str) -> str:
    """params.yaml of a profile, with the descriptions of its keys as comments."""
    document = profile(name)
    head = textwrap.wrap(f"{name}: {_own(name).get('about', '')} Edit freely; `psr check` reads it.", _WIDTH - 2)
    lines = [f"# {line}" for line in head]
    kind = whole(document)
    for key in _ordered(kind, document):
        lines += _entry(key, kind.model_fields[key], document[key], 0)
    return "\n".join(lines) + "\n"


def _ordered(kind: type[Common], document: Mapping[str, Any]) -> Iterator[str]:
    """The keys in the order of the type; the domain's section after `base`, those of methods after `eft`."""
    own = [key for key in kind.model_fields if key not in Common.model_fields]
    for key in Common.model_fields:
        yield key
        if key == "base":
            yield document["domain"]
        if key == "eft":
            yield from (name for name in own if name != document["domain"])


def _entry(key: str, field: FieldInfo, value: Any, depth: int) -> Iterator[str]:
    """The lines of one key with all that lies below it."""
    indent, about, kind = "  " * depth, field.description, _section(field)
    if depth == 0 and (kind or key in ("eft", "judges")):
        yield ""
    if kind and value:
        yield from _commented(f"{indent}{key}:", about or re.split(r"\.(?=\s|$)", (kind.__doc__ or "").strip())[0])
        for name, inner in kind.model_fields.items():
            if (name := inner.alias or name) in value:
                yield from _entry(name, inner, value[name], depth + 1)
    elif get_origin(field.annotation) is dict and value:
        yield from _commented(f"{indent}{key}:", about)
        yield from (f"{indent}  {name}: {_flow(one)}" for name, one in value.items())
    elif isinstance(value, list) and value and isinstance(value[0], dict):
        yield from _commented(f"{indent}{key}:", about)
        yield from (f"{indent}  - {_flow(one)}" for one in value)
    else:
        yield from _commented(f"{indent}{key}: {_flow(value)}", about)


def _section(field: FieldInfo) -> type[Section] | None:
    """The section that a key holds, if it is written over lines."""
    kind = field.annotation
    return kind if isinstance(kind, type) and issubclass(kind, Section) and not kind.in_one_line else None


def _commented(line: str, about: str | None) -> Iterator[str]:
    """The line with its comment behind it, or above it where both are too long for one line."""
    if not about:
        yield line
        return
    together = f"{line:<{_COLUMN}}# {about}" if len(line) < _COLUMN else f"{line}  # {about}"
    if len(together) <= _WIDTH:
        yield together
        return
    indent = line[: len(line) - len(line.lstrip())]
    yield from textwrap.wrap(about, _WIDTH, initial_indent=f"{indent}# ", subsequent_indent=f"{indent}# ")
    yield line


def _flow(value: Any) -> str:
    match value:
        case dict():
            return "{" + ", ".join(f"{key}: {_flow(part)}" for key, part in value.items()) + "}"
        case list() | tuple():
            return "[" + ", ".join(map(_flow, value)) + "]"
        case bool() | None:
            return json.dumps(value)
        case float():
            mantissa, exponent, power = repr(value).partition("e")
            return f"{mantissa}{'' if '.' in mantissa or not exponent else '.0'}{exponent}{power}"
        case str() if re.fullmatch(r"[A-Za-z/][\w./-]*|https?://[\w./:-]+", value) and value.lower() not in YAML_WORDS:
            return value
    return json.dumps(value, ensure_ascii=False)
