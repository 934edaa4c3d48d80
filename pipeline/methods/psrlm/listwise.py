"""Ranking all candidates of a state in one prompt, several times, each in another order.

Each candidate stands on one line after a letter, so that none can write a line of another. A ranking `[[B > A > C]]`
names every letter once; one that does not cannot be read, which is data. A candidate beats another where more than half
of all rankings place it above.
"""

from __future__ import annotations

import itertools
import random
import re
from collections import Counter
from collections.abc import Sequence

from pipeline.core.records import Verdict
from pipeline.inference.requests import Task, sampled, seed_of
from pipeline.language import fences
from pipeline.language.renderer import Renderer
from pipeline.language.steps import join
from pipeline.methods.psrlm.settings import Judge

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_LETTERS = r"\s*([A-Z](?:\s*>\s*[A-Z])*)\s*"
RANKING = re.compile(rf"\[\[{_LETTERS}\]\]")
PROMPT, _REPLY = "step_ranking", (re.compile(rf"(?<!\[)\[{{2,}}{_LETTERS}\]{{2,}}"), r"[\1]")


def prompt(
    family: str, problem: str, steps: Sequence[str], candidates: Sequence[str], special: Sequence[str] = ()
) -> str:
    """The judge's prompt for candidates, in the order given, after `steps`."""
    lines = [f"{letter}: {' '.join(text.split())}" for letter, text in zip(LETTERS, candidates, strict=False)]
    return fences.fill(family, PROMPT, special, _REPLY, problem, steps=join(steps), candidates="\n".join(lines))


def parse(text: str, count: int) -> list[int] | None:
    """The places of the candidates as shown, best first; None unless one ranking stands there that names each once."""
    rankings = {tuple(LETTERS.index(letter) for letter in re.findall("[A-Z]", one)) for one in RANKING.findall(text)}
    places = list(rankings.pop()) if len(rankings) == 1 else []
    return places if sorted(places) == list(range(count)) else None


def ask(
    renderer: Renderer, problem: str, steps: Sequence[str], candidates: Sequence[str], settings: Judge, seed: int
) -> Task[list[Verdict]]:
    """As many rankings as the settings say, each a verdict for its first against its last."""
    orders, requests = [], []
    for number in range(settings.rankings):
        own_seed = seed_of(seed, "ranking", number)
        order = random.Random(own_seed).sample(range(len(candidates)), len(candidates))
        text = prompt(renderer.family, problem, steps, [candidates[i] for i in order], renderer.special)
        requests.append(sampled(renderer, renderer.turn(text), settings.sampling, own_seed))
        orders.append(tuple(order))
    answers = yield requests
    return [read(answer.text, answer.tokens, order) for answer, order in zip(answers, orders, strict=True)]


def read(text: str, tokens: int, shown: tuple[int, ...]) -> Verdict:
    """The verdict in a judge's words on candidates `shown`."""
    places = parse(text, len(shown))
    first, *_, last = [shown[place] for place in places] if places else shown
    return Verdict(first, last, text, "A" if places else None, tokens, shown=shown)


def wins(count: int, verdicts: Sequence[Verdict], rankings: int) -> list[int]:
    """For each of `count` candidates: how many others stand below it in more than half of all `rankings`."""
    above: Counter[tuple[int, int]] = Counter()
    for verdict in verdicts:
        places = parse(verdict.text, count) or []
        above.update(itertools.combinations([verdict.shown[place] for place in places], 2))
    beaten = [better for (better, _), often in above.items() if 2 * often > rankings]
    return [beaten.count(index) for index in range(count)]
