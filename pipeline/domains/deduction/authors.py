"""Who writes the pre-training corpus of this world, beside the careless authors: pupils with other slips, examiners."""

from __future__ import annotations

import random
from dataclasses import replace
from functools import partial

from pipeline.domains import worlds
from pipeline.domains.deduction import exact
from pipeline.domains.deduction.exact import right
from pipeline.domains.deduction.misconceptions import finished, next_step, slips, write_steps
from pipeline.domains.deduction.theories import COLOURS, NAMES, PROPERTIES, Rule, Theory, generate, reserved, write
from pipeline.language import prompts

__all__ = [
    "FAMILY", "candidate", "explain", "finished", "longest", "next_step", "problem", "reserved", "right", "short",
    "write_steps",
]  # fmt: skip

FAMILY = "deduction"
explain = partial(worlds.explain, exact)


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
    """A wrong colour named or the answer given too early, a rule used out of place, or another conclusion drawn."""
    step = exact.claim(exact.next_step(theory, before))
    if step is None or rng.random() < 0.2:
        colours = [rule.conclusion for rule in theory.rules if rule.conclusion in COLOURS]
        return exact.final(rng.choice(colours if rng.random() < 0.7 else COLOURS))
    rule = rng.choice(theory.rules)
    kind = rng.random()
    if kind < 0.4:  # its premise is taken for granted
        return exact.applied(theory.subject, rule).text()
    if kind < 0.7:
        return replace(step, rule=rule, conclusion=rule.conclusion).text()
    if kind < 0.9:
        return replace(step, conclusion=rule.conclusion).text()
    return exact.applied(rng.choice(theory.facts)[0], rule).text()


def short(rng: random.Random) -> tuple[str, str]:
    """Pairs of words or rules repeated in other orders, or (one in four) two lines of which one is right.

    Pairs are there because a look-up of the very next word is learned first, and that of a rule's conclusion from it.
    """
    if rng.random() < 0.25:
        return _two_lines(rng)
    words = rng.sample(PROPERTIES, 2 * rng.randint(2, 6))
    form = "{} {}," if rng.random() < 0.5 else "If {} then {}."
    lines = [form.format(*pair) for pair in zip(words[::2], words[1::2], strict=True)]
    again = [line for _ in range(3) for line in rng.sample(lines, len(lines))]
    return prompts.fill(FAMILY, "again", lines=" ".join(lines)), " ".join(again)


def _two_lines(rng: random.Random) -> tuple[str, str]:
    """Two lines that apply a rule, of which one keeps to its premise and its conclusion, rewritten with its label."""
    name = rng.choice(NAMES)
    premise, stranger, *words = rng.sample(PROPERTIES, 4)
    conclusion, wrong = words if rng.random() < 0.7 else rng.sample(COLOURS, 2)
    line = exact.applied(name, Rule(premise, conclusion))
    slip = replace(line, conclusion=wrong)
    if rng.random() < 0.5:
        slip = replace(slip, rule=Rule(stranger, wrong))
    winner = rng.choice("AB")
    a, b = (line, slip) if winner == "A" else (slip, line)
    return prompts.fill(FAMILY, "lines", a=a.text(), b=b.text()), f"{line.text()} {winner} ({winner})"
