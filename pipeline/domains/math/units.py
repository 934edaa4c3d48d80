"""Units after a number. An answer may leave the unit out or put it in other words, but not name another."""

from __future__ import annotations

import re

_SPELLINGS = {
    "mm": "mm millimeter millimetre",
    "cm": "cm centimeter centimetre",
    "m": "m meter metre",
    "km": "km kilometer kilometre kph kmph",
    "inch": "in inch inche",
    "foot": "ft foot feet",
    "yard": "yd yard",
    "mile": "mi mile mph",
    "gram": "g gm gram",
    "kg": "kg kilogram",
    "pound": "lb pound",
    "second": "s sec second",
    "minute": "min minute",
    "hour": "h hr hour mph kph kmph",
    "day": "day",
    "week": "week",
    "month": "month",
    "year": "yr year",
    "cent": "cent ¢",
    "dollar": "dollar usd \\$",
    "euro": "euro €",
    "sterling": "£",
    "am": "am",
    "pm": "pm",
    "degree": "deg degree °",
    "radian": "rad radian",
    "percent": "percent percentage pct \\%",
}
_NAMES: dict[str, set[str]] = {}
for _name, _spellings in _SPELLINGS.items():
    for _spelling in _spellings.split():
        _NAMES.setdefault(_spelling, set()).add(_name)

_WORD = re.compile(r"[a-z]+|\\[$%]|[°¢€£]")
_CURRENCY = re.compile(r"([+-]?)\s*(\\\$|[€£])\s*(.+)")
_SIGN = re.compile(r"(.+?)\s*(°|\\%|\\\$|[¢€£])(?:\s*[CF])?")
_TYPESET = re.compile(r"(.+?)\s*\\text\s*\{([^{}]*)\}(?:\s*\^\s*\{?\d\}?)?")
_BARE = re.compile(
    r"(.*?[\d})\s])((?:[ap]\.?m\b\.?|[A-Za-z]{2,}(?:[. /]+[A-Za-z]+)*)(?:\s*\^\s*\{?\d\}?)?)", re.IGNORECASE
)
_ANGLE = re.compile(r"\\(?:sin|cos|tan|cot|sec|csc)(?![A-Za-z])")  # of which degrees are the argument's, no unit
_VALUE = re.compile(r"\d|\\(?!text)")


def split_unit(text: str) -> tuple[str, frozenset[str]]:
    """Body of a cleaned text and the units known to this module that it names, as `mile, hour` for `mph`.

    Words that are no known unit ("students", "ways") are dropped. A text with nothing that could have a
    value before the unit is returned whole.
    """
    if currency := _CURRENCY.fullmatch(text):
        body, units = split_unit(currency[1] + currency[3])
        return body, units | _known(currency[2])
    for pattern in (_SIGN, _TYPESET, _BARE):
        match = None if pattern is _SIGN and _ANGLE.search(text) else pattern.fullmatch(text)
        if match and _VALUE.search(match[1]) and (pattern is not _BARE or _is_unit(match[2])):
            return match[1].strip(), _known(match[2])
    return text, frozenset()


def conflict(first: frozenset[str], second: frozenset[str]) -> bool:
    """Whether both name units, and none in common."""
    return bool(first and second) and first.isdisjoint(second)


def _known(words: str) -> frozenset[str]:
    tokens = _WORD.findall(words.lower().replace(".", ""))
    names = (_NAMES.get(token) or _NAMES.get(token.removesuffix("s"), set()) for token in tokens)
    return frozenset().union(*names)


def _is_unit(words: str) -> bool:
    """Letters that nothing marks as words may be a product of variables: believed if known or long."""
    return bool(_known(words)) or re.search(r"[A-Za-z]{4}", words) is not None
