"""Printing for people: one console, and model text that cannot act on a terminal."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence

from rich.console import Console


def open_console() -> Console:
    """A console as wide as the terminal; piped, no line is wrapped. What is printed is never read as markup."""
    plain = {"markup": False, "highlight": False, "emoji": False}
    console = Console(**plain)  # type: ignore[arg-type]
    return console if console.is_terminal else Console(**plain, width=100_000)  # type: ignore[arg-type]


def visible(text: str) -> str:
    """`text` with every control and formatting character but the newline written as its code point."""
    return "".join(
        character
        if character == "\n" or unicodedata.category(character) not in ("Cc", "Cf", "Cs", "Zl", "Zp")
        else f"<U+{ord(character):04X}>"
        for character in text
    )


def markdown(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
