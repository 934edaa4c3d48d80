"""What can become of an answer."""

from __future__ import annotations

from enum import StrEnum


class Grade(StrEnum):
    """Only RIGHT scores; the other three are kept apart because they mean different things in a report."""

    RIGHT = "right"
    WRONG = "wrong"
    UNREADABLE = "unreadable"  # no answer, too long, outside the grammar, or its process died
    TIMEOUT = "timeout"
