"""Plain numbers, read exactly and without evaluating anything."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction

_DECIMAL = r"(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d*)?"
_NUMBER = re.compile(
    rf"(?P<sign>[+-]?)\s*(?:"
    rf"(?:(?P<whole>\d+)\s*)?\\frac\{{\s*(?P<inner>-?)\s*(?P<top>{_DECIMAL})\s*\}}\{{\s*(?P<bottom>{_DECIMAL})\s*\}}"
    rf"|(?:(?P<whole_slash>\d+) )?(?P<top_slash>{_DECIMAL})\s*/\s*(?P<bottom_slash>{_DECIMAL})"
    rf"|(?P<decimal>{_DECIMAL}))"
)
_DIGITS = 6  # significant digits from which a rounded decimal is taken for what it rounds


@dataclass(frozen=True)
class Number:
    """An exact value, and the number of decimals it was written with (0 for an integer or a fraction)."""

    value: Fraction
    places: int = 0

    def per_cent(self) -> Number:
        """A hundredth of it."""
        return Number(self.value / 100, self.places + 2 if self.places else 0)

    def rounds(self, exact: Fraction) -> bool:
        """Whether it is a decimal of six significant digits or more that `exact` is rounded or cut off to."""
        digits = len(str(abs(int(self.value * 10**self.places))))
        return self.places > 0 and digits >= _DIGITS and abs(self.value - exact) < Fraction(1, 10**self.places)


def read_number(text: str) -> Number | None:
    """An integer, decimal, fraction or mixed number in a cleaned text without its unit; else None."""
    match = _NUMBER.fullmatch(text)
    if match is None:
        return None
    sign = -1 if match["sign"] == "-" else 1
    if match["decimal"]:
        return Number(sign * _decimal(match["decimal"]), len(match["decimal"].partition(".")[2]))
    bottom = _decimal(match["bottom"] or match["bottom_slash"])
    if bottom == 0:
        return None
    value = _decimal(match["top"] or match["top_slash"]) / bottom
    whole = int(match["whole"] or match["whole_slash"] or 0)
    return Number(sign * (whole + (-value if match["inner"] else value)))


def same_number(first: Number, second: Number) -> bool:
    """Whether two numbers are equal; a decimal of six digits also equals the recurring fraction it rounds."""
    if first.value == second.value:
        return True
    for decimal, other in ((first, second), (second, first)):
        if decimal.rounds(other.value) and not _terminates(other.value):
            return True
    return False


def _decimal(text: str) -> Fraction:
    return Fraction(text.replace(",", "").rstrip("."))


def _terminates(value: Fraction) -> bool:
    return pow(10, value.denominator.bit_length(), mod=value.denominator) == 0
