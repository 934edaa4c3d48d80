"""Prompt templates: text files with named fields, one folder of `prompts/` a family, filled in one pass."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from functools import cache

from pipeline.core.errors import PipelineError
from pipeline.core.fingerprint import PROMPTS

_FIELD = re.compile(r"\{([a-z_]+)\}")


@cache
def template(family: str, name: str) -> str:
    """The text of template `name` of a family. Raises PipelineError if there is no such file."""
    path = PROMPTS / family / f"{name}.txt"
    if not path.is_file():
        families = ", ".join(sorted(folder.name for folder in PROMPTS.glob("*/")))
        raise PipelineError(f"prompts.family: no template {path}; write it, or give a family that has it ({families})")
    return path.read_text(encoding="utf-8")


def fill(family: str, name: str, **values: str) -> str:
    """The prompt: each `{field}` of the template replaced once; inserted text is never scanned for fields.

    Raises PipelineError if a field is missing in the template.
    """
    text = template(family, name)
    for field in sorted(values.keys() - set(_FIELD.findall(text))):
        raise PipelineError(
            f"{PROMPTS / family / name}.txt: the template lacks the field {{{field}}}; add it where its text belongs"
        )
    return _FIELD.sub(lambda match: values.get(match[1], match[0]), text)


def harmless(text: str, special_tokens: Sequence[str]) -> str:
    """Model text made safe to show in a prompt: no special tokens, no control characters."""
    for token in special_tokens:
        text = text.replace(token, "")
    return "".join(c for c in text if c == "\n" or unicodedata.category(c) not in ("Cc", "Cf"))
