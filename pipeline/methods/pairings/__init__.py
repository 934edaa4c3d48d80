"""Other preference pairs from the search of a round: a file a kind, with `BY`, `NEEDS_STEPS`,
`NEEDS_ALL_VERDICTS`, `cost` and `pairs`."""

from __future__ import annotations

from types import ModuleType

from pipeline.core.command import Stage

LISTED = ("outcome", "agreement", "cream")


def part(stage: Stage, name: str, role: str) -> ModuleType:
    """The pairing `name`, one file for every part. Raises PipelineError where there is none."""
    return stage.part(__name__, name, role)
