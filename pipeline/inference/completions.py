"""A request of token ids in the terms of vLLM's `/completions`, and what a reply says."""

from __future__ import annotations

from typing import Any

from pipeline.inference.client import NONSENSE, Client, NoAnswer
from pipeline.inference.requests import Completion, Request

# What vLLM would else take from the model's own generation settings.
_PLAIN = {"top_k": -1, "min_p": 0.0, "repetition_penalty": 1.0, "presence_penalty": 0.0, "frequency_penalty": 0.0}


async def ask(client: Client, model: str, request: Request, count: int) -> list[Completion]:
    """The completions of `request` with its seed s and with s+1, ..., `count` in all; above one for sampling alone.

    model: by the server's name. Raises NoAnswer.
    """
    sent = _PLAIN | request.parameters() | {"model": model, "prompt": list(request.prompt_ids), "n": count}
    sent |= {"return_token_ids": True, "return_tokens_as_token_ids": bool(request.labels)}
    if request.form:
        sent["structured_outputs"] = {"regex": request.form}
    reply = await client.post("completions", sent)
    try:
        choices = sorted(reply["choices"], key=lambda choice: choice["index"])
        completions = [_completion(choice, request) for choice in choices]
    except (KeyError, TypeError, IndexError) as error:
        raise NoAnswer(NONSENSE, repr(error)) from error
    if len(completions) != count or {one.finish for one in completions} - {"stop", "length"}:
        raise NoAnswer(NONSENSE, "completions that broke off")  # `abort`: its engine is about to end
    return completions


def _completion(choice: dict[str, Any], request: Request) -> Completion:
    finish, first = choice["finish_reason"], choice["logprobs"]["top_logprobs"][0] if request.labels else {}
    return Completion(
        text=choice["text"],
        finish=finish,
        tokens=len(choice["token_ids"]),
        ended=finish == "stop" and not isinstance(choice["stop_reason"], str),
        label_logprobs=tuple(first[f"token_id:{token}"] for token in request.labels),
        logprob=sum(choice["logprobs"]["token_logprobs"]) if request.likelihood else None,
    )
