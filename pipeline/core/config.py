"""Typed sections of the YAML files: frozen, every key known, every fault one line that names file, key and value."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from pipeline.core.errors import PipelineError

YAML_WORDS = {"on", "off", "yes", "no", "y", "n", "true", "false", "null"}  # other types to some YAML readers


class Section(BaseModel):
    """A section of params.yaml or machine.yaml; a field's description is the key's comment in the written file."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)
    in_one_line: ClassVar[bool] = False  # in the written file


def identifier(text: str) -> str:
    """The text, if it can stand in paths and in the shell; ValueError if it cannot."""
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_-]{0,63}", text) or text.lower() in YAML_WORDS:
        raise ValueError(
            "must be a name of at most 64 letters, digits, `-` and `_` that begins with a letter and is no YAML word"
        )
    return text


Name = Annotated[str, AfterValidator(identifier)]  # reaches paths and the shell through dvc.yaml's templates
Share = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[int, Field(ge=1)]
Count = Annotated[int, Field(ge=0)]
Seed = Annotated[int, Field(ge=0, lt=2**32)]  # NumPy's, which the trainers seed, has 32 bits
Part = TypeVar("Part", bound=Section)


class Sampling(Section):
    """How a completion is sampled."""

    in_one_line: ClassVar[bool] = True

    temperature: float = Field(ge=0, le=10, description="0 is greedy")
    top_p: float = Field(gt=0, le=1)
    max_tokens: Positive = Field(description="cap of one completion")


def read_yaml(path: Path) -> dict[str, Any]:
    """The whole file as plain values, by YAML 1.2 as DVC reads it. Raises PipelineError."""
    try:
        document = YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError as error:
        raise PipelineError(f"{path}: no such file; give one, or write params.yaml by `psr profile NAME`") from error
    except UnicodeDecodeError as error:
        raise PipelineError(f"{path}: not UTF-8 (byte {error.start}); save it as UTF-8") from error
    except OSError as error:
        raise PipelineError(f"{path}: cannot be read ({error.strerror}); give a file") from error
    except MarkedYAMLError as error:
        line = f"line {error.problem_mark.line + 1}: " if error.problem_mark else ""
        raise PipelineError(f"{path}: {line}not YAML ({error.problem}); correct it") from error
    except (YAMLError, ValueError, RecursionError) as error:
        raise PipelineError(f"{path}: not YAML ({' '.join(str(error).split())[:200]}); correct it") from error
    if not isinstance(document, dict):
        raise PipelineError(f"{path}: must be a mapping of sections")
    for key, value in document.items():
        try:
            json.dumps({key: value}, default=str, ensure_ascii=False).encode()
        except (TypeError, ValueError, RecursionError) as error:
            line = f"{path}: {key}: must hold texts, numbers, lists and mappings alone ({error})"
            raise PipelineError(line) from error
    return document


def load(path: Path, name: str, kind: type[Part], override: Mapping[str, Any] | None = None) -> Part:
    """Section `name` (`psrlm.search`: a part of one) as `kind`, with the keys of `override` laid over it.

    Raises PipelineError, one line a fault.
    """
    value: Any = read_yaml(path)
    for depth, key in enumerate(parts := name.split("."), start=1):
        if not isinstance(value, dict) or key not in value:
            missing = ".".join(parts[:depth])
            raise PipelineError(
                f"{path}: section `{missing}` is missing; add it (a profile has it: `psr profile --help`)"
            )
        value = value[key]
    return build(kind, laid_over(value, override or {}), f"{path}: {name}")


def laid_over(base: Any, override: Mapping[str, Any]) -> Any:
    """`base` with the keys of `override` laid over it, mapping by mapping."""
    if not isinstance(base, dict):
        return base
    result = dict(base)
    for key, value in override.items():
        result[key] = laid_over(result[key], value) if isinstance(value, dict) and key in result else value
    return result


def build(kind: type[Part], value: Any, where: str) -> Part:
    """`value` as the section `kind`; PipelineError with a line for each fault, `where` before each key."""
    section, faults = checked(kind, value, where)
    if section is None:
        raise PipelineError("\n".join(faults))
    return section


def checked(kind: type[Part], value: Any, where: str) -> tuple[Part | None, list[str]]:
    """The section, or None and its faults, a line each."""
    try:
        return kind.model_validate_json(json.dumps(value, default=str)), []
    except ValidationError as error:
        return None, [_line(kind, detail, where) for detail in error.errors(include_url=False)]


def _line(kind: type[BaseModel], detail: ErrorDetails, where: str) -> str:
    keys = [part for part in detail["loc"] if part != "[key]"]
    printable = (part if isinstance(part, int) or part.isprintable() else repr(part)[1:-1] for part in keys)
    place = where + "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in printable)
    place = place.replace(": .", ": ", 1)  # a key at the top of the file
    given = repr(detail["input"])
    given = given if len(given) <= 80 else given[:77] + "..."
    match detail["type"]:
        case "missing" if isinstance(keys[-1], int):
            return f"{place}: missing; the list is too short"
        case "missing":
            return f"{place}: missing key; add it (a profile has its default: `psr profile --help`)"
        case "extra_forbidden":
            return f"{place}: unknown key; {_advice(str(keys[-1]), _keys(kind, keys[:-1]))}"
        case "value_error":
            return f"{place}: {detail['ctx']['error']!s}, is {given}"
        case "model_type":
            message = "must be a section with keys"
        case "dict_type":
            message = "must be a mapping"
        case "tuple_type" | "list_type":
            message = "must be a list"
        case _:
            message = re.sub(r" after validation, not \d+$", "", re.sub(r"^\w+ should", "must", detail["msg"]))
            message = message.replace("a valid integer", "an integer").replace("a valid ", "a ")
    return f"{place}: {message}, is {given}"


def _advice(key: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(key, known := list(known), n=1)
    return f"did you mean `{near[0]}`?" if near else f"known keys: {', '.join(known)}"


def _keys(kind: Any, path: Iterable[int | str]) -> list[str]:
    """The keys of the section that lies at `path` within `kind`."""
    for part in path:
        fields = getattr(kind, "model_fields", {})
        kind = fields[part].annotation if part in fields else kind
        while not isinstance(kind, type) or not issubclass(kind, BaseModel):
            inner = [a for a in getattr(kind, "__args__", ()) if hasattr(a, "__args__") or hasattr(a, "model_fields")]
            if not inner:
                return []
            kind = inner[-1]
    return [field.alias or name for name, field in kind.model_fields.items()]


class Prompts(Section):
    """The prompts in force."""

    family: Name = Field(description="a folder of prompts/")
    chat: Literal["auto", "never"] = Field(description="auto: the model's chat template, where it has one")
