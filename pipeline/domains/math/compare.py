"""Compare an answer with the gold answer, part by part.

Parts that are plain are settled here, exactly. What remains is a question of algebra, which the caller
answers: in the worker by Math-Verify, in the parent by handing the pair to a worker.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from fractions import Fraction

from pipeline.domains.math.latex import clean, compact
from pipeline.domains.math.names import distinct_names, without_names
from pipeline.domains.math.numbers import Number, read_number, same_number
from pipeline.domains.math.parts import Group, group, opened
from pipeline.domains.math.units import conflict, split_unit

MAX_CHARACTERS = 2000  # of an answer; the longest gold answer of the six benchmarks has 204
Algebra = Callable[[str, str], bool]  # (answer, gold), both cleaned: are they equal?

_TOLERANCE = re.compile(r"(.*)\\tolerance\{([^{}]*)\}", re.DOTALL)
_CHOICE = re.compile(r"[A-K]")
_CHOSEN = re.compile(r"\(?([A-K])(?:[).:].*)?", re.DOTALL)
_OPTION = re.compile(r"(?<![A-Za-z])[A-K][).:]")
_BASED = re.compile(r"(-?\d[0-9A-Z.]*)_(?:\d|\{\d+\})")
_SUBSCRIPT = re.compile(r"\d\s*_")
_WORD = re.compile(r"[A-Za-z][A-Za-z .'-]{2,}")
_ENVIRONMENT = re.compile(r"\\(?:begin|end)\{\w+\}")
_PROSE = re.compile(r"(?<![\\A-Za-z])[A-Za-z]{4,}")  # four letters in a row are no product of variables
_ARITHMETIC = re.compile(r"(?:[\d\s.,:;/+\-()\[\]{}|°]|\\frac|\\infty|\\[{}%])*")
_DEPTH = 8  # brackets nested deeper are nobody's answer, and recursion must end


def gold_text(answers: Sequence[str], unit: str | None = None, tolerance: str | None = None) -> str:
    """One gold string from a benchmark's list of answers, its unit and its absolute tolerance.

    OlympiadBench's fields `final_answer`, `unit` and `error` can be passed as they are.
    """
    text = ", ".join(answers)
    if unit:
        bare = unit.strip("$ ")
        text += bare if bare.startswith("^") else rf"\text{{ {bare}}}"
    return rf"{text}\tolerance{{{tolerance}}}" if tolerance else text


def same(answer: str, gold: str, algebra: Algebra) -> bool:
    """Whether an answer is the gold answer, both as written; `gold` may come from `gold_text`."""
    tolerant = _TOLERANCE.fullmatch(gold)
    if tolerant is None:
        return _same(clean(answer), clean(gold), algebra, _DEPTH)
    near = _within(clean(answer), clean(tolerant[1]), Fraction(tolerant[2]))
    return near or _same(clean(answer), clean(tolerant[1]), algebra, _DEPTH)


def alike(answer: str, other: str) -> bool:
    """Whether two models' answers agree by plain means: as text, choices, numbers or lists of these.

    Algebra is left out, so that votes on thousands of answers are counted in seconds: forms that only algebra knows to
    be equal are different answers.
    """
    if answer == other or max(len(answer), len(other)) > MAX_CHARACTERS:
        return answer == other
    return _same(clean(answer), clean(other), lambda *_: False, _DEPTH)


def _within(answer: str, gold: str, tolerance: Fraction) -> bool:
    answer, gold = without_names(opened(answer), opened(gold))
    (body, unit), (gold_body, gold_unit) = split_unit(answer), split_unit(gold)
    read, wanted = read_number(body), read_number(gold_body)
    if read is None or wanted is None or conflict(unit, gold_unit):
        return False
    return abs(read.value - wanted.value) <= tolerance


def _same(answer: str, gold: str, algebra: Algebra, depth: int) -> bool:
    answer, gold = without_names(opened(answer), opened(gold))
    if compact(answer) == compact(gold):
        return answer != ""
    plain = _same_plain(answer, gold)
    if plain is not None:
        return plain
    parts, gold_parts = group(answer), group(gold)
    if parts and gold_parts and depth:
        verdict = _same_groups(parts, gold_parts, algebra, depth - 1)
    else:
        verdict = _same_singles(answer, gold, parts or gold_parts)
    if verdict is None and (parts or gold_parts) and _is_arithmetic(answer) and _is_arithmetic(gold):
        return False
    return algebra(split_unit(answer)[0], split_unit(gold)[0]) if verdict is None else verdict


def _same_plain(answer: str, gold: str) -> bool | None:
    """The verdict on choices, numerals in a base, words and numbers; None if it takes more than that."""
    read, wanted = compact(answer), compact(gold)
    chosen = _CHOSEN.fullmatch(read)
    if _CHOICE.fullmatch(wanted) and chosen:
        return chosen[1] == wanted and len(_OPTION.findall(answer)) < 2
    numeral = _BASED.fullmatch(wanted)
    if numeral or _BASED.fullmatch(read):  # the base may be left out, as a unit may
        return numeral is not None and read == numeral[1]
    if _WORD.fullmatch(gold) and read.casefold() == wanted.casefold():
        return True
    return _same_quantity(answer, gold)


def _same_quantity(answer: str, gold: str) -> bool | None:
    (body, unit), (gold_body, gold_unit) = split_unit(answer), split_unit(gold)
    read, wanted = read_number(body), read_number(gold_body)
    if read is None or wanted is None:
        return None
    if conflict(unit, gold_unit):
        return False
    return same_number(read, wanted) or _same_share(read, wanted, "percent" in unit, "percent" in gold_unit)


def _same_share(read: Number, wanted: Number, per_cent: bool, gold_per_cent: bool) -> bool:
    """With the percent sign on one side only, 44% is also 0.44."""
    if per_cent == gold_per_cent:
        return False
    return same_number(read.per_cent(), wanted) if per_cent else same_number(read, wanted.per_cent())


def _same_singles(answer: str, gold: str, parts: Group | None) -> bool | None:
    """The verdict where at most one side has parts; None if it takes algebra, as `[0, 1)` and `0 \\le x`."""
    if _is_prose(answer) or _is_prose(gold):
        return False
    if conflict(split_unit(answer)[1], split_unit(gold)[1]) or _SUBSCRIPT.search(answer + " " + gold):
        return False  # Math-Verify drops the base of a numeral
    if ("=" in answer) != ("=" in gold):
        return False  # and takes an equation for its right-hand side
    is_list = parts is not None and parts.kind == "list"
    return False if is_list and read_number(answer) is None and read_number(gold) is None else None


def _same_groups(parts: Group, gold: Group, algebra: Algebra, depth: int) -> bool | None:
    """The verdict on two groups; None if they are of kinds that only algebra compares."""
    kinds = {parts.kind, gold.kind}
    assigned = _assigned(gold, parts) or _assigned(parts, gold)  # `1, 2` for `x = 1, y = 2`
    if kinds <= {"list", "union"} and not assigned:
        matched = _same_in_any_order(parts.parts, gold.parts, algebra, depth)
        return None if "union" in kinds and not matched else matched
    if len(kinds) == 1 or kinds == {"list", "()"}:
        return len(parts.parts) == len(gold.parts) and all(
            _same(part, wanted, algebra, depth) for part, wanted in zip(parts.parts, gold.parts, strict=True)
        )
    return None


def _assigned(named: Group, bare: Group) -> bool:
    return distinct_names(named.parts) and "=" not in "".join(bare.parts)


def _same_in_any_order(parts: list[str], gold: list[str], algebra: Algebra, depth: int) -> bool:
    """Whether the parts pair off; a part that occurs twice must do so on both sides."""
    if len(parts) != len(gold):
        return False
    left = list(parts)
    for wanted in sorted(gold, key=lambda part: part not in left):  # the cheap ones first
        twin = wanted if wanted in left else next((p for p in left if _same(p, wanted, algebra, depth)), None)
        if twin is None:
            return False
        left.remove(twin)
    return True


def _is_prose(text: str) -> bool:
    return _PROSE.search(_ENVIRONMENT.sub("", split_unit(text)[0])) is not None


def _is_arithmetic(text: str) -> bool:
    """Whether a text holds nothing but numbers and brackets, so that its parts decide."""
    return _ARITHMETIC.fullmatch(text) is not None
