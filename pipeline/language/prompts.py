"""Prompt templates: text files with named fields, one folder of `prompts/` a family, filled in one pass."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

from pipeline.core.errors import PipelineError
from pipeline.core.fingerprint import PROMPTS

FIELD = re.compile(r"\{([a-z_]+)\}")


@cache
def template(family: str, name: str) -> str:
    """The text of template `name` of a family. Raises PipelineError if there is no such file."""
    path = PROMPTS / family / f"{name}.txt"
    if not path.is_file():
        families = ", ".join(sorted(folder.name for folder in PROMPTS.glob("*/")))
        raise PipelineError(f"prompts.family: no template {path}; write it, or give a family that has it ({families})")
    return read(path)


def read(path: Path) -> str:
    """The text of a template's file, without a BOM. Raises PipelineError if it is not UTF-8."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise PipelineError(f"{path}: not UTF-8 (byte {error.start}); save the template as UTF-8") from error


def fill(family: str, name: str, **values: str) -> str:
    """The prompt: each `{field}` of the template replaced once; inserted text is never scanned for fields.

    Raises PipelineError if a field is missing in the template.
    """
    text = template(family, name)
    for field in sorted(values.keys() - set(FIELD.findall(text))):
        raise PipelineError(
            f"{PROMPTS / family / name}.txt: the template lacks the field {{{field}}}; add it where its text belongs"
        )
    return FIELD.sub(lambda match: values.get(match[1], match[0]), text)
