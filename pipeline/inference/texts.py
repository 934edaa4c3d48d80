"""A prompt as text in the terms of OpenAI's `/chat/completions` and `/completions`, and what a reply says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pipeline.core.config import Sampling
from pipeline.core.redact import keyless
from pipeline.inference.client import NONSENSE, Client, NoAnswer, characters, line
from pipeline.inference.settings import Endpoint


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


async def ask(client: Client, settings: Endpoint, model: str, prompt: str, drawn: Sampling, seed: int) -> Answer:
    """The model's answer; what `omit` names is not sent, the cap goes by the name that is left. Raises NoAnswer."""
    chat = settings.api == "chat"
    caps = [cap for cap in ("max_completion_tokens", "max_tokens")[not chat :] if cap not in settings.omit]
    values = {"seed": seed, "temperature": drawn.temperature, "top_p": drawn.top_p}
    values |= dict.fromkeys(caps[:1], drawn.max_tokens)
    sent: dict[str, Any] = {"messages": [{"role": "user", "content": prompt}]} if chat else {"prompt": prompt}
    sent |= {"model": model} | {name: value for name, value in values.items() if name not in settings.omit}
    return read(await client.post("chat/completions" if chat else "completions", sent), settings.api)


def read(reply: Any, api: str) -> Answer:
    """The answer in a reply; NoAnswer where it is no completion.

    A chat message without content is what the model says in its reasoning, if it ended that itself: so do servers that
    take a model without thinking for one that thinks. Cut by its length, the reasoning is no answer.
    """
    try:
        choice, used = reply["choices"][0], reply.get("usage")
        finish = choice.get("finish_reason") or ""
        text, refused = _message(choice["message"], finish) if api == "chat" else (choice["text"], "")
        total, sampled = (used["total_tokens"], used.get("completion_tokens", 0)) if used else (0, 0)
    except (AttributeError, IndexError, KeyError, TypeError) as error:
        raise NoAnswer(NONSENSE, reply) from error
    if [type(part) for part in (text, total, finish, sampled)] != [str, int, str, int]:
        raise NoAnswer(NONSENSE, reply)
    if not text and finish == "content_filter":
        refused = refused or finish
    return Answer(characters(keyless(text)), total, characters(finish), sampled, line(refused))


def _message(message: dict[str, Any], finish: str) -> tuple[Any, str]:
    """Text of a chat message, and the words with which the model refused to write one."""
    content = message.get("content")
    if isinstance(content, list):  # parts; those of thinking have another type
        content = "".join(part["text"] for part in content if part["type"] == "text")
    reasoning = message.get("reasoning_content") or message.get("reasoning")
    if not content and finish not in ("length", "content_filter") and isinstance(reasoning, str):
        content = reasoning
    refusal = message.get("refusal")
    return content or "", refusal if isinstance(refusal, str) and not content else ""
