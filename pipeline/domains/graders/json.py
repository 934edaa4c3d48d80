"""The same JSON value, in whatever order of keys; an answer may stand in a fenced block."""

from __future__ import annotations

import json
import re
from decimal import Decimal
from typing import Any

_FENCED = re.compile(r"\s*```(?:json)?\s*\n(.*?)```\s*", re.DOTALL | re.IGNORECASE)


def _read(text: str) -> Any:
    """The value, numbers exact, true and false apart from 1 and 0. Raises ValueError where the text is no JSON."""
    fenced = _FENCED.fullmatch(text)
    return _typed(json.loads(fenced[1] if fenced else text, parse_float=Decimal, parse_int=Decimal))


def _typed(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _typed(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_typed(part) for part in value]
    return ("truth", value) if isinstance(value, bool) else value


def right(answer: str, gold: str) -> bool:
    """Whether an answer is the gold value. Raises ValueError where it is no JSON."""
    return bool(_read(answer) == _read(gold))
