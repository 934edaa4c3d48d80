"""The answer of a model that thinks first: what follows the thinking.

Thinking is no part of an explanation: it is neither parsed nor kept as training data. Forms that are read: tags
(`<think>`, `<thinking>`, `<thought>`, `<reasoning>`, `[THINK]`, `<|begin_of_thought|>` and the like), whose opening may
stand in the prompt, and the channels of the harmony format (gpt-oss), with or without their special tokens.
"""

from __future__ import annotations

import re

_TAG = r"(?:\w+:)?(?:think|thinking|thoughts?|reasoning)"
_OPENING = rf"(?:<{_TAG}\s*>|<\|?(?:begin_of_)?(?:think|thinking|thought)\|?>|\[THINK\]|◁think▷|<\|channel>thought)"
_CLOSING = rf"(?:</{_TAG}\s*>|<\|?(?:/|end_of_|end_)(?:think|thinking|thought)\|?>|\[/THINK\]|◁/think▷|<channel\|>)"
_CLOSED = re.compile(rf".*{_CLOSING}", re.DOTALL | re.IGNORECASE)
_UNCLOSED = re.compile(rf"^\s*{_OPENING}.*", re.DOTALL | re.IGNORECASE | re.MULTILINE)
_WRAPPED = re.compile(r"\s*<answer>(.*)</answer>\s*", re.DOTALL | re.IGNORECASE)
_END = r"<\|(?:end|return|call|start|channel)\|>|\Z"
_CHANNEL = re.compile(rf"<\|channel\|>\s*(\w+).*?<\|message\|>(.*?)(?={_END})", re.DOTALL)
_BARE_CHANNELS = re.compile(r"analysis(?=[A-Z]).*?(?:assistantfinal(.*)|\Z)", re.DOTALL)  # special tokens left out


def answer(text: str) -> str:
    """What follows the thinking; all of a text without any; "" where the text ends before the thinking does."""
    if "<|channel|>" in text:
        return "".join(content for channel, content in _CHANNEL.findall(text) if channel == "final").strip()
    if bare := _BARE_CHANNELS.fullmatch(text.strip()):
        return (bare[1] or "").strip()
    rest = _UNCLOSED.sub("", _CLOSED.sub("", text))
    if rest == text:
        return text
    wrapped = _WRAPPED.fullmatch(rest)
    return (wrapped[1] if wrapped else rest).strip()
