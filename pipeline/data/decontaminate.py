"""Decontamination: which training prompts overlap with evaluation problems, by word n-grams and by whole text.

Text is folded first (Unicode NFKC, lower case, dashes and quotes of all kinds), so that case, width, punctuation,
LaTeX's dollar signs and white space make no difference. Three rules, any one is a hit:

`masked`: the whole texts, operators and other signs included, are equal once every number is masked, so a copy with
other numbers is a hit too.
`ngram`: training prompt and evaluation problem share `n` consecutive words or numbers.
`contained`: an evaluation problem shorter than `n` words, which has no n-gram, stands whole in the training prompt,
operators and other signs included.

Scripts without spaces have no words to count, so their characters are counted: a Chinese character as one word, a
letter of Japanese kana, Thai, Lao, Khmer or Myanmar as half a word. On MGSM (one half against the other, n = 8) that
gives as many false hits as words give in English.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise

import regex

_UNSPACED = r"\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}"
_SIGN = regex.compile(
    rf"""[[{_UNSPACED}]&&[\p{{L}}\p{{Nl}}]]\p{{M}}*  # one character of a script without spaces
    | [\p{{L}}--[{_UNSPACED}]][[\p{{L}}\p{{M}}]--[{_UNSPACED}]]*  # a word
    | \d+ | [^\w\s$.,;:?'"]""",
    regex.V1 | regex.X,
)
_ASCII_SIGN = re.compile(r"""[a-z]+|\d+|[^\w\s$.,;:?'"]""")  # the same for text that needs no more, three times as fast
_LETTER = regex.compile(rf"[[{_UNSPACED}]--\p{{Han}}]", regex.V1)
_DASH = regex.compile(r"[\p{Pd}−]")
_INVISIBLE = regex.compile(r"\p{Cf}")
_MARK = regex.compile(r"[\p{P}--\p{ASCII}]", regex.V1)
_NUMBER = re.compile(r"\d+")
_START = 3  # signs by which a short evaluation problem is looked up; one with fewer is compared as a whole alone


def folded(text: str) -> str:
    """Lower case and compatibility form (NFKC); every dash and minus `-`, other marks than ASCII's spaces."""
    dashed = _DASH.sub("-", unicodedata.normalize("NFKC", text))
    return _MARK.sub(" ", _INVISIBLE.sub("", dashed)).lower()


def signs(text: str) -> list[str]:
    """Words, numbers and signs of a text, folded, without white space and punctuation marks."""
    return _ASCII_SIGN.findall(text.lower()) if text.isascii() else _SIGN.findall(folded(text))


def normal(text: str) -> str:
    """What makes two prompts the same text: their words, numbers and signs."""
    return " ".join(signs(text))


def words(text: list[str]) -> list[str]:
    """The words and numbers among the signs of a text; characters of scripts without spaces are words one by one."""
    return [sign for sign in text if sign[0].isalnum()]


def _masked(text: list[str]) -> str:
    """The normal text of its signs with every number replaced by one mark."""
    return _NUMBER.sub("0", " ".join(text))


def windows(text: list[str], n: int) -> Iterator[tuple[int, int]]:
    """Start and end of each shortest run of `n` words, in order; letters of unspaced scripts are half words."""
    halves = [2 if word.isascii() or not _LETTER.match(word) else 1 for word in text]
    end = size = 0
    for start, half in enumerate(halves):
        while size < 2 * n:
            if end == len(text):
                return
            size += halves[end]
            end += 1
        yield start, end
        size -= half


@dataclass(frozen=True)
class Hit:
    """One overlap: the rule, the words or the masked text shared, and where in the evaluation set it stands."""

    rule: str
    shared: str
    evaluation_id: str


class Index:
    """N-grams, masked whole texts and short texts of the evaluation problems, for look-ups of training prompts.

    Memory is that of the evaluation sets; training prompts pass through one by one.
    """

    def __init__(self, evaluation: Mapping[str, str], n: int) -> None:
        self.n = n
        self.grams: dict[tuple[int, ...], str] = {}
        self.whole: dict[str, str] = {}
        self.short: dict[tuple[str, ...], dict[str, str]] = {}  # first signs -> normal text -> key
        self._ids: dict[str, int] = {}
        for key, text in evaluation.items():
            whole = signs(text)
            self.whole.setdefault(_masked(whole), key)
            ids = [self._ids.setdefault(word, len(self._ids)) for word in words(whole)]
            runs = list(windows(words(whole), n))
            for start, end in runs:
                self.grams.setdefault(tuple(ids[start:end]), key)
            if not runs and len(whole) >= _START:
                self.short.setdefault(tuple(whole[:_START]), {}).setdefault(" ".join(whole), key)

    def hit(self, prompt: str) -> Hit | None:
        """The first overlap of a training prompt, or None."""
        whole = signs(prompt)
        if (masked := _masked(whole)) in self.whole:
            return Hit("masked", masked, self.whole[masked])
        return self._ngram(words(whole)) or self._contained(whole)

    def _ngram(self, text: list[str]) -> Hit | None:
        ids = [self._ids.get(word, -1) for word in text]
        unknown = [-1, *(place for place, number in enumerate(ids) if number < 0), len(ids)]
        for before, after in pairwise(unknown):  # no run goes over a word that no evaluation problem has
            part = text[before + 1 : after]
            for start, end in windows(part, self.n):
                key = self.grams.get(tuple(ids[before + 1 + start : before + 1 + end]))
                if key is not None:
                    return Hit("ngram", " ".join(part[start:end]), key)
        return None

    def _contained(self, whole: list[str]) -> Hit | None:
        starts = set(zip(*(whole[first:] for first in range(_START)), strict=False))
        for start in sorted(starts & self.short.keys()):
            for short, key in self.short[start].items():
                if f" {short} " in f" {' '.join(whole)} ":
                    return Hit("contained", short, key)
        return None
