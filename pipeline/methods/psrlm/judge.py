"""Step-wise pairwise judging: a prompt, a call, a parse (paper, section 3.3; the prompt after MT-Bench).

The verdict is `[[A]]`, `[[B]]` or, as in MT-Bench, `[[C]]` for a tie. One that cannot be read is data (winner None):
like a tie it counts for neither candidate, and it is reported. In the place of the judge's words the log-odds of the
two letters may decide, where a verdict's letter would stand.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import takewhile

from pipeline.core.records import Verdict
from pipeline.inference.requests import Completion, Request, Task, sampled, seed_of
from pipeline.language import fences
from pipeline.language.renderer import Renderer
from pipeline.language.steps import join
from pipeline.methods.psrlm import listwise
from pipeline.methods.psrlm.comparisons import SCHEDULES, Comparisons, orders
from pipeline.methods.psrlm.settings import Judge

VERDICT = re.compile(r"\[\[([ABC])\]\]")
FORM = r"([^\[]|\[[^\[])*\[\[[ABC]\]\]"  # any words and one verdict at their end
_PROMPT, _REPLY = "step_judge", (re.compile(r"(?<!\[)\[{2,}([ABC])\]{2,}"), r"\1")


def shown(family: str, special: Sequence[str] = (), **texts: str) -> dict[str, str]:
    """Texts by their fields as the judge sees them: no special tokens or control characters, no verdict, no fence."""
    return fences.shown(family, _PROMPT, special, _REPLY, **texts)


def prompt(family: str, problem: str, steps: Sequence[str], a: str, b: str, special: Sequence[str] = ()) -> str:
    """The judge's prompt for candidates `a` and `b` after `steps`."""
    return fences.fill(family, _PROMPT, special, _REPLY, problem, steps=join(steps), a=a, b=b)


def parse(text: str) -> str | None:
    """`A`, `B` or `C` (a tie) from the judge's words; None where no verdict stands there or more than one."""
    verdicts = set(VERDICT.findall(text))
    return verdicts.pop() if len(verdicts) == 1 else None


def read(verdict: Verdict, margin: float) -> str | None:
    """A verdict's winner, by its log-odds where it has any and else by its words."""
    if verdict.shown:
        return listwise.read(verdict.text, verdict.tokens, verdict.shown).winner
    if verdict.log_odds is None:
        return parse(verdict.text)
    return "A" if verdict.log_odds > margin else "B" if verdict.log_odds < -margin else "C"


def letters(renderer: Renderer, prompt_ids: Sequence[int], before: str) -> Request:
    """Ask for the probabilities of `A` and `B` where a verdict's letter stands, after the judge's words `before`."""
    a, b = (renderer.text(f"{before}[[{letter}]]") for letter in "AB")
    shared = len(list(takewhile(lambda ids: ids[0] == ids[1], zip(a, b, strict=False))))  # ends at the letter
    return Request((*prompt_ids, *a[:shared]), 1, labels=(a[shared], b[shared]))


def log_odds(answer: Completion) -> float | None:
    """Of `A` against `B` in the answer to `letters`; None where its prompt did not fit the context."""
    return answer.label_logprobs[0] - answer.label_logprobs[1] if answer.label_logprobs else None


def ask(renderer: Renderer, prompts: Sequence[str], seeds: Sequence[int], settings: Judge) -> Task[list[Verdict]]:
    """Verdicts on prompts that show candidate 0 as A and 1 as B, in the way of `settings.verdict`."""
    ids = [renderer.turn(text) for text in prompts]
    if settings.verdict == "logprob":
        return (yield from _weighed(renderer, ids, [Verdict(0, 1, "", None)] * len(ids), settings.margin))
    sampling, short = settings.sampling, settings.verdict == "explain-short"
    if short:
        sampling = sampling.model_copy(update={"max_tokens": min(sampling.max_tokens, settings.max_explanation)})
    form = FORM if settings.structured else ""
    answers = yield [sampled(renderer, one, sampling, seed, form=form) for one, seed in zip(ids, seeds, strict=True)]
    verdicts = [Verdict(0, 1, answer.text, parse(answer.text), answer.tokens) for answer in answers]
    cut = [k for k, answer in enumerate(answers) if answer.finish == "length" and not VERDICT.search(answer.text)]
    if short and cut:
        again = yield from _weighed(renderer, [ids[k] for k in cut], [verdicts[k] for k in cut], settings.margin)
        for k, verdict in zip(cut, again, strict=True):
            verdicts[k] = verdict
    return verdicts


