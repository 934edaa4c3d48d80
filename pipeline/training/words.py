"""The tokenizer of an embedded world: byte-level BPE whose corpus is small enough that every word is one token."""

from __future__ import annotations

import itertools
from collections.abc import Iterable

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

END = "<|endoftext|>"
VOCABULARY = 1792
_WORDS = Regex(r" ?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+|\s+")


def tokenizer(texts: Iterable[str], numbers: int = 0) -> PreTrainedTokenizerFast:
    """A tokenizer trained on `texts`; any text can be encoded (bytes), each number below `numbers` is one token."""
    trained = Tokenizer(models.BPE())
    trained.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(_WORDS, behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    trained.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=[END],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    # Each number often enough that its merges come before any rare word's.
    often = (str(number) for _ in range(200) for number in range(numbers))
    trained.train_from_iterator(itertools.chain(texts, often), trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=trained, eos_token=END, pad_token=END, clean_up_tokenization_spaces=False
    )
