"""Other preference pairs from the search of a round: a file a kind, with `BY`, `NEEDS_STEPS`,
`NEEDS_ALL_VERDICTS`, `cost` and `pairs`.

A kind may have `GOLD` (it learns from gold answers, which its variant must say), `NEEDS_LIKELIHOOD` (the preference
loss alone would teach it nothing) and `PER_PROBLEM` (`cost` is that of a problem, not of a pair of the round).
"""

from __future__ import annotations

from types import ModuleType

from pipeline.core.command import Stage

LISTED = ("outcome", "agreement", "cream", "scpo", "correct", "expert")


def part(stage: Stage, name: str, role: str) -> ModuleType:
    """The pairing `name`, one file for every part. Raises PipelineError where there is none."""
    return stage.part(__name__, name, role)
