"""Equality by computer algebra: latex2sympy's grammar reads, Math-Verify compares. For worker processes only.

Text goes through the grammar and is never evaluated. Math-Verify's other way in, `ExprExtractionConfig`, is
not used, because it hands the text to SymPy's `parse_expr`, which calls `eval`. latex2sympy goes the same way
for every numeral, so that function is replaced here, and so is what calls it: numerals are rationals, never floats.
Math-Verify's comparison of numbers is replaced too: it rounds to absolute places and takes 2^-87 for 2^-88. Nothing
here is limited in time or memory.
"""

from __future__ import annotations

import re
from fractions import Fraction
from importlib import import_module

from latex2sympy2_extended import NormalizationConfig, latex2sympy
from latex2sympy2_extended.latex2sympy2 import ConversionConfig, _Latex2Sympy
from math_verify import grader, verify
from sympy import Basic, Expr, Float, I, Integer, MatrixBase, Ne, Rational, Symbol, simplify
from sympy.parsing import sympy_parser

from pipeline.domains.math.numbers import RECURRING, Number, read_number, recurring

_SPELLING = NormalizationConfig(basic_latex=True, malformed_operators=True, nits=True, boxed="none")
_READING = ConversionConfig(lowercase_symbols=False)
_DESCENDS = re.compile(r"(>|\\ge(?![A-Za-z]))")
_OTHER_RELATION = re.compile(r"[<=]|\\(?:le|ne|in)(?![A-Za-z])")
_IMAGINARY_UNIT = Symbol("i", real=True)  # as the parser reads it
_EVALUATED_DIGITS = 40
_DEGREES = re.compile(r"(\d+(?:\.\d+)?|\\frac\{\d+\}\{\d+\}|(?<![A-Za-z\\])[A-Za-z]|\\(?:alpha|beta|theta))\s*°")
_ANGLE = re.compile(r"\\(?:sin|cos|tan|cot|sec|csc)(?![A-Za-z])")
_EQUALS = re.compile(r"(?<![\\<>!])=")

# What the parser has met once it reads ten times faster; these are the forms of the benchmarks' answers.
_COMMON = [
    (r"\frac{3\sqrt{5}}{2}-1", r"\sqrt{\frac{45}{4}} - \frac{2}{2}"),
    (r"\frac{n(n+1)}{2}", r"\frac{1}{2}n^{2} + n/2"),
    (r"y=2x-3\pi", r"2x - y = 3 \cdot \pi"),
    (r"-2\le x<\sqrt{7}", r"[-2,\sqrt{7})"),
    (r"(-\infty,2)\cup(3,\infty)", r"x<2"),
    (r"2+3i", r"e^{-1}"),
    (r"\log_{2} 3", r"\frac{\ln 3}{\ln 2}"),
    (r"\begin{pmatrix} 1 & \pi \\ 0 & 2 \end{pmatrix}", r"\begin{pmatrix} 1 & 3 \\ 0 & 2 \end{pmatrix}"),
    (r"\sin \frac{\pi}{4}", r"0.707107"),
    (r"\binom{2n}{n}", r"\lfloor n \rfloor"),
]


def _numeral(text: str, **_options: object) -> Integer | Float:
    """All that SymPy may read from text in this process. Raises ValueError at anything else."""
    return Integer(int(text)) if text.isdecimal() else Float(text)


def _exact_numeral(_reader: object, text: str) -> Rational:
    """What latex2sympy makes of a numeral in LaTeX."""
    return Rational(Fraction(text.replace(",", "")))


def _same_numbers(first: Basic | MatrixBase, second: Basic | MatrixBase, *rounding: int) -> bool:
    """In the place of Math-Verify's numeric comparison."""
    if isinstance(first, MatrixBase) and isinstance(second, MatrixBase):
        cells = zip(first.flat(), second.flat(), strict=first.shape == second.shape)
        return first.shape == second.shape and all(grader.sympy_expr_eq(*pair, *rounding) for pair in cells)
    return _same_constants(first, second) is True


def _same_expressions(first: Basic | MatrixBase, second: Basic | MatrixBase) -> bool:
    """In the place of Math-Verify's symbolic comparison, which need not simplify what was told by numbers."""
    return _same_constants(first, second) is None and _simplified(first, second)


def _same_constants(first: Basic | MatrixBase, second: Basic | MatrixBase) -> bool | None:
    """Whether two constants are equal; None for what holds a variable or has no numeric value."""
    if not isinstance(first, Expr) or not isinstance(second, Expr) or first.free_symbols or second.free_symbols:
        return None
    first, second = (grader.get_pct_val(side, side).doit() for side in (first, second))
    if first.is_Rational and second.is_Rational:
        return bool(first == second)
    difference, size = (abs(side.evalf(_EVALUATED_DIGITS)) for side in (first - second, first))
    if not (difference.is_Float or difference.is_zero) or not size.is_number:
        return None
    near = difference <= size / 10 ** (_EVALUATED_DIGITS // 2)
    return bool(near) and simplify(first - second).is_zero is not False


_simplified = grader.sympy_symbolic_eq
import_module("sympy.physics.units")  # simplifying imports it, and it reads the names of its units from text
sympy_parser.parse_expr = _numeral
_Latex2Sympy.parse_number = _exact_numeral
grader.sympy_numeric_eq = _same_numbers
grader.sympy_symbolic_eq = _same_expressions
grader.INVERSE_RELATIONS[Ne] = Ne  # it knows the other five


def equal(answer: str, gold: str) -> bool:
    """Whether two cleaned LaTeX texts are the same value, relation or set. Raises if one cannot be read."""
    read, wanted = _read(answer), _read(gold)
    for text, other in ((answer, wanted), (gold, read)):
        number = read_number(text)
        if number and number.places and getattr(other, "is_real", False) and not other.free_symbols:
            return _is_decimal_of(number, other)
    return bool(verify(wanted, read, timeout_seconds=None, allow_set_relation_comp=True, raise_on_error=True))


def _is_decimal_of(number: Number, exact: Basic) -> bool:
    """Whether a decimal is a constant, or rounds it. (Math-Verify takes 0.0000001 for any smaller number.)"""
    value = Fraction(str(exact.evalf(_EVALUATED_DIGITS)))
    return abs(number.value - value) <= abs(value) / 10 ** (_EVALUATED_DIGITS // 2) or number.rounds(value)


def warm_up() -> None:
    """Fill the parser's caches, so that processes forked from this one read fast."""
    for answer, gold in _COMMON:
        equal(answer, gold)


def _ascending(text: str) -> str:
    """A chain `c > b > a` as `a < b < c`, for Math-Verify compares chains link by link."""
    links = _DESCENDS.split(text)
    if len(links) < 5 or _OTHER_RELATION.search(text):
        return text
    return " ".join({">": "<", r"\ge": r"\le"}.get(link, link) for link in reversed(links))


def _read(text: str) -> Basic | MatrixBase:
    if "," not in text and len(_EQUALS.findall(text)) > 1:
        text = _EQUALS.split(text)[-1]  # a chain of equations ends with its result
    if _ANGLE.search(text):
        text = _DEGREES.sub(r"(\1\\cdot\\frac{\\pi}{180})", text)
    text = RECURRING.sub(_fraction, text)
    expression = latex2sympy(
        _ascending(text).replace("°", ""), is_real=True, normalization_config=_SPELLING, conversion_config=_READING
    )
    return expression.xreplace({_IMAGINARY_UNIT: I})


def _fraction(decimal: re.Match[str]) -> str:
    value = recurring(decimal)
    return rf"\frac{{{value.numerator}}}{{{value.denominator}}}"
