"""Decontamination: which training prompts overlap with evaluation problems, by word n-grams and by whole text.

Text is folded first (Unicode NFKC, lower case), so that case, punctuation, LaTeX's dollar signs and white space make
no difference. Three rules, any one is a hit:

`masked`: the whole texts, operators and other signs included, are equal once every number is masked, so a copy with
other numbers is found too.
`ngram`: training prompt and evaluation problem share `n` consecutive words or numbers.
`contained`: an evaluation problem shorter than `n` words, which has no n-gram, stands whole in the training prompt,
operators and other signs included.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

_WORD = re.compile(r"[^\W\d_]+|\d+")
_SIGN = re.compile(r"""[^\W\d_]+|\d+|[^\w\s$.,;:?'"]""")
_NUMBER = re.compile(r"\d+")
_START = 3  # signs by which a short evaluation problem is looked up; one with fewer is compared as a whole alone
_PLAIN = re.compile(r"[\x00-\x7f]*")


def folded(text: str) -> str:
    """Lower case and compatibility form (NFKC)."""
    return (text if _PLAIN.fullmatch(text) else unicodedata.normalize("NFKC", text)).lower()


def normal(text: str) -> str:
    """What makes two prompts the same text: words, numbers and signs, without white space and punctuation marks."""
    return " ".join(_SIGN.findall(folded(text)))


def words(text: str) -> list[str]:
    """The words and numbers of a text, folded."""
    return _WORD.findall(folded(text))


def masked(text: str) -> str:
    """The normal text with every number replaced by one mark."""
    return _NUMBER.sub("0", normal(text))


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
        if n < 1:
            raise ValueError("n must be at least 1")
        self.n = n
        self.grams: dict[tuple[int, ...], str] = {}
        self.whole: dict[str, str] = {}
        self.short: dict[tuple[str, ...], dict[str, str]] = {}  # first signs -> normal text -> key
        self._ids: dict[str, int] = {}
        for key, text in evaluation.items():
            found = words(text)
            self.whole.setdefault(masked(text), key)
            ids = [self._ids.setdefault(word, len(self._ids)) for word in found]
            for start in range(len(ids) - n + 1):
                self.grams.setdefault(tuple(ids[start : start + n]), key)
            signs = normal(text).split()
            if len(found) < n and len(signs) >= _START:
                self.short.setdefault(tuple(signs[:_START]), {}).setdefault(" ".join(signs), key)

    def hit(self, prompt: str) -> Hit | None:
        """The first overlap of a training prompt, or None."""
        text = normal(prompt)
        whole = _NUMBER.sub("0", text)
        if whole in self.whole:
            return Hit("masked", whole, self.whole[whole])
        return self._ngram(words(prompt)) or self._contained(text)

    def _ngram(self, found: list[str]) -> Hit | None:
        ids = [self._ids.get(word, -1) for word in found]
        start = 0
        while start <= len(ids) - self.n:
            window = tuple(ids[start : start + self.n])
            if -1 in window:  # a word that no evaluation problem has: no window over it can match
                start += self.n - window[::-1].index(-1)
            elif window in self.grams:
                return Hit("ngram", " ".join(found[start : start + self.n]), self.grams[window])
            else:
                start += 1
        return None

    def _contained(self, text: str) -> Hit | None:
        signs = text.split()
        starts = set(zip(*(signs[first:] for first in range(_START)), strict=False))
        for start in sorted(starts & self.short.keys()):
            for short, key in self.short[start].items():
                if f" {short} " in f" {text} ":
                    return Hit("contained", short, key)
        return None


def hits(prompts: Iterable[tuple[str, str]], index: Index) -> Iterator[tuple[str, Hit]]:
    """(key, overlap) of every training prompt that has one, in order."""
    for key, prompt in prompts:
        if (found := index.hit(prompt)) is not None:
            yield key, found
