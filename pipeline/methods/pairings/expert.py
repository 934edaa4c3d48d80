"""Expert iteration (rejection sampling, RFT): the model learns the solutions that its own search ended in, no others.

The search's judge picked each step of such a solution; problems whose search found no answer are left out. A pair has
the same solution on both sides, neither the better one (consistency 1/2), so that its preference loss has no gradient:
what trains is the likelihood term of `dpo.loss_weights`, supervised training under the settings of the other models.
"""

from __future__ import annotations

from collections.abc import Iterable
from types import ModuleType
from typing import Any

from pipeline.core import files
from pipeline.core.command import Stage
from pipeline.core.config import Section
from pipeline.core.records import Dropped, Preference, Tree
from pipeline.core.workload import Sizes, Work
from pipeline.language import steps
from pipeline.methods.psrlm.settings import FILE
from pipeline.methods.srlm.cost import expected_pairs as expected_pairs

BY = "start"  # the second model: the one that searched
NEEDS_STEPS = True
NEEDS_LIKELIHOOD = True
PER_PROBLEM = True


def cost(settings: Section, sizes: Sizes) -> Work:
    """What is asked for one problem: nothing, the round has searched it."""
    return Work()


def pairs(
    stage: Stage, final: ModuleType, grading: ModuleType
) -> tuple[list[Preference], list[Dropped], dict[str, Any]]:
    """The solutions of the variant, what was left out, and no further statistics."""
    return *solved(files.read(stage.trees / FILE, Tree), stage.key), {}


def solved(trees: Iterable[Tree], iteration: str) -> tuple[list[Preference], list[Dropped]]:
    """The solution of each search as a pair with itself, and each search without an answer, dropped by its end."""
    kept: list[Preference] = []
    dropped: list[Dropped] = []
    for tree in trees:
        text = steps.join(tree.steps)
        if tree.end == "answer":
            pair = Preference(
                problem_id=tree.problem_id,
                step_index=1,
                prompt=tree.prompt,
                steps=(),
                chosen=text,
                rejected=text,
                chosen_terminal=True,
                rejected_terminal=True,
                chosen_score=0.0,
                rejected_score=0.0,
                iteration=iteration,
                consistency=0.5,
            )
            kept.append(pair)
        else:
            dropped.append(Dropped("expert", tree.problem_id, tree.end, text))
    return kept, dropped