def _weighed(
    renderer: Renderer, ids: Sequence[list[int]], verdicts: Sequence[Verdict], margin: float
) -> Task[list[Verdict]]:
    """The verdicts with the log-odds of the letter that follows their words."""
    before = [f"{verdict.text.rstrip()} ".lstrip() for verdict in verdicts]
    answers = yield [letters(renderer, one, text) for one, text in zip(ids, before, strict=True)]
    weighed = []
    for verdict, answer in zip(verdicts, answers, strict=True):
        one = replace(verdict, log_odds=log_odds(answer), tokens=verdict.tokens + answer.tokens)
        weighed.append(replace(one, winner=read(one, margin)))
    return weighed


@dataclass(frozen=True)
class Ranking:
    """Verdicts on candidates and what they come to, by index into the candidates.

    scores: how many others each beats; see `Candidate` where judging stopped early. open: whether a verdict is missing
    that could change best or worst. in_full, not_needed: as of `State`.
    """

    verdicts: tuple[Verdict, ...]
    scores: tuple[float, ...]
    best: int
    worst: int
    in_full: bool = False
    not_needed: int = 0
    open: bool = False

    @property
    def tied(self) -> bool:
        """Whether the best wins no more than the worst."""
        return self.scores[self.best] <= self.scores[self.worst]


def rank(
    renderer: Renderer,
    problem: str,
    steps: Sequence[str],
    candidates: Sequence[str],
    settings: Judge,
    seed: int,
    votes: Sequence[int] = (),
    answered: dict[str, Verdict] | None = None,
) -> Task[Ranking]:
    """Judge at least two candidates, as far as `settings.schedule` needs.

    votes: samples of each candidate, which break ties; else equally many. answered: greedy verdicts by their prompt,
    taken from there and added to it.
    """
    votes, known = votes or [1] * len(candidates), {} if answered is None else answered
    if settings.schedule == "listwise":
        return ranked((yield from listwise.ask(renderer, problem, steps, candidates, settings, seed)), votes, settings)
    compared = Comparisons(votes, orders(len(candidates), settings, seed), _margin(settings))
    in_full = seed_of(seed, "full") < settings.full * 2**63
    questions = compared.unanswered() if in_full else SCHEDULES[settings.schedule](compared)[0]
    while questions:
        family, special = renderer.family, renderer.special
        prompts = [prompt(family, problem, steps, candidates[a], candidates[b], special) for a, b in questions]
        seeds = [seed_of(seed, "judge", a, b) for a, b in questions]
        verdicts = yield from _ask_once(renderer, prompts, seeds, settings, known)
        for (a, b), verdict in zip(questions, verdicts, strict=True):
            compared.verdicts[a, b] = replace(verdict, a=a, b=b)
        questions = SCHEDULES[settings.schedule](compared)[0]
    return replace(ranked(list(compared.verdicts.values()), votes, settings), in_full=in_full)


def _ask_once(
    renderer: Renderer, prompts: Sequence[str], seeds: Sequence[int], settings: Judge, known: dict[str, Verdict]
) -> Task[list[Verdict]]:
    """Verdicts on prompts; a greedy one that is known is not asked again."""
    if settings.verdict != "logprob" and settings.sampling.temperature > 0:
        return (yield from ask(renderer, prompts, seeds, settings))
    new = {text: seed for text, seed in zip(prompts, seeds, strict=True) if text not in known}
    verdicts = dict(zip(new, (yield from ask(renderer, list(new), list(new.values()), settings)), strict=True))
    known.update({text: replace(verdict, tokens=0, reused=True) for text, verdict in verdicts.items()})
    return [verdicts.pop(text) if text in verdicts else known[text] for text in prompts]


def _margin(settings: Judge) -> float | None:
    return settings.margin if settings.verdict == "logprob" else None


def ranked(verdicts: Sequence[Verdict], votes: Sequence[int], settings: Judge) -> Ranking:
    """What verdicts on candidates, of which each has so many votes, come to (paper, equation 3)."""
    if settings.schedule == "listwise":
        wins = listwise.wins(len(votes), verdicts, settings.rankings)
        order = sorted(range(len(votes)), key=lambda index: (wins[index], votes[index], -index))
        complete = len(verdicts) == settings.rankings
        return Ranking(tuple(verdicts), tuple(map(float, wins)), order[-1], order[0], open=not complete)
    by_shown = {(verdict.a, verdict.b): verdict for verdict in verdicts}
    shown = orders(len(votes), settings, 0)
    if settings.orders == "single":  # in the order that was drawn
        shown = {(i, j): ((j, i) if (j, i) in by_shown else (i, j),) for i, j in shown}
    compared = Comparisons(votes, shown, _margin(settings), by_shown)
    questions, best, worst = SCHEDULES[settings.schedule](compared)
    missing = len(compared.unanswered())
    kept = tuple(by_shown[one] for order in shown.values() for one in order if one in by_shown)
    scores = tuple(map(float, compared.wins()[0]))
    return Ranking(kept, scores, best, worst, not_needed=missing, open=bool(questions))
