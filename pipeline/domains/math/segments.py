"""Where a solution may be cut: at newlines that stand in no environment, formula, box, figure or block of code.

Cuts are made at `\\n` alone: form feeds, vertical tabs and Unicode's line ends are characters like others.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from pipeline.domains.math import boxes

_TOKEN = re.compile(
    r"\\begin\s*\{(?P<begin>[^{}\n]{1,30})\}|\\end\s*\{(?P<end>[^{}\n]{1,30})\}"
    r"|(?P<open>\\[\[(]|\[asy(?=[^\[\]\n]{0,40}\])|<asy>)|(?P<close>\\[\])]|\[/asy\]|</asy>)"
    r"|(?P<code>^[ \t]*```)|(?P<dollars>\$\$?)|\\.",
    re.DOTALL | re.IGNORECASE | re.MULTILINE,
)
_FIGURE = re.compile(
    r"\[asy[^\[\]\n]{0,40}\](?:(?!\[/asy\]).)*\[/asy\]|<asy>(?:(?!</asy>).)*</asy>", re.DOTALL | re.IGNORECASE
)
_OPENS = {r"\]": r"\[", r"\)": r"\(", "[/asy]": "[asy", "</asy>": "<asy>"}
_TYPESET = re.compile(r"\\(?:text\w*|mbox|mathrm|operatorname)\s*\{[^{}]*\}|\\[A-Za-z]+")
# In no formula over lines: a word, an empty line, a first dollar after an amount ("5$ "), a last one before ("$5").
_NO_FORMULA = re.compile(r"(?<!\S)[A-Za-z]?[a-z]{3,}(?![^\s.,;:!?])|\n\s*\n|\A\d\$\s|\$\d\Z")


def lines(solution: str) -> list[str]:
    """The solution's lines that are not empty, those of one formula, environment, box or figure together.

    A line that only closes something belongs to the one before it, and so does a figure.
    """
    parts: list[str] = []
    for part in _uncut(solution.replace("\r\n", "\n")):
        if parts and (boxes.only_closes(part) or _FIGURE.fullmatch(part)):
            parts[-1] += "\n" + part
        else:
            parts.append(part)
    return parts


def spans(text: str) -> list[tuple[int, int]]:
    """From where to where every formula, environment, figure and block of code goes that is closed; one left open is
    none."""
    closed: list[tuple[int, int]] = []
    opened: list[tuple[str, int]] = []
    for token in _TOKEN.finditer(text):
        if token["dollars"]:
            closed += _formula(text, token, opened)
        elif token["code"]:
            block = _closed(opened, "code", token.end())
            closed += block
            opened += [] if block else [("code", token.start())]
        elif begun := token["begin"] or (token["open"] or "").lower():
            opened.append((begun, token.start()))
        elif ended := token["end"] or _OPENS.get((token["close"] or "").lower()):
            closed += _closed(opened, ended, token.end())
    return closed


def _closed(opened: list[tuple[str, int]], name: str, end: int) -> list[tuple[int, int]]:
    """The span of what was opened last under that name; what was opened in it and not closed is forgotten."""
    for index in range(len(opened) - 1, -1, -1):
        if opened[index][0] == name:
            start = opened[index][1]
            del opened[index:]
            return [(start, end)]
    return []


def _formula(text: str, token: re.Match[str], opened: list[tuple[str, int]]) -> list[tuple[int, int]]:
    """The span that dollars close, if they do. They open one if the last thing opened is no formula of their kind."""
    if not opened or opened[-1][0] not in ("$", token[0]):
        opened.append((token[0], token.start()))
        return []
    mark, start = opened.pop()
    end = token.start() + len(mark)
    if mark == "$" and not _is_inline(text[max(start - 1, 0) : end + 1]):
        opened.append((token[0], token.start()))  # the earlier one was a currency's
        return []
    if mark != token[0]:  # `$a$$b$`: one ends, the next begins
        opened.append((mark, end))
    return [(start, end)]


def _is_inline(text: str) -> bool:
    """Whether two dollars and what stands between them, with a character more on both sides, are a formula."""
    return "\n" not in text[:-1] or _NO_FORMULA.search(_TYPESET.sub("", text)) is None


def _uncut(text: str) -> Iterator[str]:
    """What stands between newlines that are in nothing, where that is not empty."""
    answers = [(group[0].start, group[-1].end) for group in boxes.answers(text)]
    waiting = sorted([*spans(text), *answers], reverse=True)
    start = reach = 0
    for newline in re.finditer(r"\n|\Z", text):
        while waiting and waiting[-1][0] < newline.start():
            reach = max(reach, waiting.pop()[1])
        if newline.start() >= reach:
            if part := text[start : newline.start()].strip():
                yield part
            start = newline.start()
