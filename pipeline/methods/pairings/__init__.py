"""Other preference pairs from the search of a round: a file a kind, with `BY`, `cost` and `pairs`.

A kind may have `NEEDS_STEPS` (a search of judged steps), `NEEDS_ALL_VERDICTS` (on all pairs of candidates), `GOLD` (it
learns from gold answers, which its variant must say), `NEEDS_LIKELIHOOD` (the preference loss alone would teach it
nothing), `PER_PROBLEM` (`cost` is that of a problem, not of a pair of the round) and
`expected_pairs` as a method's part `cost` has it, where its pairs are others in number or length than the round's.
"""

from __future__ import annotations

from types import ModuleType

from pipeline.core.command import Stage

LISTED = ("outcome", "agreement", "cream", "scpo", "correct", "expert")


def part(stage: Stage, name: str, role: str) -> ModuleType:
    """The pairing `name`, one file for every part. Raises PipelineError where there is none."""
    return stage.part(__name__, name, role)
