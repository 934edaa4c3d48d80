"""How published data sets say their problem, answer and solution: one function a format.

`plain`: the columns as they are. `gsm8k`: calculator marks in the solution, the answer after `####`. `boxed`: the
answer stands in the last box of the solution (MATH). `gaokao`: an empty answer stands at the question's end.
`olympiadbench`: a list of answers with a unit and a tolerance.

Texts are read as they stand, from a column or a path of fields (`reward_model.ground_truth`). A chat (a list of
`{role, content}` messages, as verl and open-r1 store it) gives its user's turn as the problem and its assistant's as
the solution, where there is exactly one of them; a system's turn is no part of the problem. A name with braces in it
is a text with columns in it (`{theory} {question}`). A gold is a text or an exact number, for a grader of its own also
a truth value, a list or an object. Options of a multiple choice (`choices`) are `{text: [...], label: [...]}` (ARC), a
list of texts (MMLU, whose gold is a place counted from 0) or an object of texts by label; they are shown below the
problem.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from pipeline.data.settings import Source
from pipeline.data.values import Unusable, brief, field, from_float, has, plain, shown
from pipeline.domains.math.boxes import boxed
from pipeline.domains.math.compare import gold_text
from pipeline.domains.math.extract import extract_answer

Row = Mapping[str, Any]
_SURROGATE = re.compile("[\ud800-\udfff]")
_COLUMN = re.compile(r"\{([^{}]+)\}")


def columns(source: Source) -> list[str]:
    """The columns that a source's format reads."""
    return needed(source) + (["unit", "error"] if source.format == "olympiadbench" else [])


def needed(source: Source) -> list[str]:
    """The columns that a source names, those inside a text with braces one by one."""
    given = (source.prompt, source.answer, source.solution, source.choices)
    return [column for name in given if name for column in _COLUMN.findall(name) or [name]]


def prompt(row: Row, source: Source) -> str:
    """The problem's text. Raises Unusable (`no_prompt`, `prompt_not_text`, ...) where the row has none."""
    text = _text(row, source.prompt, "prompt", "user")
    if text is None or not text.strip():
        raise Unusable("no_prompt", f"column {source.prompt!r} {_absence(row, source.prompt)}; a problem needs a text")
    if not source.choices:
        return text
    return "\n".join([text, *(f"{label}. {option}" for label, option in _options(row, source).items())])


def solution(row: Row, source: Source) -> str | None:
    """The solution's text; None if the source names no column for it or the row has none. Raises Unusable."""
    text = _text(row, source.solution, "solution", "assistant") if source.solution else None
    if text is None or not text.strip():
        return None
    return _boxed_gsm8k(text) if source.format == "gsm8k" else text


def answer(row: Row, source: Source) -> str | None:
    """The gold answer, or None if the source names no column for it.

    Raises Unusable (`no_answer`, `answer_not_text`, ...) for a row without one.
    """
    if not source.answer:
        return None
    gold = _ANSWERS[source.format](row, source)
    if gold is None or not gold.strip():
        why = "holds none" if gold is None and field(row, source.answer) else _absence(row, source.answer)
        raise Unusable("no_answer", f"no answer, column {source.answer!r} {why} (format {source.format})")
    return gold


def _plain(row: Row, source: Source) -> str | None:
    value = _text(row, source.answer, "answer", "") if _COLUMN.search(source.answer) else field(row, source.answer)
    if source.grader and not source.choices and isinstance(value, bool | list | dict):
        return str(value) if isinstance(value, bool) and source.grader != "json" else json.dumps(value, default=_number)
    gold = _gold(value, source.answer)
    return _chosen(gold, value, _options(row, source)) if source.choices and gold else gold


def _number(value: object) -> float:
    """A decimal inside a JSON value. Raises Unusable for what nobody can use."""
    if isinstance(value, Decimal):
        return float(value)
    raise value if isinstance(value, Unusable) else Unusable("answer_not_json", f"{shown(value)} is no JSON")


def _options(row: Row, source: Source) -> dict[str, str]:
    """The options of a multiple choice by their labels. Raises Unusable where a row has none."""
    given = field(row, source.choices)
    if isinstance(given, dict) and isinstance(given.get("text"), list) and isinstance(given.get("label"), list):
        given = dict(zip(given["label"], given["text"], strict=False))
    if isinstance(given, list):
        given = dict(zip(_LETTERS, given, strict=False))
    if not isinstance(given, dict) or len(given) < 2 or not all(isinstance(text, str) for text in given.values()):
        raise Unusable("no_choices", f"column {source.choices!r} must hold options as texts, is {shown(given)}")
    return {str(label): " ".join(text.split()) for label, text in given.items()}


