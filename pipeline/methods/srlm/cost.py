"""What SRLM asks for one problem, counted from its settings and from lengths; nothing is run.

assumed: `solutions`, `decided`, `scoring`, `pairs_of_problem` (see pipeline/planning/assumptions.py).
"""

from __future__ import annotations

from pipeline.core.config import Section
from pipeline.core.workload import Sizes, Work, requests
from pipeline.methods.srlm.settings import Settings


def _score_prompt(sizes: Sizes) -> float:
    return sizes.prompt("solution_judge") + sizes.problem + sizes.solution


def cost_of_eft_search(settings: Settings, sizes: Sizes) -> Work:
    """Whole solutions of one problem."""
    return sizes.whole(settings.eft_search.samples)


def cost_of_annotation(settings: Settings, sizes: Sizes) -> Work:
    """What the annotator is asked about one problem: each distinct solution once."""
    distinct = max(1.0, settings.eft_search.samples * sizes.assumed["solutions"])
    return requests(distinct, _score_prompt(sizes), sizes.assumed["scoring"], judging=True)


def expected_eft_rows(settings: Settings, sizes: Sizes, problems: float) -> tuple[float, float, float]:
    """Train rows of the EFT data, tokens of each, and test rows."""
    rows = problems * cost_of_annotation(settings, sizes).requests
    test = min(settings.eft.test_rows, rows)
    train = min(rows - test, 6 * settings.eft.per_score) if settings.eft.per_score else rows - test
    return train, _score_prompt(sizes) + sizes.assumed["scoring"], test


def cost_of_search(settings: Settings, sizes: Sizes, iteration: int) -> Work:
    """Whole solutions of one problem, and the scores of each distinct one."""
    chosen = settings.search
    distinct = max(1.0, chosen.samples * sizes.assumed["solutions"])
    scores = requests(distinct * chosen.scorer.samples, _score_prompt(sizes), sizes.assumed["scoring"], judging=True)
    return sizes.whole(chosen.samples) + scores


def tokens_of_pair(sizes: Sizes) -> float:
    """Tokens of a pair of whole solutions in training (prompt twice)."""
    return 2 * (sizes.prompt("reasoning") + sizes.problem + sizes.solution)


def expected_pairs(settings: Section, sizes: Sizes, iteration: int) -> tuple[float, float]:
    """Preference pairs of one problem, one at most, and tokens of each in training."""
    return sizes.assumed["pairs_of_problem"], tokens_of_pair(sizes)


def cost_of_measure(settings: Settings, sizes: Sizes, shots: int) -> Work:
    """One held-out solution, scored as in the search."""
    prompt = _score_prompt(sizes) + shots * (_score_prompt(sizes) + sizes.assumed["scoring"])
    return requests(settings.search.scorer.samples, prompt, sizes.assumed["scoring"], judging=True)
