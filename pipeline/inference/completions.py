"""A request in the terms of vLLM's `/v1/completions`, and what it answers."""

from __future__ import annotations

from typing import Any

from pipeline.inference.requests import Completion, Request
from pipeline.inference.servers import Server, Unreachable

# What vLLM would else take from the model's own generation settings.
_PLAIN = {"top_k": -1, "min_p": 0.0, "repetition_penalty": 1.0, "presence_penalty": 0.0, "frequency_penalty": 0.0}


async def ask(server: Server, request: Request, count: int) -> list[Completion]:
    """The completions of `request` with its seed s and with s+1, ..., `count` in all; above one for sampling alone.

    Raises Unreachable where another server should be asked, PipelineError where the request is refused.
    """
    drawn = request.temperature > 0
    sent: dict[str, Any] = _PLAIN | {
        "model": server.name,
        "prompt": list(request.prompt_ids),
        "n": count,
        "max_tokens": request.max_tokens,
        "temperature": request.temperature,
        "top_p": request.top_p if drawn else 1.0,
        "seed": request.seed if drawn else None,
        "stop": list(request.stop) or None,
        "stop_token_ids": list(request.ends) or None,
        "return_token_ids": True,
    }
    if request.labels:
        sent |= {"logprobs": len(request.labels), "logprob_token_ids": list(request.labels)}
        sent["return_tokens_as_token_ids"] = True
    if request.form:
        sent["structured_outputs"] = {"regex": request.form}
    said = await server.said("POST", "/v1/completions", json=sent)
    try:
        choices = sorted(said["choices"], key=lambda choice: choice["index"])
        found = [_completion(choice, request) for choice in choices]
    except (KeyError, TypeError, IndexError) as error:
        raise Unreachable(f"answers no completion ({error!r})") from error
    if len(found) != count or {one.finish for one in found} - {"stop", "length"}:
        raise Unreachable("broke off")  # `abort`: its engine is about to end
    return found


def _completion(choice: dict[str, Any], request: Request) -> Completion:
    finish, first = choice["finish_reason"], choice["logprobs"]["top_logprobs"][0] if request.labels else {}
    return Completion(
        text=choice["text"],
        finish=finish,
        tokens=len(choice["token_ids"]),
        ended=finish == "stop" and not isinstance(choice["stop_reason"], str),
        label_logprobs=tuple(first[f"token_id:{token}"] for token in request.labels),
    )
