"""Commands that lost their backslash: a reader of JSON or Python made a control character of `\\f` in `\\frac`.

Only what can be told is: `\\n` and `e 3` may be a line that begins with e, unless it stands in a formula.
"""

from __future__ import annotations

import re

from pipeline.domains.math import segments

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


def broken(text: str) -> bool:
    """Whether a command of the text has become a control character and the rest of its name."""
    if _TOLD.search(text):
        return True
    found = [match.start() for match in _TOLD_IN_A_FORMULA.finditer(text)]
    formulas = segments.spans(text) if found else []
    return any(start < place < end and text[start] == "$" for start, end in formulas for place in found)
