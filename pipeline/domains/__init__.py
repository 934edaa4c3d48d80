"""What problems are about: a folder (or a file) a domain, in the parts that stages ask for.

`settings`: its section of params.yaml. `final`: how a final answer is marked and read; `grading`: how two are compared,
where a source names no other grader (`pipeline.domains.graders` says what it holds); `solutions`: how a solution is cut
into steps by rule. Of a domain that makes its own problems also `problems`, of one that knows right steps `oracle`, of
one with a model of its own `base`. A table `PARTS` names the parts that are another domain's.
"""

from __future__ import annotations

from types import ModuleType

from pipeline.core.command import Stage

LISTED = ("math", "text", "arithmetic", "deduction")


def part(stage: Stage, role: str) -> ModuleType:
    """Part `role` of the domain of params.yaml. Raises PipelineError where it has none."""
    return stage.part(__name__, stage.plan.domain, role)
