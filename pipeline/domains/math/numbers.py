"""Plain numbers, read exactly and without evaluating anything: no float is ever made of what is written."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction

_DECIMAL = r"(?:\d{1,3}(?:[, ]\d{3})+(?!\d)|\d+)(?:\.\d*)?"
_NUMBER = re.compile(
    rf"(?P<sign>[+-]?)\s*(?:"
    rf"(?:(?P<whole>\d+)\s*)?\\frac\{{\s*(?P<inner>-?)\s*(?P<top>{_DECIMAL})\s*\}}\{{\s*(?P<bottom>{_DECIMAL})\s*\}}"
    rf"|(?:(?P<whole_slash>\d+) )?(?P<top_slash>{_DECIMAL})\s*/\s*(?P<bottom_slash>{_DECIMAL})"
    rf"|(?P<decimal>{_DECIMAL}))"
)
_SCIENTIFIC = re.compile(  # the exponent of four digits at most, for the number is written out
    rf"(?P<sign>[+-]?)\s*(?:(?P<decimal>{_DECIMAL})[eE](?P<exponent>[+-]?\d{{1,4}})"
    rf"|(?:(?P<mantissa>{_DECIMAL})\s*\\times\s*)?10\s*\^\s*(?P<brace>\{{)?\s*(?P<power>[+-]?\d{{1,4}})\s*(?(brace)\}}))"
)
RECURRING = re.compile(
    r"(?P<whole>\d*)\.(?P<before>\d*)(?:\\(?:overline|bar|dot)\{(?P<marked>\d+)\}"
    r"|\\dot\{(?P<first>\d)\}(?P<inner>\d*)\\dot\{(?P<last>\d)\}|\((?P<bracketed>\d+)\))"
)
_DOTTED = re.compile(  # `0.1666...`: one digit three times or more, or several twice
    r"(?P<whole>\d*)\.(?P<before>\d{0,20}?)(?:(?P<one>\d)(?P=one){2,40}|(?P<block>\d{2,12}?)(?P=block){1,9})\s*\\ldots\s*"
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
        if self.places == 0:
            return False
        digits = abs(self.value * 10**self.places)
        return digits >= 10 ** (_DIGITS - 1) and abs(self.value - exact) < Fraction(1, 10**self.places)


def read_number(text: str) -> Number | None:
    """A number in a cleaned text without its unit; else None.

    Integers, decimals (also `1.5e-3`, `3\\times 10^{4}`), recurring ones (`0.\\overline{6}`, `0.(6)`, `0.666...`),
    fractions and mixed numbers.
    """
    match = _NUMBER.fullmatch(text)
    if match is None:
        return _scientific(text) or _recurring(text)
    sign = -1 if match["sign"] == "-" else 1
    if match["decimal"]:
        return Number(sign * _decimal(match["decimal"]), _places(match["decimal"]))
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
    both = (first, second), (second, first)
    return any(decimal.rounds(other.value) and not _terminates(other.value) for decimal, other in both)


def recurring(match: re.Match[str]) -> Fraction:
    """The value of a recurring decimal that `RECURRING` matched."""
    period = match["marked"] or match["bracketed"] or match["first"] + match["inner"] + match["last"]
    return _repeated(match["whole"], match["before"], period)


def _scientific(text: str) -> Number | None:
    match = _SCIENTIFIC.fullmatch(text)
    if match is None:
        return None
    mantissa = match["decimal"] or match["mantissa"] or "1"
    exponent = int(match["exponent"] or match["power"])
    value = _decimal(mantissa) * Fraction(10) ** exponent
    return Number(-value if match["sign"] == "-" else value, max(_places(mantissa) - exponent, 0))


def _recurring(text: str) -> Number | None:
    unsigned = text.removeprefix("-").strip()
    if match := RECURRING.fullmatch(unsigned):
        value = recurring(match)
    elif match := _DOTTED.fullmatch(unsigned):
        value = _repeated(match["whole"], match["before"], match["one"] or match["block"])
    elif unsigned.endswith(r"\ldots") and "." in unsigned:
        return read_number(text.removesuffix(r"\ldots").strip())
    else:
        return None
    return Number(-value if text.startswith("-") else value)


def _repeated(whole: str, before: str, period: str) -> Fraction:
    fraction = Fraction(int(before + period) - int(before or 0), 10 ** len(before) * (10 ** len(period) - 1))
    return int(whole or 0) + fraction


def _decimal(text: str) -> Fraction:
    return Fraction(text.replace(",", "").replace(" ", "").rstrip("."))


def _places(decimal: str) -> int:
    return len(decimal.partition(".")[2])


def _terminates(value: Fraction) -> bool:
    return pow(10, value.denominator.bit_length(), mod=value.denominator) == 0
