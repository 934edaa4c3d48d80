"""How a mathematical solution is cut into steps by rule, and when its text is broken.

Then commands lost their backslash: a reader of JSON or Python made a control character of `\\f` in `\\frac`. Only what
can be told is found: `\\n` and `e 3` may be a line that begins with e, unless it stands in a formula.
"""

from __future__ import annotations

import re

from pipeline.domains.math import segments
from pipeline.language import markers, steps

_TOLD = re.compile(
    r"[\a\b](?=[A-Za-z])"  # alpha, angle, approx; beta, boxed, bar, begin
    r"|\f(?:rac|box|ramebox|orall|loor|lat|rown)"
    r"|\v(?:ec|ert|ar[a-z]|dots|ee|phantom|space)"
    r"|\t(?:heta|imes|au|herefore|ilde|riangle\w*|hickapprox)(?![a-z])|\t(?:ext\w*|frac|binom)\s*[{\d]"
    r"|\n(?:abla|otin|leq|geq|earrow|onumber|olimits|atural|subseteq|eq)(?![A-Za-z.])"
    r"|\r(?:ight|angle|floor|ceil|brace|vert|ho(?![a-z]))"
)
_TOLD_IN_A_FORMULA = re.compile(
    r"\n(?:(?:e|i|ot|eg|mid)(?=\s+[\w\\-])|u(?![A-Za-z_]))|\t(?:o|an|anh|op|ext)(?![A-Za-z])|\r(?:m|e|oot)(?![A-Za-z])"
)


def by_line(solution: str) -> str:
    """The rule-based segmenter: the solution's own steps, or every line that is not empty; no formula is ever cut."""
    text = markers.normal(solution)
    if steps.MARKER.match(text):
        return text
    return steps.join([f"Step {number}: {part}" for number, part in enumerate(segments.lines(text), start=1)])


def broken(text: str) -> bool:
    """Whether a command of the text has become a control character and the rest of its name."""
    if _TOLD.search(text):
        return True
    places = [match.start() for match in _TOLD_IN_A_FORMULA.finditer(text)]
    formulas = segments.spans(text) if places else []
    return any(start < place < end and text[start] == "$" for start, end in formulas for place in places)
