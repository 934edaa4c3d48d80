"""Prompts that show a judge what others wrote, so that none of it reads as a part of the template.

What a template says around its fields are its fences: lines in brackets (`[Check]`), words on a field's own line
(`Question: {problem}`, `{a} A`), and lines of words. No text shown keeps one of them. A template may also ask for
`{mark}`, a text that stands in none of the values, to hold in its lines in brackets: then not even their look can be
written, whatever the script.
"""

from __future__ import annotations

import hashlib
import itertools
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache

from pipeline.language import harmless, prompts

_BLANK = r"[^\S\n]"
_MARK = "mark"


@dataclass(frozen=True)
class _Form:
    """inline: fields that share a line with words of the template. marks: its fences, and what is shown for each."""

    inline: frozenset[str]
    marks: tuple[harmless.Mark, ...]


def fill(family: str, name: str, special: Iterable[str], reply: harmless.Mark, problem: str, **values: str) -> str:
    """The prompt `name` of a family; arguments as of `shown`.

    Raises PipelineError if a field is missing in the template.
    """
    texts = shown(family, name, special, reply, problem=problem, **values)
    if f"{{{_MARK}}}" in prompts.template(family, name):
        texts[_MARK] = _drawn(problem, texts)
    return prompts.fill(family, name, **texts)


def shown(family: str, name: str, special: Iterable[str], reply: harmless.Mark, **values: str) -> dict[str, str]:
    """Each value as the prompt `name` shows it: harmless text without fences, in one line where its field shares one.

    special: texts of the tokenizer's special tokens. reply: the form of the judge's answer, and what is shown for it.
    """
    form = _form(family, name)
    lines = {field: " ".join(text.splitlines()) if field in form.inline else text for field, text in values.items()}
    return {field: harmless.harmless(text, special, (reply, *form.marks)) for field, text in lines.items()}


def _drawn(problem: str, texts: Mapping[str, str]) -> str:
    """Six hexadecimal digits that stand in no text; drawn by the problem, so that its prompts share what they can."""
    digests = (hashlib.sha256(f"{problem}/{number}".encode(errors="replace")) for number in itertools.count())
    marks = (digest.hexdigest()[:6] for digest in digests)
    return next(mark for mark in marks if not any(mark in text.lower() for text in texts.values()))


@cache
def _form(family: str, name: str) -> _Form:
    brackets, lines, openings, closings, inline = [], [], [], [], set[str]()
    for line in prompts.template(family, name).replace(f" {{{_MARK}}}", "").splitlines():
        first, *rest = prompts.FIELD.split(line.strip())
        words, fields = (first, *rest[1::2]), rest[::2]
        if fields and any(words):
            inline.update(fields)
            openings.append(words[0])
            closings.append(words[-1])
        elif inner := re.fullmatch(r"\[(.+)\]", first):
            brackets.append(inner[1])
        elif not fields:
            lines.append(first)
    forms = [
        (brackets, rf"(?<!\[)\[+({_BLANK}*(?i:%s)(?!\w))(?:([^\[\]\n]*)\]+)?", r"\1\2"),
        (lines, rf"^{_BLANK}*(?:%s){_BLANK}*$", ""),
        (openings, rf"^(?:{_BLANK}*(?:%s))+", ""),
        # \1 gives nothing back; \2 passes by what ends no line, so that it is looked at once
        (closings, rf"(?<!{_BLANK})(?=((?:{_BLANK}*(?<!\S)(?:%s))+))(?:\1{_BLANK}*$|(\1))", r"\2"),
    ]
    return _Form(frozenset(inline), tuple(mark for form in forms for mark in _any_of(*form)))


def _any_of(texts: Iterable[str], pattern: str, plain: str) -> Iterable[harmless.Mark]:
    """The pattern of all texts with a word in them, however wide their spaces are."""
    apart = [rf"{_BLANK}+".join(map(re.escape, text.split())) for text in texts if re.search(r"\w", text)]
    if apart:
        yield re.compile(pattern % "|".join(apart), re.MULTILINE), plain
