"""Prompt templates: text files with named fields, filled in one pass.

A template is found by path; `pipeline/templates/<family>` ships two families (world, paper), and a user may
point `prompts.*` of params.yaml to a folder of their own with the same file names.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

from pipeline.core.errors import PipelineError

FIELDS = {
    "reasoning": ("problem",),
    "step_label": ("problem",),
    "step_mark": (),
    "segmentation": ("problem", "solution"),
    "step_judge": ("problem", "steps", "a", "b"),
    "solution_judge": ("problem", "solution"),
    # the world's corpus alone
    "examination": ("problem", "steps", "a", "b"),
    "lines": ("a", "b"),
}
SHIPPED = Path("prompts")


@cache
def template(family: str, name: str) -> str:
    """The text of template `name` of a shipped family or of a folder path.

    Raises PipelineError if the file is absent or a field is missing in it.
    """
    folder = SHIPPED / family if (SHIPPED / family).is_dir() else Path(family)
    path = folder / f"{name}.txt"
    if not path.is_file():
        raise PipelineError(f"prompts.family: no template {path}; give one of world, paper, or a folder that has it")
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise PipelineError(f"{path}: not UTF-8 (byte {error.start}); save the template as UTF-8") from error
    missing = [field for field in FIELDS[name] if f"{{{field}}}" not in text]
    if missing:
        raise PipelineError(f"{path}: the template lacks the field {{{missing[0]}}}; add it where its text belongs")
    return text


def fill(family: str, name: str, **values: str) -> str:
    """The prompt: each `{field}` of the template replaced once; inserted text is never scanned for fields."""
    pattern = "|".join(FIELDS[name])
    return re.sub(rf"\{{({pattern})\}}", lambda match: values[match[1]], template(family, name))
