"""Decontamination: which training prompts overlap with evaluation problems, by word n-grams and by whole text.

Text is folded first (Unicode NFKC, lower case), so that case, punctuation, LaTeX's dollar signs and white space make
no difference. Two rules, either one is a hit:

`ngram`: training prompt and evaluation problem share `n` consecutive words or numbers. Texts shorter than `n` words
have no n-gram; they are compared as wholes.
`masked`: the whole texts, operators and other signs included, are equal once every number is masked, so a copy with
other numbers is found too.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

_WORD = re.compile(r"[^\W\d_]+|\d+")
_SIGN = re.compile(r"""[^\W\d_]+|\d+|[^\w\s$.,;:?'"]""")
_NUMBER = re.compile(r"\d+")
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
    """All n-grams and masked whole texts of the evaluation problems, for look-ups of training prompts.

    Memory is that of the evaluation sets; training prompts pass through one by one.
    """

    def __init__(self, evaluation: Mapping[str, str], n: int) -> None:
        if n < 1:
            raise ValueError("n must be at least 1")
        self.n = n
        self.grams: dict[tuple[int, ...], str] = {}
        self.whole: dict[str, str] = {}
        self._ids: dict[str, int] = {}
        for key, text in evaluation.items():
            found = words(text)
            self.whole.setdefault(masked(text), key)
            ids = [self._ids.setdefault(word, len(self._ids)) for word in found]
            for start in range(len(ids) - n + 1):
                self.grams.setdefault(tuple(ids[start : start + n]), key)

    def hit(self, prompt: str) -> Hit | None:
        """The first overlap of a training prompt, or None."""
        found, text = words(prompt), masked(prompt)
        if text in self.whole:
            return Hit("masked", text, self.whole[text])
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


def hits(prompts: Iterable[tuple[str, str]], index: Index) -> Iterator[tuple[str, Hit]]:
    """(key, overlap) of every training prompt that has one, in order."""
    for key, prompt in prompts:
        if (found := index.hit(prompt)) is not None:
            yield key, found
