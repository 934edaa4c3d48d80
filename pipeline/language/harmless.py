"""Model text made safe to show in a prompt: nothing in it is a control token, a control character or a mark.

What comes out is a fixed point: taking one thing out never leaves another behind (`<|im_<NUL>end|>`, `[[[A]]]`, a
special token inside another one). A special token leaves a space, so that texts nested however deep take no longer.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Any

Mark = tuple[re.Pattern[str], str]  # what must not stand in a text, and a template of `re.sub` for what is shown

# What other models' tokenizers read as control tokens: a judge behind an endpoint has one that is not known here. Chat
# forms with bars (Llama 3, Qwen, Phi, DeepSeek), of Llama 2 and Mistral, of Gemma, Cohere and GLM.
_FOREIGN = (
    r"<[|｜][^<>|｜\s]*[|｜]>|<\|\w+>|<\w+\|>|</?s>|<</?SYS>>"
    r"|\[/?(?:INST|SYSTEM_PROMPT|AVAILABLE_TOOLS|TOOL_[A-Z]+|gMASK)\]"
    r"|<(?:bos|eos|pad|unk|eot|eod|sop|eop|(?:start|end)_of_\w+|(?:BOS|EOS|PAD|UNK)(?:_TOKEN)?)>"
)
_BREAKS = re.compile(r"\r\n?")
# Letters, marks and reserved places that nobody sees, beside the control and format characters.
_UNSEEN = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2065\u2800\u3164\ufe00-\ufe0f\uffa0\ufff0-\ufff8\U0001d159"
    "\U000e0000-\U000e0fff]"
)
# Not newlines, but they part words: tab, vertical tab, form feed, the separators of ASCII, NEL, U+2028 and U+2029.
_SEPARATORS = dict.fromkeys(map(ord, "\t\v\f\x1c\x1d\x1e\x1f\x85\u2028\u2029"), " ")


def special_tokens(tokenizer: Any) -> tuple[str, ...]:
    """Every text that a Hugging Face tokenizer reads as a control token, the longest first.

    Added tokens that are marked as special count too; `all_special_tokens` has only those with a role (bos, eos, ...).
    """
    added = {str(token) for token in tokenizer.added_tokens_decoder.values() if token.special}
    return tuple(sorted(added | set(tokenizer.all_special_tokens), key=lambda text: (-len(text), text)))


def harmless(text: str, special: Iterable[str], marks: Sequence[Mark] = ()) -> str:
    """Text without special tokens and unseen characters; what separates words becomes a space, `\\r\\n` a newline.

    special: texts of the tokenizer's special tokens, see `special_tokens`. marks: what must not stand in it either;
    what is shown for one must be shorter or have fewer `[`, so that this ends.
    """
    text = _UNSEEN.sub("", _BREAKS.sub("\n", text).translate(_SEPARATORS))
    text = "".join(map(_printed, text))
    tokens = [re.escape(token) for token in sorted(special, key=len, reverse=True) if token.strip()]
    token, before = re.compile("|".join([*tokens, _FOREIGN])), None
    while text != before:
        before, text = text, token.sub(" ", text)
        for mark, plain in marks:
            text = mark.sub(plain, text)
    return text


def _printed(character: str) -> str:
    """A character as it is shown: control and format characters are not, half a surrogate pair is no character."""
    match unicodedata.category(character):
        case "Cc" | "Cf":
            return character if character == "\n" else ""
        case "Cs":
            return "\N{REPLACEMENT CHARACTER}"
    return character
