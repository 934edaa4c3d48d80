"""Find the final answer in a solution: the box, else the phrases that the Qwen2.5-Math harness looks for.

Everything here is linear in the length of the text, which may be a megabyte of anything.
"""

from __future__ import annotations

import re

# A box with or without a brace, or any other brace; `\{` is a printed brace and groups nothing.
_BRACE = re.compile(r"(?P<box>\\(?:boxed|fbox)\s*(?P<open>\{)?)|(?<!\\)\\[{}]|(?P<brace>[{}])")
_BARE = re.compile(r"[^\s${}]+")
_PHRASE = re.compile(r"the answer is|final answer is|\banswers?:", re.IGNORECASE)
_SENTENCE_END = re.compile(r"\.\s|\n")
_NUMBER = re.compile(r"(?:(?<![\w)])-)?(?:\d[\d,]*(?:\.\d+)?|\.\d+)")


def boxed(text: str) -> str | None:
    """Content of the balanced `\\boxed{...}` (or `\\fbox{...}`, `\\boxed 5`) that begins last, or None."""
    opened: list[tuple[bool, int]] = []  # of every brace still open: is it a box, where its content starts
    last = (-1, -1)
    for match in _BRACE.finditer(text):
        if match["box"] and not match["open"]:
            bare = _BARE.match(text, match.end())
            last = max(last, bare.span()) if bare else last
        elif match["box"] or match["brace"] == "{":
            opened.append((bool(match["box"]), match.end()))
        elif match["brace"] and opened:
            is_box, start = opened.pop()
            last = max(last, (start, match.start())) if is_box else last
    return None if last[0] < 0 else text[last[0] : last[1]]


def extract_answer(text: str, *, fallback: bool = True) -> str | None:
    """The final answer as written, or None.

    In this order: the last box, `final answer is $...$. I hope`, what follows GSM8K's `####`, what follows
    "the answer is", "final answer is" or "answer:", and, if `fallback`, the last number of the text.
    """
    found = boxed(text)
    if found is None:
        found = _minerva(text) or _after_hashes(text) or _after_phrase(text)
    if found is None and fallback:
        found = _last_number(text)
    return (found or "").strip() or None


def _minerva(text: str) -> str | None:
    """The few-shot format of Minerva, whose closing phrase a base model imitates."""
    _, opening, rest = text.rpartition("inal answer is $")
    answer, closing, _ = rest.partition("$. I hope")
    return answer if opening and closing else None


def _after_hashes(text: str) -> str | None:
    _, hashes, rest = text.rpartition("####")
    return rest.strip().partition("\n")[0] if hashes else None


def _after_phrase(text: str) -> str | None:
    """The rest of the sentence after the phrase that occurs last."""
    ends = [match.end() for match in _PHRASE.finditer(text)]
    if not ends:
        return None
    sentence = _SENTENCE_END.split(text[ends[-1] :].lstrip(" :*\n"), maxsplit=1)[0]
    return sentence.rstrip(" .*/") or None


def _last_number(text: str) -> str | None:
    numbers = _NUMBER.findall(text)
    return numbers[-1].rstrip(",") if numbers else None
