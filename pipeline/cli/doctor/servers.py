"""The servers that the project's files name: whether they answer and have our models. Nothing is generated or paid."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import aclosing
from typing import Any

from pipeline.cli.doctor.finding import Finding, judged
from pipeline.core.errors import PipelineError
from pipeline.inference.client import Client, NoAnswer, key_in, line
from pipeline.inference.servers import Server
from pipeline.inference.settings import Endpoint

_SECONDS = 5.0  # of one request


def endpoint(name: str, settings: Endpoint, models: list[str]) -> Finding:
    """Whether an OpenAI-compatible server takes our key and lists the models; nothing is generated."""
    try:
        key = key_in(settings.key_variable, f"{name}.key_variable")
        listed = {model["id"] for model in asyncio.run(_models(Client(settings.url, key, _SECONDS)))}
    except PipelineError as error:
        return judged(name, settings.url, fault=str(error))
    except NoAnswer as error:
        if error.status == 404:
            return judged(name, f"{settings.url} answers, but lists no models")
        return judged(name, f"{settings.url} {error}", fault=f"start it, or correct {name}.url and its key")
    absent = ", ".join(model for model in models if model not in listed)
    advice = f"has no {absent}, but {', '.join(sorted(listed)[:5])}; correct {name}'s model" if absent else ""
    return judged(name, f"{settings.url} answers", fault=advice)


def vllm(urls: Sequence[str]) -> Iterator[Finding]:
    """Whether the vLLM servers of machine.yaml are well, and what they serve; stages leave out one that is not."""
    down = []
    for url in urls:
        try:
            server = Server(url, _SECONDS)
            models = asyncio.run(_models(server, f"{server.url}/health"))
        except NoAnswer as error:
            down.append(f"{url} {error}")
        except PipelineError as error:
            down.append(str(error))
        else:
            each = (f"{model['id']} ({model.get('max_model_len', 'unknown')} tokens)" for model in models)
            yield judged("inference", line(f"{url} serves {', '.join(each)}"))
    level = "fault" if len(down) == len(urls) else "warning"
    for text in down:
        yield judged("inference", text, **{level: "start it, or take it out of inference.endpoints (machine.yaml)"})


async def _models(client: Client, *first: str) -> list[dict[str, Any]]:
    """What a server lists, once it has answered the addresses `first`. Raises as the client does."""
    async with aclosing(client):
        for url in first:
            await client.get(url)
        return await client.models()
