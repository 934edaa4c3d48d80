"""What a reply of an OpenAI-compatible server says: the model's text, or why there is none."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import openai

from pipeline.core.redact import keyless, redacted

_SHOWN = 300  # characters of a server's own words


@dataclass(frozen=True)
class Answer:
    """What the model wrote, and its tokens (prompt and completion) as the endpoint counts them.

    finish: `stop`, `length`, or what else the endpoint calls it. sampled_tokens: the completion's. refused: why server
    or model gave no answer to this prompt, in their own words; "" where they gave one.
    """

    text: str
    tokens: int
    finish: str = ""
    sampled_tokens: int = 0
    refused: str = ""


def read(said: Any, api: str) -> Answer:
    """The answer in a reply; ValueError where it is no completion (the client checks no type).

    A chat message without content is what the model says in its reasoning, if it ended that itself: so do servers that
    take a model without thinking for one that thinks. Cut by its length, the reasoning is no answer.
    """
    try:
        choice, used = said.choices[0], said.usage
        finish = choice.finish_reason or ""
        text, refused = _message(choice.message, finish) if api == "chat" else (choice.text, "")
        total, sampled = (used.total_tokens, getattr(used, "completion_tokens", 0)) if used else (0, 0)
    except (AttributeError, IndexError, KeyError, TypeError) as error:
        raise ValueError(said) from error
    if [type(part) for part in (text, total, finish, sampled)] != [str, int, str, int]:
        raise ValueError(said)
    if not text and finish == "content_filter":
        refused = refused or finish
    return Answer(_characters(keyless(text)), total, _characters(finish), sampled, line(refused))


def _characters(text: str) -> str:
    """The text with U+FFFD for half of a surrogate pair, which JSON can escape and no file of ours can hold."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _message(message: Any, finish: str) -> tuple[Any, str]:
    """Text of a chat message, and the words with which the model refused to write one."""
    content = message.content
    if isinstance(content, list):  # parts; those of thinking have another type
        content = "".join(part["text"] for part in content if part["type"] == "text")
    reasoning = getattr(message, "reasoning_content", None) or getattr(message, "reasoning", None)
    if not content and finish not in ("length", "content_filter") and isinstance(reasoning, str):
        content = reasoning
    refusal = getattr(message, "refusal", None)
    return content or "", refusal if isinstance(refusal, str) and not content else ""


def reason(error: openai.APIStatusError) -> str:
    """The server's own words for a refusal, on one line."""
    body = error.body
    said = body.get("message") or body.get("detail") or body if isinstance(body, dict) else body
    return line(said or error.message)


def line(value: object) -> str:
    """Text of a server on one short line, without secrets."""
    text = redacted(" ".join(_characters(str(value)[: 20 * _SHOWN]).split()))
    return text[:_SHOWN]
