"""What an answer may set before its value: a name (`x =`, `|AB| =`, `V_1:V_2 =`, `x \\approx`), or a calculation."""

from __future__ import annotations

import re
from collections.abc import Iterable

from pipeline.domains.math.latex import compact
from pipeline.domains.math.parts import group

_FUNCTION = r"(?:frac|sqrt|log|ln|sin|cos|tan|cot|sec|csc)(?![A-Za-z])"
_MARKED = r"\\(?:vec|bar|hat|overline|overrightarrow|widehat|tilde|text)\s*\{[^{}]*\}"
_SIGNS = r"(?:m?\\(?:angle|triangle|odot|Delta)\s*)*"
_QUANTITY = (
    rf"{_SIGNS}(?:{_MARKED}|\\?(?!{_FUNCTION})[A-Za-z](?:[A-Za-z ]*[A-Za-z])?)"
    r"\s*(?:\d|_\w|_\\[a-z]+|_\{[^{}=]*\})?'*(?:\^\{?-1\}?(?=\())?"
    r"\s*(?:(?<=[PED])\([^()]*\)|\(-?[A-Za-z0-9, ]*\))?"
)
_LENGTH = rf"\|(?:[A-Z]{{2}}|z|z_\d|\d*{_MARKED}(?:\s*[+-]\s*\d*{_MARKED})*)\|"  # `|x|=5` is an equation
_RATIO_OF_SIDES = rf"\\(?:sin|cos|tan|cot|sec|csc)\s*{_SIGNS}(?:[A-Z]{{1,3}}|\\[a-z]+)"  # `\sin x = 1` is an equation
_ONE = rf"(?:{_LENGTH}|{_RATIO_OF_SIDES}|\\frac\{{{_QUANTITY}\}}\{{{_QUANTITY}\}}|{_QUANTITY})"
_NAME = re.compile(
    rf"(?P<name>\({_QUANTITY}(?:, ?{_QUANTITY})+\)|{_ONE}(?:\s*:\s*{_ONE})*)"
    r"\s*(?:=|\\in(?![A-Za-z]))\s*(?P<value>[^=].*)",
    re.DOTALL,
)
_BARE_NAME = re.compile(_ONE)
# A sum of variables, or a calculation without any.
_CALCULATED = re.compile(r"(?:[A-Za-z](?:\s*[+-]\s*[A-Za-z])*|(?:[^A-Za-z\\<>]|\\[A-Za-z]+)*?)\s*=\s*(?P<value>[^=].*)")
_INDEX = re.compile(r"_(?:\w|\\[a-z]+|\{[^{}]*\})|\d")
_EQUALS = re.compile(r"(?<![\\<>!(])=(?![^()]*\))")


def without_names(first: str, second: str) -> tuple[str, str]:
    """Both without a leading `x =` where they agree on it, or where one has it and the other is no equation.

    Of a chain `x = a = b` the end is left, and of `a \\approx b` what is approximated. In a list every part has its own
    name.
    """
    if any(held and held.kind == "list" for held in (group(first), group(second))):
        return first, second
    first, second = _exact(first), _exact(second)
    name, other = _name(first), _name(second)
    if name and other:
        agreed = compact(name["name"]) == compact(other["name"])
        return (_end(name["value"]), _end(other["value"])) if agreed else (first, second)
    return _value(first, name, second), _value(second, other, first)


def distinct_names(texts: Iterable[str]) -> bool:
    """Whether the texts assign to more than one name; `x_1` and `x_2` are one."""
    return len({_INDEX.sub("", compact(name["name"])) for text in texts if (name := _name(text))}) > 1


def _name(text: str) -> re.Match[str] | None:
    return _NAME.fullmatch(text) if "=" in text or r"\in" in text else None


def _value(text: str, name: re.Match[str] | None, other: str) -> str:
    """What a text sets last, if the other is no equation."""
    if "=" in other or not (name or "=" in text):
        return text
    calculated = name or _CALCULATED.fullmatch(text)
    return _end(calculated["value"]) if calculated else text


def _end(value: str) -> str:
    """The last link of a chain of equations."""
    return _EQUALS.split(value)[-1].strip()


def _exact(text: str) -> str:
    """What is approximated in `a \\approx b`; `\\approx b` is b, and `x \\approx b` is `x = b`."""
    before, approximately, after = text.partition(r"\approx")
    if approximately and _BARE_NAME.fullmatch(before.strip()):
        return f"{before}= {after}"
    return (before or after).strip()
