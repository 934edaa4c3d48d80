"""LaTeX cosmetics: two ways of typing one answer become one text. Nothing is computed here."""

from __future__ import annotations

import re
from functools import lru_cache

_SYMBOLS = str.maketrans(
    {
        "−": "-", "–": "-", "×": r"\times ", "·": r"\cdot ", "÷": "/", "π": r"\pi ", "∞": r"\infty ",
        "≤": r"\le ", "≥": r"\ge ", "≠": r"\ne ", "±": r"\pm ", "∪": r"\cup ", "∈": r"\in ", "°": r"^\circ ",
        "√": r"\sqrt ", "⁄": "/", "½": r"\frac12 ", "≈": r"\approx ", "∅": r"\emptyset ", "ℝ": r"\mathbb{R}",
        "…": r"\ldots ", "\u00a0": " ", "\u2009": " ", "\u202f": " ",
    }
)  # fmt: skip

_RAISED = re.compile("[⁰¹²³⁴-⁹⁺⁻]+")
_LOWERED = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻", "0123456789+-")
_ARGUMENT = r"\{(?:[^{}]|\{[^{}]*\})*\}"  # a braced argument, braces nested once


# In this order: a later rule may rely on an earlier one.
_SPELLINGS = [
    (r"\\left(?![A-Za-z])\s*\.?|\\right(?![A-Za-z])\s*\.?|\\[bB]igg?[lrm]?(?![A-Za-z])", ""),
    # a separator of thousands that cannot be the comma of a list
    (r"(?<=\d)\s*(?:,\s*\\!|\{,\}|\\,)\s*(?=\d{3})", ""),
    (r"(?<!\\)(?:\\!|\$)|\\displaystyle|\\limits", ""),
    (r"(?<=[\sx-z])!=|\\not\s*=|\\neq?(?![A-Za-z])", r"\\ne "),  # `n!=6` is a factorial
    (r"(?<!\\)\\[()\[\]]", " "),  # maths delimiters; `\\[` is a row's end with a bracket
    (r"(?<!\\)\\[,;: ]|~|\\q?quad(?![A-Za-z])", r" "),
    (r"\\mathrm(?:\s*\{\s*([ei]|\\pi)\s*\}| ([ei])(?![A-Za-z]))", r" \1\2 "),
    (r"\\(?:mathbf|mathit|boldsymbol|bm)\s*\{\s*(\\[a-z]+|[A-Za-z])\s*\}", r" \1 "),
    (r"\\mathbb\s*(?:R(?![A-Za-z])|\{R\})|\\(?:R|Reals|reals)(?![A-Za-z])", r"(-\\infty,\\infty)"),
    (r"\\(?:varnothing|empty)(?![A-Za-z])|\\\{\s*\\\}", r"\\emptyset "),
    (r"\\(?:[lc]?dots|dots[bcmio])(?![A-Za-z])|\.{3,}", r"\\ldots "),
    (r"\\(?:approxeq|thickapprox|simeq|doteq)(?![A-Za-z])", r"\\approx "),
    (r"^(?:approximately|approx\.?|about|roughly)\s+(?=[\d.\\-])", r"\\approx "),
    (
        r"\\(?:text(?:bf|it|rm|sf|tt|normal)?|[mh]box|math(?:rm|bf|it|sf)|boldsymbol|bm|operatorname\*?)\s*\{",
        r"\\text{",
    ),
    (r"^\\text\{[^{}]*(?::\s*\}|\}\s*:)\s*", ""),
    (r"^(?:\\text\{)?\s*all real numbers\s*\}?$", r"(-\\infty,\\infty)"),
    (r"^(?:\\text\{)?\s*(?:the )?empty set\s*\}?$", r"\\emptyset "),
    (r"\\[dtc]frac", r"\\frac"),
    (r"\\(frac|sqrt|vec|overrightarrow)\s*([A-Za-z0-9]|\\pi)", r"\\\1{\2}"),
    (rf"\\frac\s*({_ARGUMENT})\s*([A-Za-z0-9]|\\pi)", r"\\frac\1{\2}"),
    (r"\\frac\s*\{", r"\\frac{"),
    (r"\^\s*(?:\{\s*\\circ\s*\}|\\circ(?![A-Za-z]))|\\degree(?![A-Za-z])", "°"),
    (r"\\?%", r"\\%"),
    (r"\\(?:leq|leqslant|lte)(?![A-Za-z])|<=", r"\\le "),
    (r"\\(?:geq|geqslant|gte)(?![A-Za-z])|>=", r"\\ge "),
    (r"\\lt(?![A-Za-z])", "<"),
    (r"\\gt(?![A-Za-z])", ">"),
    (r"\\mid(?![A-Za-z])", "|"),
    (r"\+?\s*\\infty|(?<![A-Za-z\\])infinity", r"\\infty"),
    (r"\*\*", "^"),
    (r"\\langle(?![A-Za-z])", "("),
    (r"\\rangle(?![A-Za-z])", ")"),
    (r"(?<![A-Za-z\\])(pi|sqrt|(?:arc)?(?:sin|cos|tan)|log|ln)(?![A-Za-z])", r"\\\1"),
    (r"\\sqrt\s*\(([^()]*)\)", r"\\sqrt{\1}"),
    (r"\\(overline|bar|dot)\s*(\d)", r"\\\1{\2}"),
    (r"(?<!\d)\.(?=\d|\\(?:overline|bar|dot)\{)", "0."),
    (r"(?<=\d)\s*(?:\\times|\\cdot|[xX*])\s*(?=10\s*\^)", r"\\times "),
    (r"\s+", " "),
]
_RULES = [(re.compile(pattern), replacement) for pattern, replacement in _SPELLINGS]

_DOUBLED = re.compile(r"\\\\(?=[A-Za-z])")
_WORDS = re.compile(r"\\text\{([^{}]*)\}")
_ONE = re.compile(r"([_^])\{(\w)\}")
_SPACE = re.compile(r"(?<!\d) | (?!\d)")  # "3 1/8" is not "31/8"


@lru_cache(maxsize=4096)  # votes and lists compare one answer with many
def clean(text: str) -> str:
    """The text in one spelling: `\\frac{a}{b}`, `\\text{words}`, `°`, `\\%`; no delimiters, no sizes."""
    text = _RAISED.sub(lambda match: f"^{{{match[0].translate(_LOWERED)}}}", text)
    text = text.translate(_SYMBOLS).strip().strip("*")
    if r"\begin" not in text:  # there `\\` ends a row; elsewhere it is a backslash escaped once too often
        text = _DOUBLED.sub(r"\\", text)
    for pattern, replacement in _RULES:
        text = pattern.sub(replacement, text)
    return text.strip().rstrip(".,;: ")


def compact(text: str) -> str:
    """A cleaned text without what is not read aloud: spaces, marks of words, braces around one character."""
    text = _WORDS.sub(r"\1", text)
    return _SPACE.sub("", _ONE.sub(r"\1\2", text)).removeprefix("+")


def words_opened(text: str) -> str:
    """The text without `\\text{}` if that is all it consists of."""
    match = _WORDS.fullmatch(text)
    return match[1].strip() if match else text
