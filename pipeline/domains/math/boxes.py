"""The one reader of boxed answers: `\\boxed{5}`, `\\boxed {5}`, `\\boxed 5`, `\\fbox{5}`, `\\framebox[2cm]{5}`.

A printed brace (`\\{`) groups nothing, an unclosed box is no box, an empty one holds no answer. Boxes that only a
comma, "and", a name or a part's label set apart are one answer in parts, as Math-Verify reads them (`\\boxed{1}` and
`\\boxed{2}` is `1, 2`); of boxes with prose between them the last counts, as in the harnesses of MATH, Minerva, PRIME
and Qwen2.5-Math. Everything here is linear in the length of the text, which may be a megabyte of anything.
"""

from __future__ import annotations

import re
from typing import NamedTuple

_NAMES = r"(?:boxed|fbox|framebox(?!\s*\())(?![A-Za-z])"  # `\framebox(40,20)` draws a frame in a picture
_TOKEN = re.compile(
    rf"(?P<box>\\{{1,3}}{_NAMES}(?:(?<=framebox)(?:\s*\[[^\[\]\n]{{0,40}}\]){{1,2}})?\s*)(?P<open>\{{)?"
    r"|\\.|(?P<brace>[{}])",
    re.DOTALL,
)
_PLAIN = r"(?:[^{}\\\n]|\\.)"  # or a printed brace
_GROUP = rf"\{{(?:{_PLAIN}|\{{(?:{_PLAIN}|\{{{_PLAIN}{{0,80}}\}}){{0,80}}\}}){{0,80}}\}}"  # braces nested twice
_ARGUMENT = rf"\s*(?:[A-Za-z0-9]|{_GROUP})"
# Without a brace: one term, as TeX would box it and a little more, but no word of prose ("in a \boxed format").
_TERM = re.compile(
    rf"(?![a-z]{{2}})(?:\\[dtc]?frac{_ARGUMENT}{_ARGUMENT}|\\sqrt{_ARGUMENT}|\\(?!{_NAMES})[A-Za-z]+|\\[%$#&]|{_GROUP}"
    rf"|\\\{{[^{{}}\n$]{{0,80}}\\\}}|[(\[](?:[^(){{}}\[\]\n$\\]|{_GROUP}){{0,80}}[)\]]"
    r"|(?<=\d),(?=\d)|[^\s\\{}$()\[\],;])+"
)
_SPACE = re.compile(r"[\s$~&]|\\[()\[\],;:! ]|\\q?quad(?![A-Za-z])")
_AND, _OR = (rf"(?:{word}|\\(?:text|mbox|textrm) ?\{{ ?,? ?{word} ?\}})" for word in ("and", "or"))
_NAMED = r"(?:\(?(?:[a-z]|[ivx]{1,4}|\d)\)|\\?[A-Za-z]\w{0,8}(?:_\{\w{1,8}\})?'?(?: ?\([\w, ]{1,9}\))? ?=)"
# "or" without a name says the same answer in another form: MATH has "\boxed{x+11} or \boxed{11+x}".
_JOINT = re.compile(rf" ?(?:[,;] ?{_AND}?|{_AND}|(?:,? ?{_OR}|\.?)(?= ?{_NAMED})) ?(?P<named>{_NAMED} ?)*")
_JOINT_CHARACTERS = 100
_CLOSING = (
    r"(?:[\s.,;:!)\]}*$&~∎□■]|\\[)\],;:! \\]|\\end\s*\{[^{}\n]{1,30}\}|\[/asy\]|</asy>|```"
    r"|\\(?:right|qed|qedhere|square|blacksquare|Box|hfill|q?quad|par)(?![A-Za-z]))"
)
_CLOSING_LINES = re.compile(rf"[^\n]*(?:\n{_CLOSING}+(?![^\n]))?")
_CLOSES = re.compile(rf"{_CLOSING}+")


class Box(NamedTuple):
    """Where a box and its content stand in their text: four indices."""

    start: int
    inside: int
    stop: int
    end: int


def read(text: str) -> list[Box]:
    """All complete boxes, in the order of their beginnings."""
    complete: list[Box] = []
    opened: list[tuple[int, int]] = []  # of every brace still open: where its box begins (-1: none), its content
    for token in _TOKEN.finditer(text):
        if token["box"] and not token["open"]:
            term = _TERM.match(text, token.end())
            if term and (content := term[0].rstrip(".,;:!?*")):
                end = term.start() + len(content)
                complete.append(Box(token.start(), term.start(), end, end))
        elif token["box"] or token["brace"] == "{":
            opened.append((token.start() if token["box"] else -1, token.end()))
        elif token["brace"] and opened:
            start, inside = opened.pop()
            if start >= 0:
                complete.append(Box(start, inside, token.start(), token.end()))
    return sorted(complete)


def answers(text: str) -> list[list[Box]]:
    """The boxes that hold something, those of one answer in parts together."""
    groups: list[list[Box]] = []
    for box in read(text):
        if not text[box.inside : box.stop].strip():
            continue
        if groups and _in_parts(text, groups[-1][-1], box):
            groups[-1].append(box)
        else:
            groups.append([box])
    return groups


def boxed(text: str) -> str | None:
    """The last boxed answer, its parts set apart by commas; `""` if all boxes are empty, None if there is none."""
    if groups := answers(text):
        return ", ".join(_content(text, box) for box in groups[-1])
    return "" if read(text) else None


def answer_end(text: str) -> int | None:
    """Where the line ends that completes the first boxed answer, or None if there is none.

    Lines that only close what is open there (`\\end{align*}`, `\\]`, `$.`) belong to it.
    """
    if not (groups := answers(text)):
        return None
    lines = _CLOSING_LINES.match(text, groups[0][-1].end)
    assert lines
    return lines.end()


def only_closes(text: str) -> bool:
    """Whether a text is nothing but ends of environments and formulas, marks of punctuation and of a proof's end."""
    return _CLOSES.fullmatch(text) is not None


def _content(text: str, box: Box) -> str:
    return text[box.inside : box.stop].strip()


def _in_parts(text: str, box: Box, following: Box) -> bool:
    """Whether two boxes are parts of one answer, and not one answer repeated."""
    if not 0 <= following.start - box.end <= _JOINT_CHARACTERS:
        return False
    between = " ".join(_SPACE.sub(" ", text[box.end : following.start].replace(r"\\", ",")).split())
    joint = _JOINT.fullmatch(between)
    return joint is not None and bool(joint["named"] or _content(text, box) != _content(text, following))
