"""Find the final answer in a solution: the box, else the phrases that the Qwen2.5-Math harness looks for.

Everything here is linear in the length of the text, which may be a megabyte of anything.
"""

from __future__ import annotations

import re

from pipeline.domains.math.boxes import boxed

_PHRASE = re.compile(r"the answer is|final answer is|\banswers?:", re.IGNORECASE)
_SENTENCE_END = re.compile(r"\.\s|\n")
_NUMBER = re.compile(r"(?:(?<![\w)])-)?(?:\d[\d,]*(?:\.\d+)?|\.\d+)")


def extract_answer(text: str, *, fallback: bool = True) -> str | None:
    """The final answer as written, or None.

    In this order: the last box, `final answer is $...$. I hope`, what follows GSM8K's `####`, what follows
    "the answer is", "final answer is" or "answer:", and, if `fallback`, the last number of the text.
    """
    answer = boxed(text)
    if answer is None:
        answer = _minerva(text) or _after_hashes(text) or _after_phrase(text)
    if answer is None and fallback:
        answer = _last_number(text)
    return (answer or "").strip() or None


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
    if not (ends := [match.end() for match in _PHRASE.finditer(text)]):
        return None
    sentence = _SENTENCE_END.split(text[ends[-1] :].lstrip(" :*\n"), maxsplit=1)[0]
    return sentence.rstrip(" .*/") or None


def _last_number(text: str) -> str | None:
    numbers = _NUMBER.findall(text)
    return numbers[-1].rstrip(",") if numbers else None
