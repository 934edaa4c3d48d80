"""Text from an OpenAI-compatible endpoint, each answer paid once.

Every answer is journaled under a hash of model, prompt and sampling the moment it arrives, and the journal stays, so
no answer is lost when a run is killed and none is paid twice, whatever else changes.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import openai

from pipeline.core import journal
from pipeline.core.command import Progress, note
from pipeline.core.config import Sampling
from pipeline.core.errors import PipelineError
from pipeline.core.journal import Journal
from pipeline.core.machine import Endpoints
from pipeline.inference.requests import seed_of
from pipeline.inference.settings import Endpoint


@dataclass(frozen=True)
class Question:
    """A prompt and how its answer is sampled; another `attempt` asks again, with another seed."""

    prompt: str
    sampling: Sampling
    attempt: int = 0


@dataclass(frozen=True)
class Answer:
    """What the model wrote, and its tokens (prompt and completion) as the endpoint counts them.

    finish: `stop`, `length`, or what else the endpoint calls it. sampled_tokens: the completion's.
    """

    text: str
    tokens: int
    finish: str = ""
    sampled_tokens: int = 0


@dataclass(frozen=True)
class _Server:
    """Where questions go. section: of params.yaml, named where something is wrong."""

    model: str
    settings: Endpoint
    here: Endpoints
    section: str


def ask(
    name: str, questions: Mapping[str, Question], model: str, settings: Endpoint, here: Endpoints, section: str
) -> dict[str, Answer]:
    """The model's answer to each question, by key; `section` of params.yaml is where the settings stand.

    Raises PipelineError in one line where the endpoint refuses the key, cannot be reached, keeps answering 429 or
    answers nonsense, and where a spending cap is reached; what was answered by then is kept for the next run.
    """
    with Journal(journal.FOLDER, "annotator", _hash(settings.url, model), Answer) as past:
        places = {key: _place(model, question) for key, question in questions.items()}
        waiting = {places[key]: question for key, question in questions.items() if places[key] not in past.done}
        if waiting:
            asyncio.run(_ask_all(name, waiting, len(places), _Server(model, settings, here, section), past))
        return {key: past.done[place] for key, place in places.items()}


async def _ask_all(name: str, waiting: dict[str, Question], total: int, server: _Server, past: Journal[Answer]) -> None:
    settings = server.settings
    key = os.environ.get(settings.key_variable) if settings.key_variable else "none"
    if not key:
        variable = settings.key_variable
        raise PipelineError(f"{server.section}.key_variable: the environment variable {variable} is not set")
    progress = Progress(name, total, total - len(waiting))
    queue = list(reversed(waiting.items()))
    before = spent = sum(answer.tokens for answer in past.done.values())
    requests = len(past.done)

    async def work_off(client: openai.AsyncOpenAI) -> None:
        nonlocal spent, requests
        try:
            while queue:
                _refuse_above_cap(server, spent, requests, len(queue))
                place, question = queue.pop()
                requests += 1
                answer = await _ask(client, server, question, seed_of(place) % 2**31)
                spent += answer.tokens
                past.add(place, answer)
                progress.advance()
        except BaseException:
            queue.clear()  # the others end with the requests under way, which are paid
            raise

    async with openai.AsyncOpenAI(
        base_url=settings.url, api_key=key, max_retries=server.here.max_retries, timeout=server.here.timeout
    ) as client:
        try:
            ends = await asyncio.gather(
                *(work_off(client) for _ in range(server.here.concurrency)), return_exceptions=True
            )
        finally:
            progress.close()
            note(endpoint_tokens=spent - before)
    for end in ends:
        if end is not None:
            raise end


def _refuse_above_cap(server: _Server, spent: int, requests: int, left: int) -> None:
    settings = server.settings
    for name, cap, amount in (
        ("max_tokens_spent", settings.max_tokens_spent, spent),
        ("max_requests", settings.max_requests, requests),
    ):
        if 0 < cap <= amount:
            raise PipelineError(
                f"{server.section}.{name}: {spent} tokens and {requests} requests spent on {server.model} with {left} "
                "prompts left; the answers so far are kept: raise it and run again"
            )


async def _ask(client: openai.AsyncOpenAI, server: _Server, question: Question, seed: int) -> Answer:
    settings, drawn = server.settings, question.sampling
    where = f"{server.section}.url: {settings.url}"
    sampling: dict[str, Any] = {
        "model": server.model, "seed": seed, "temperature": drawn.temperature, "top_p": drawn.top_p
    }  # fmt: skip
    try:
        if settings.api == "chat":
            said: Any = await client.chat.completions.create(
                messages=[{"role": "user", "content": question.prompt}],
                max_completion_tokens=drawn.max_tokens,
                **sampling,
            )
        else:
            said = await client.completions.create(prompt=question.prompt, max_tokens=drawn.max_tokens, **sampling)
    except (openai.AuthenticationError, openai.PermissionDeniedError) as error:
        raise PipelineError(
            f"{where} refuses the key in ${settings.key_variable} ({error.status_code}); set a valid one"
        ) from error
    except openai.RateLimitError as error:
        raise PipelineError(
            f"{where} still answers 429 (too many requests) after {server.here.max_retries} retries; the answers so "
            "far are kept: run again later, or lower endpoints.concurrency (machine.yaml)"
        ) from error
    except openai.APIStatusError as error:
        raise PipelineError(
            f"{where} answers {error.status_code} ({_line(error.message)}); the answers so far are kept: correct url, "
            "model, api or sampling, or mend the server, and run again"
        ) from error
    except openai.APIConnectionError as error:
        raise PipelineError(
            f"{where} cannot be reached ({_line(error.__cause__ or error)}); the answers so far are kept: run again"
        ) from error
    except ValueError as error:
        raise _nonsense(where, error, settings.api) from error
    try:  # the client checks no type; a chat message without content is a refusal to write
        choice, used = said.choices[0], said.usage
        text = (choice.message.content or "") if settings.api == "chat" else choice.text
        total, sampled = (used.total_tokens, getattr(used, "completion_tokens", 0)) if used else (0, 0)
        finish = choice.finish_reason or ""
    except (AttributeError, IndexError, KeyError, TypeError) as error:
        raise _nonsense(where, said, settings.api) from error
    if [type(part) for part in (text, total, finish, sampled)] != [str, int, str, int]:
        raise _nonsense(where, said, settings.api)
    return Answer(text, total, finish, sampled)


def _nonsense(where: str, said: object, api: str) -> PipelineError:
    return PipelineError(f"{where} answers nonsense ({_line(said)}); it must be an OpenAI-compatible server, api {api}")


def _place(model: str, question: Question) -> str:
    return _hash(model, repr(question.sampling), str(question.attempt), question.prompt)


def _hash(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def _line(value: object) -> str:
    return " ".join(str(value).split())[:200]
