"""Values of rows as their source says them: exact numbers, columns inside columns, and what cannot be used."""

from __future__ import annotations

import math
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa

DOUBLE = 2**53  # from here on a double does not hold every integer
_SHOWN = 80


class Unusable(Exception):
    """A row or a value that cannot be used; stands in the place of the value until somebody reads it.

    reason: the short name that drops are counted by. The message says what is there, in one line.
    """

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(brief(message, 200))
        self.reason = reason


def brief(text: str, limit: int = _SHOWN) -> str:
    """A text for an error line: one line, printable in UTF-8, `limit` characters at most."""
    line = " ".join(text[: 4 * limit].encode("utf-8", "backslashreplace").decode().split())
    return line if len(line) <= limit and len(text) <= 4 * limit else line[: limit - 4] + " ..."


def shown(value: object) -> str:
    """A value for an error line, shortened."""
    return brief(repr(value[: 2 * _SHOWN] if isinstance(value, str | bytes | list | tuple) else value))


def from_literal(literal: str) -> Decimal | Unusable:
    """A JSON number with a point or an exponent, exactly as it is written.

    Unusable beyond what a double holds: 1e16 and 5.764607523034235e+17 were written from doubles that stood for many
    integers.
    """
    near = float(literal)
    if near == 0 and literal.lower().partition("e")[0].strip("-0."):
        return Unusable("inexact_number", f"{brief(literal)} is too near to 0 for a double; store it as text")
    return _inexact(literal) if abs(near) >= DOUBLE else Decimal(literal)


def from_float(value: float, literal: str, limit: int = DOUBLE) -> Decimal | Unusable | None:
    """A binary number as its shortest decimal `literal`; None for NaN, which is how tables say that there is none.

    limit: where integers of this width begin to be inexact; Unusable from there on, and for an infinite number.
    """
    if math.isnan(value):
        return None
    if math.isinf(value):
        return not_finite(literal)
    return _inexact(literal) if abs(value) >= limit else Decimal(literal)


def not_finite(literal: str) -> Unusable:
    """The place of an infinite number."""
    return Unusable("not_finite", f"{literal} is no finite number")


def _inexact(literal: str) -> Unusable:
    return Unusable(
        "inexact_number", f"{brief(literal)} was a floating-point number that lost its last digits; store it as text"
    )


def plain(number: int | Decimal) -> str:
    """A number in decimal notation, without exponent and trailing zeros of a fraction."""
    if isinstance(number, int):
        return str(number)
    text = f"{number:f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text == "-0" else text


def narrow_floats(column: pa.Array) -> list[Any]:
    """Values of an Arrow column; floats of 16 and 32 bits as the shortest decimal of their own width.

    As Python's doubles they would show digits that the file does not say (0.1 as 0.10000000149011612).
    """
    values = column.to_pylist()
    return [_narrowed(value, column.type) for value in values] if _is_narrow(column.type) else values


def _is_narrow(kind: pa.DataType) -> bool:
    if pa.types.is_floating(kind):
        return bool(kind.bit_width < 64)
    return any(_is_narrow(kind.field(place).type) for place in range(kind.num_fields))


def _narrowed(value: Any, kind: pa.DataType) -> Any:
    if value is None:
        return None
    if pa.types.is_floating(kind) and kind.bit_width < 64:
        width = np.float32 if kind.bit_width == 32 else np.float16
        return from_float(value, str(width(value)), 2 ** (np.finfo(width).nmant + 1))
    if isinstance(value, dict):
        return {name: _narrowed(part, kind.field(name).type) for name, part in value.items()}
    if isinstance(value, list) and kind.num_fields == 1:
        return [_narrowed(part, kind.field(0).type) for part in value]
    return value


def field(row: Mapping[str, Any], path: str) -> Any:
    """The value of a column, or of a column inside it by a path (`reward_model.ground_truth`); None where it is absent.

    A column whose whole name is the path comes first. Raises Unusable where the path goes through what has no fields.
    """
    if path in row:
        return row[path]
    value: Any = row
    for depth, name in enumerate(path.split(".")):
        if isinstance(value, Unusable):
            raise value
        if value is None:
            return None
        if not isinstance(value, Mapping):
            before = ".".join(path.split(".")[:depth])
            raise Unusable("no_such_field", f"column {before!r} has no field {name!r}, is {shown(value)}")
        value = value.get(name)
    return value


def has(row: Mapping[str, Any], path: str) -> bool:
    """Whether a row has the column of a path, whatever stands in it."""
    head, _, rest = path.partition(".")
    if path in row or not rest:
        return path in row
    inner = row.get(head)
    return has(inner, rest) if isinstance(inner, Mapping) else head in row
