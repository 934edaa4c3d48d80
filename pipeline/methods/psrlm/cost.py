"""What PSRLM asks for one problem, counted from its settings and from lengths; nothing is run.

assumed: `candidates`, `compared`, `later_compared`, `needed`, `revisited`, `expanded`, `layers`, `decided`, `pairs`,
`later_pairs`, `readable`, `judgment`, `varied` (see pipeline/planning/assumptions.py).
"""

from __future__ import annotations

import math

from pipeline.core.workload import Sizes, Work, requests
from pipeline.methods.psrlm.settings import Judge, Settings


def _candidates(width: int, sizes: Sizes) -> float:
    return min(width, sizes.assumed["candidates"])


def _judge_prompt(sizes: Sizes) -> float:
    return sizes.prompt("step_judge") + sizes.problem + sizes.prefix + 2 * sizes.step


def _expansions(settings: Settings, sizes: Sizes) -> float:
    return settings.eft_search.iterations * sizes.assumed["expanded"]


def cost_of_eft_search(settings: Settings, sizes: Sizes) -> Work:
    """The tree search of one problem: expansions at all depths alike, each with a simulation, every step rated."""
    chosen = settings.eft_search
    rating = sizes.prompt("step_label") + sizes.problem + sizes.prefix + sizes.step
    further = (chosen.depth - 1) * (1 - 1 / sizes.steps)  # a last step is not continued
    steps = _steps(chosen.width + further, sizes)
    ratings = requests(_candidates(chosen.width, sizes) + further, rating, 1)
    return (steps + ratings) * _expansions(settings, sizes)


def cost_of_annotation(settings: Settings, sizes: Sizes) -> Work:
    """What the annotator is asked about one problem's tree: each layer in both orders."""
    layers = min(settings.eft.pairs_per_problem, _expansions(settings, sizes) * sizes.assumed["layers"])
    return requests(2 * layers, _judge_prompt(sizes), sizes.assumed["judgment"], judging=True)


def expected_eft_rows(settings: Settings, sizes: Sizes, problems: float) -> tuple[float, float, float]:
    """Train rows of the EFT data, tokens of each, and test rows."""
    decided = problems * cost_of_annotation(settings, sizes).requests / 2 * sizes.assumed["decided"]
    test = min(settings.eft.test_pairs, decided)
    pairs = min(settings.eft.train_pairs or decided, decided - test)
    return 2 * pairs / (1 - settings.eft.ties), _judge_prompt(sizes) + sizes.assumed["judgment"], test


def _states(settings: Settings, sizes: Sizes) -> float:
    return min(sizes.steps * (1 + sizes.assumed["revisited"]), settings.search.max_steps)


def cost_of_search(settings: Settings, sizes: Sizes, iteration: int) -> Work:
    """The search of one problem: candidates of every state, and the verdicts on their pairs.

    iteration: of the model that the search is for; 2: it starts from a root, whose candidates differ most.
    """
    first = settings.search.first_wave or settings.search.width
    sampled = _steps(first + (settings.search.width - first) * sizes.assumed["varied"], sizes)
    return (sampled + cost_of_verdicts(settings, sizes, iteration)) * _states(settings, sizes)


def _steps(count: float, sizes: Sizes) -> Work:
    """Steps sampled in one state."""
    prompt = sizes.prompt("reasoning") + sizes.problem + sizes.prefix + sizes.marker
    return requests(count, prompt, sizes.step - sizes.marker)


def cost_of_verdicts(settings: Settings, sizes: Sizes, iteration: int = 2) -> Work:
    """The judgments on the candidates of one state; iteration: see `cost_of_search`."""
    width, way = settings.search.width, settings.search.judge
    share = sizes.assumed["compared" if iteration <= 2 else "later_compared"]
    compared = share * width * (width - 1) / 2
    candidates = (1 + math.sqrt(1 + 8 * compared)) / 2  # that make as many pairs
    if way.schedule == "listwise":
        prompt = sizes.prompt("step_ranking") + sizes.problem + sizes.prefix + candidates * sizes.step
        return requests(way.rankings * min(1.0, compared), prompt, sizes.assumed["judgment"], judging=True)
    needed = sizes.assumed["needed"]
    if way.schedule == "tournament" and compared > 0:
        needed *= min(1.0, (2 * candidates - 3) / compared)
    calls = (2 if way.orders == "both" else 1) * compared * (way.full + (1 - way.full) * needed)
    return requests(calls, _judge_prompt(sizes), _judgment(way, sizes), judging=True)


def _judgment(way: Judge, sizes: Sizes) -> float:
    """Tokens of one verdict."""
    match way.verdict:
        case "logprob":
            return 1.0
        case "explain-short":
            return min(sizes.assumed["judgment"], way.max_explanation + 1.0)
    return sizes.assumed["judgment"]


def expected_pairs(settings: Settings, sizes: Sizes, iteration: int) -> tuple[float, float]:
    """Preference pairs of one problem, and tokens of each in training (prompt twice, chosen, rejected).

    iteration: see `cost_of_search`.
    """
    share = sizes.assumed["pairs" if iteration <= 2 else "later_pairs"]
    tokens = 2 * (sizes.prompt("reasoning") + sizes.problem + sizes.prefix + sizes.step)
    return _states(settings, sizes) * share, tokens


def cost_of_measure(settings: Settings, sizes: Sizes, shots: int) -> Work:
    """One held-out pair judged in both orders, then the probabilities of each verdict that can be read."""
    prompt, judgment = _judge_prompt(sizes), _judgment(settings.search.judge, sizes)
    prompt += shots * (prompt + sizes.assumed["judgment"])
    again = 2 * (sizes.assumed["readable"] if shots else 1)
    verdicts = requests(2, prompt, judgment, judging=True)
    return verdicts if judgment == 1 else verdicts + requests(again, prompt + judgment, 1)


def labelled(sizes: Sizes) -> float:
    """Tokens of a PRM training row with all steps of a solution."""
    return sizes.prompt("step_label") + sizes.problem + sizes.solution + sizes.steps * sizes.prompt("step_mark")


def rated(sizes: Sizes) -> Work:
    """The PRM on all steps of one held-out solution."""
    return requests(sizes.steps, sizes.prompt("step_label") + sizes.problem + sizes.prefix + sizes.step, 1)
