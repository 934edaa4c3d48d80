"""Take a cleaned answer apart: lists, unions, tuples and intervals, ratios, matrices, set-builders."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

from pipeline.domains.math.latex import words_opened

_AND = re.compile(r"\\text\{\s*,?\s*(?:and|or)\s*,?\s*\}|(?<![A-Za-z\\])(?:and|or)(?![A-Za-z])")
_OR = re.compile(r"\\text\{\s*,?\s*or\s*,?\s*\}|(?<![A-Za-z\\])or(?![A-Za-z])")
_TOKEN = re.compile(
    r"(?P<open>\\begin(?=\{)|\\?\{|[(\[])|(?P<close>\\end(?=\{)|\\?\}|[)\]])"
    r"|(?P<list>[,;])|(?P<union>\\cup(?![A-Za-z]))|(?P<ratio>:)"
)
_MATRIX = re.compile(r"\\begin\{([pbvBV]?matrix|array)\}(?:\{[^{}]*\})?(.*)\\end\{\1\}", re.DOTALL)
_SET_BUILDER = re.compile(r"\\?\{\s*[a-z]\s*[|:]\s*(.+?)\s*\\?\}", re.DOTALL)
_RATIO_PART = re.compile(r"\d|\\(?:sqrt|frac|pi|ldots)(?![A-Za-z])|[a-z](?![A-Za-z])")


class Group(NamedTuple):
    """A text in parts. `kind` holds them: list, union, ratio, `()`, `[)`, ..., or a matrix's shape."""

    kind: str
    parts: list[str]


def group(text: str) -> Group | None:
    """The text as a group; None if it is a single thing. `a and b`, `{a, b}` and `a \\pm b` are lists too."""
    if matrix := _MATRIX.fullmatch(text):
        return _matrix(matrix[2])
    alternatives = _OR.split(text)
    if all(alternative.count("=") > 1 for alternative in alternatives):  # `a = 1, b = 2 or a = 3, b = 4`
        text = ";".join(alternatives)
    text = _AND.sub(",", text)
    tokens = _outer_tokens(text)
    kinds = {token.lastgroup for token in tokens}
    if "list" in kinds:
        return Group("list", _both_signs(_listed(text, tokens)))
    if "union" in kinds:
        return Group("union", _cut(text, tokens, "union"))
    if len(tokens) == 2 and (tokens[0].start(), tokens[1].end()) == (0, len(text)):
        inner, brackets = text[tokens[0].end() : tokens[1].start()], tokens[0][0][-1] + tokens[1][0][-1]
        parts = _both_signs(_listed(inner, _outer_tokens(inner)))
        return Group("list" if brackets == "{}" else brackets, parts)
    if "ratio" in kinds:
        parts = _cut(text, tokens, "ratio")
        return Group("ratio", parts) if all(_RATIO_PART.match(part) for part in parts) else None
    signs = _both_signs([text])
    return Group("list", signs) if len(signs) == 2 else None


def opened(text: str) -> str:
    """Without brackets or marks around one single thing; a set-builder becomes its condition."""
    text = words_opened(text)
    if builder := _SET_BUILDER.fullmatch(text):
        return builder[1]
    while (only := group(text)) and len(only.parts) == 1:
        text = words_opened(only.parts[0])
    return text


def _matrix(inner: str) -> Group:
    rows = [row.split("&") for row in inner.split(r"\\") if row.strip()]
    shape = " ".join(str(len(row)) for row in rows)
    return Group(f"matrix {shape}", [cell.strip() for row in rows for cell in row])


def _outer_tokens(text: str) -> list[re.Match[str]]:
    """Brackets and separators that stand in no bracket; none at all if the brackets do not balance."""
    depth, tokens = 0, []
    for token in _TOKEN.finditer(text):
        closes = token.lastgroup == "close"
        depth -= closes
        if depth < 0:
            return []
        if depth == 0:
            tokens.append(token)
        depth += token.lastgroup == "open"
    return tokens if depth == 0 else []


def _listed(text: str, tokens: list[re.Match[str]]) -> list[str]:
    """The parts of a list; where semicolons stand beside commas, they part, and a part is a list itself."""
    semicolons = [token for token in tokens if token[0] == ";"]
    commas = any(token[0] == "," for token in tokens)
    return _cut(text, semicolons if semicolons and commas else tokens, "list")


def _cut(text: str, tokens: Iterable[re.Match[str]], separator: str) -> list[str]:
    """The parts between one kind of separator, empty ones dropped."""
    cuts = [token.span() for token in tokens if token.lastgroup == separator]
    starts, ends = [0, *(end for _, end in cuts)], [*(start for start, _ in cuts), len(text)]
    parts = (text[start:end].strip() for start, end in zip(starts, ends, strict=True))
    return [part for part in parts if part]


def _both_signs(parts: list[str]) -> list[str]:
    """Parts with one `\\pm` taken twice."""
    signed = ([part.replace(r"\pm", sign) for sign in "+-"] if part.count(r"\pm") == 1 else [part] for part in parts)
    return [part for pair in signed for part in pair]
