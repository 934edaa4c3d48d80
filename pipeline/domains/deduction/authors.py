"""Who writes the pre-training corpus of this world, beside the careless authors: pupils with other slips, examiners."""

from __future__ import annotations

import random
from dataclasses import replace
from functools import partial

from pipeline.domains import worlds
from pipeline.domains.deduction import exact
from pipeline.domains.deduction.exact import Claim, right
from pipeline.domains.deduction.misconceptions import finished, next_step, slips, write_steps
from pipeline.domains.deduction.oracle import mark
from pipeline.domains.deduction.theories import (
    DOERS,
    NAMES,
    TRAVEL,
    VERBS,
    Rule,
    Theory,
    generate,
    reserved,
    write,
)
from pipeline.language import prompts

__all__ = [
    "FAMILY", "candidate", "explain", "finished", "longest", "mark", "marked", "next_step", "problem", "reserved",
    "right", "short", "two_lines", "write_steps",
]  # fmt: skip

FAMILY = "deduction"
explain = partial(worlds.explain, exact)
_WORDS = [*NAMES, *DOERS, *(form for verb in [*VERBS, *TRAVEL] for form in (verb, f"{verb}s"))]


def problem(rng: random.Random) -> tuple[Theory, str]:
    """A problem whose proof applies one to four rules, short ones more often, as theory and text."""
    theory = generate(rng, rng.choices(range(1, 5), (3, 3, 2, 2))[0])
    return theory, write(theory)


def longest(theory: Theory) -> int:
    """Every rule once, then the answer."""
    return len(theory.rules) + 1


def candidate(theory: Theory, before: list[str], rng: random.Random) -> str:
    """A next step as somebody might write it: right, with a misconception, or with another slip."""
    kind = rng.random()
    open_to = slips(theory, before)
    if kind < 0.45:
        text = exact.next_step(theory, before)
    elif kind < 0.85 and open_to:
        text = rng.choice(open_to).text()
    else:
        text = _other_slip(theory, before, rng)
    return f"Step {len(before) + 1}: {text}"


def _other_slip(theory: Theory, before: list[str], rng: random.Random) -> str:
    """A wrong answer or one given too early, a rule used out of place, or another conclusion drawn."""
    step = exact.claim(exact.next_step(theory, before))
    if step is None or rng.random() < 0.2:
        ways = [rule.conclusion for rule in theory.rules if rule.conclusion in TRAVEL]
        return exact.final(rng.choice(ways if rng.random() < 0.7 else TRAVEL))
    rule = rng.choice(theory.rules)
    kind = rng.random()
    if kind < 0.4:  # its premise is taken for granted
        return exact.applied(theory.subject, rule).text()
    if kind < 0.8:
        return replace(step, rule=rule, conclusion=rule.conclusion).text()
    if kind < 0.9:
        return replace(step, conclusion=rule.conclusion).text()
    return exact.applied(rng.choice(theory.facts)[0], rule).text()


def short(rng: random.Random) -> tuple[str, str]:
    """Words said again in their order, steps with letters in another one, or two lines of which one is right.

    Words are there because copying in order is the look-up that is learned first, and that of rules comes from it;
    letters, A or B after each word or step, because a note's label is such a look-up too.
    """
    kind = rng.random()
    if kind < 0.2:
        return two_lines(rng)
    if kind < 0.85:
        lines = again = worlds.words_again(rng, _WORDS, letters=kind > 0.65)
    else:
        verbs = rng.sample(VERBS, 12)
        lines = [
            f"{exact.applied(rng.choice(NAMES), Rule(*pair)).text()} {rng.choice('AB')}"
            for pair in zip(verbs[: rng.randint(2, 6)], rng.sample([*verbs[6:], *TRAVEL], 6), strict=False)
        ]
        again = rng.sample(lines, len(lines))
    return prompts.fill(FAMILY, "again", lines=" ".join(lines)), " ".join(again)


def marked(rng: random.Random) -> tuple[str, str]:
    """Lines said again, each marked: steps, or (three in four) what a step starts from and its rule's doers alone.

    Whether the two belong together is learned where nearly every other word is such a mark, and not in homework alone.
    """
    whole = rng.random() < 0.25
    lines = [_line(rng) for _ in range(rng.randint(2, 6) if whole else rng.randint(4, 16))]
    shown = [line.text() if whole else f"{line.fact}s {line.rule.doers}" for line, _ in lines]
    again = [f"{text} {'right' if right else 'wrong'}" for text, (_, right) in zip(shown, lines, strict=True)]
    return prompts.fill(FAMILY, "marks", lines=" ".join(shown)), " ".join(again)


def _line(rng: random.Random) -> tuple[Claim, bool]:
    """A step without a problem, and whether it keeps to its premise; if not, it is a converse or a distractor's."""
    premise, fact, conclusion = rng.sample(VERBS, 3)
    rule = Rule(premise, rng.choice(TRAVEL) if rng.random() < 0.3 else conclusion)
    line = exact.applied(rng.choice(NAMES), rule)
    if rng.random() < 0.5:
        return line, True
    if rng.random() < 0.5:
        return Claim(line.name, fact, Rule(premise, fact), premise), False
    return replace(line, fact=fact), False


def two_lines(rng: random.Random) -> tuple[str, str]:
    """Two lines that apply a rule, of which one keeps to its premise and its conclusion, rewritten with its label."""
    name = rng.choice(NAMES)
    premise, stranger, *verbs = rng.sample(VERBS, 4)
    conclusion, wrong = verbs if rng.random() < 0.7 else rng.sample(TRAVEL, 2)
    line = exact.applied(name, Rule(premise, conclusion))
    slip = replace(line, conclusion=wrong)
    if rng.random() < 0.5:
        slip = replace(slip, rule=Rule(stranger, wrong))
    winner = rng.choice("AB")
    a, b = (line, slip) if winner == "A" else (slip, line)
    return prompts.fill(FAMILY, "lines", a=a.text(), b=b.text()), f"{line.text()} {winner} ({winner})"
