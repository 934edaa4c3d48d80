"""A number within a tolerance: `number` wants the gold value, `number:0.01` and `number:1%` one so near to it."""

from __future__ import annotations

import re
from fractions import Fraction

_NUMBER = re.compile(
    r"(?:(?<![\w)])[-+−])?(?:\d{1,3}(?:,\d{3})+|\d+)?(?:\.\d+)?(?:(?<=\d)[eE][-+]?\d{1,3})?(?:(?<=\d)/\d+)?%?"
)
_DIGITS = 400  # longer numerals are nobody's answer


def fault(tolerance: str) -> str | None:
    """What is wrong with a tolerance, None where nothing is."""
    try:
        return None if not tolerance or _size(tolerance, Fraction(1)) >= 0 else "its tolerance must not be negative"
    except (ValueError, ZeroDivisionError):
        return "its tolerance must be a number such as 0.01, or a share such as 1%"


def _size(tolerance: str, gold: Fraction) -> Fraction:
    share = tolerance.endswith("%")
    size = Fraction(tolerance.removesuffix("%"))
    return size / 100 * abs(gold) if share else size


def value(text: str) -> Fraction:
    """The one number of a text, whatever words and units surround it. Raises ValueError unless there is just one."""
    numerals = [match for match in _NUMBER.findall(text) if any(map(str.isdigit, match))]
    if len(numerals) != 1 or len(numerals[0]) > _DIGITS:
        raise ValueError(f"{len(numerals)} numbers in an answer; one is wanted")
    plain = numerals[0].replace(",", "").replace("−", "-")
    number = Fraction(plain.removesuffix("%"))
    return number / 100 if plain.endswith("%") else number


def right(answer: str, gold: str, tolerance: str = "") -> bool:
    """Whether an answer's number is the gold one within the tolerance. Raises ValueError for an answer without one."""
    wanted = value(gold)
    return abs(value(answer) - wanted) <= (_size(tolerance, wanted) if tolerance else 0)
