"""How a model rewards itself: a folder (or a file) a method, in the parts that stages ask for.

`settings`: its section of params.yaml. `eft_search`, `eft`: its EFT data. `rows`: an EFT row as a training row and as
text. `search`, `pairs`: a round. `measure`: the model as a judge of held-out rows. `inspect`: what the report shows.
`settings` may have `JUDGES_STEPS`: pairings that need judged steps can use its rounds.
A method need not have `cost`, which `psr plan` asks, and `verify`: what must hold inside its searches and EFT data, for
`psr verify`.
"""

from __future__ import annotations

from types import ModuleType

from pipeline.core.command import Stage

LISTED = ("psrlm", "srlm")


def part(stage: Stage, name: str, role: str) -> ModuleType:
    """Part `role` of the method `name`. Raises PipelineError where there is none."""
    return stage.part(__name__, name, role)