def _chosen(gold: str, value: object, options: Mapping[str, str]) -> str:
    """The right option with its label, from a label, a place counted from 0 or the option's text."""
    labels = list(options)
    if isinstance(value, int) and gold not in options and 0 <= value < len(labels):
        gold = labels[value]
    gold = next((label for label, text in options.items() if gold not in options and text == gold), gold)
    if gold not in options:
        listed = brief(", ".join(labels))
        raise Unusable("no_such_choice", f"the answer {brief(gold)!r} is none of the options {listed}")
    return f"{gold}. {options[gold]}"


def _gsm8k(row: Row, source: Source) -> str | None:
    _, mark, value = _answer_text(row, source).rpartition("####")
    return value.strip() if mark else None


def _olympiadbench(row: Row, source: Source) -> str | None:
    given = field(row, source.answer)
    try:
        listed = ast.literal_eval(given) if isinstance(given, str) else given
    except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError):
        listed = given
    if given is not None and not isinstance(listed, list | tuple):
        raise Unusable("answer_not_list", f"column {source.answer!r} must be a list of answers, is {shown(given)}")
    golds = [gold for part in listed or () if (gold := _gold(part, source.answer))]
    unit, error = (_gold(field(row, name), name) for name in ("unit", "error"))
    return gold_text(golds, unit, error) if golds else None


_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_ANSWERS: dict[str, Callable[[Row, Source], str | None]] = {
    "plain": _plain,
    "gsm8k": _gsm8k,
    "boxed": lambda row, source: boxed(_answer_text(row, source)),
    "gaokao": lambda row, source: _answer_text(row, source) or extract_answer(prompt(row, source), fallback=False),
    "olympiadbench": _olympiadbench,
}


def _boxed_gsm8k(text: str) -> str:
    """A GSM8K solution without its calculator marks, the answer after `####` as a boxed sentence."""
    body, mark, value = re.sub(r"<<[^>]*>>", "", text).rpartition("####")
    return f"{body.rstrip()} The answer is \\boxed{{{value.strip()}}}." if mark else value


def _gold(value: object, name: str) -> str | None:
    """One text or number as a gold; None for null and NaN. Raises Unusable for all else."""
    if isinstance(value, float):
        value = from_float(value, repr(value))
    if isinstance(value, Unusable):
        raise value
    if isinstance(value, str):
        return _unicode(value, name)
    if isinstance(value, int | Decimal) and not isinstance(value, bool):
        return plain(value)
    if value is None:
        return None
    raise Unusable("answer_not_text", f"column {name!r} must be a text or a number, is {shown(value)}")


def _answer_text(row: Row, source: Source) -> str:
    return _text(row, source.answer, "answer", "assistant") or ""


def _text(row: Row, name: str, what: str, role: str) -> str | None:
    if _COLUMN.search(name):
        parts = {column: _gold(field(row, column), column) for column in _COLUMN.findall(name)}
        return None if None in parts.values() else _COLUMN.sub(lambda match: parts[match[1]] or "", name)
    value = field(row, name)
    if isinstance(value, Unusable):
        raise value
    if isinstance(value, list) and value and all(isinstance(turn, dict) and "role" in turn for turn in value):
        turns = [turn.get("content") for turn in value if turn["role"] == role]
        if len(turns) != 1:
            raise Unusable(f"{what}_not_one_turn", f"column {name!r} has {len(turns)} turns of the {role}, not one")
        value = turns[0]
    if value is not None and not isinstance(value, str):
        raise Unusable(f"{what}_not_text", f"column {name!r} must be text, is {shown(value)}")
    return value if value is None else _unicode(value, name)


def _unicode(text: str, name: str) -> str:
    if not text.isascii() and (half := _SURROGATE.search(text)):
        raise Unusable("not_unicode", f"column {name!r} has half of a character, U+{ord(half[0]):04X}")
    return text


def _absence(row: Row, name: str) -> str:
    """How a row comes to have nothing in a column."""
    return "is empty" if has(row, name) else f"is missing; it has {brief(', '.join(row))}"
