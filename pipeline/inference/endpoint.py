"""Text from an OpenAI-compatible endpoint, each answer paid once.

Every answer is journaled under a hash of model, prompt and sampling the moment it arrives, and the journal stays, so
no answer is lost when a run is killed and none is paid twice, whatever else changes.

A refusal may be about one prompt (a content policy) or about all requests (a parameter that the server does not know):
its status does not tell, but the other prompts do. While the server goes on answering others, a refused prompt is left
out; where it answers nothing, or no more what it has answered, the run stops.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import openai

from pipeline.core import journal, redact
from pipeline.core.command import Progress, note
from pipeline.core.config import Sampling
from pipeline.core.errors import PipelineError
from pipeline.core.journal import Journal
from pipeline.core.machine import Endpoints
from pipeline.inference import replies, thinking
from pipeline.inference.replies import Answer
from pipeline.inference.requests import seed_of
from pipeline.inference.settings import Endpoint

IN_A_ROW = 32  # refusals with no answer between them, after which it is asked whether the server still answers
_OF_ALL = (401, 402, 404, 405, 407, 410)  # key, bill, model, address: the same for every prompt


@dataclass(frozen=True)
class Question:
    """A prompt and how its answer is sampled; another `attempt` asks again, with another seed."""

    prompt: str
    sampling: Sampling
    attempt: int = 0


class _Refusal(Exception):
    """The server gave no answer to one prompt. reason: its own words; whole: what it means if all are refused."""

    def __init__(self, reason: str, whole: PipelineError) -> None:
        super().__init__(reason)
        self.reason, self.whole = reason, whole


def ask(
    name: str, questions: Mapping[str, Question], model: str, settings: Endpoint, here: Endpoints, section: str
) -> dict[str, Answer]:
    """The model's answer to each question, by key, without its thinking; `section` of params.yaml has the settings.

    A prompt that the server refuses while it answers others has an answer without text that says why (`refused`);
    it is asked again by the next run. Raises PipelineError in one line where the endpoint refuses the key or every
    prompt, cannot be reached, keeps answering 429 or answers nonsense, and where a spending cap is reached; what was
    answered by then is kept for the next run.
    """
    with Journal(journal.FOLDER, "annotator", _hash(settings.url, model), Answer) as past:
        asking = _Asking(name, questions, model, settings, here, section, past)
        if asking.queue:
            asyncio.run(asking.all())
        found = {key: past.done.get(place) or asking.refused[place] for key, place in asking.places.items()}
    return {key: replace(answer, text=thinking.answer(answer.text)) for key, answer in found.items()}


class _Asking:
    """One call of `ask`: what is still to be asked, what was refused, and what all of it cost."""

    def __init__(
        self,
        name: str,
        questions: Mapping[str, Question],
        model: str,
        settings: Endpoint,
        here: Endpoints,
        section: str,
        past: Journal[Answer],
    ) -> None:
        self.name, self.model, self.settings, self.here = name, model, settings, here
        self.section, self.past = section, past
        self.places = {key: _place(model, question, settings.omit) for key, question in questions.items()}
        self.questions = {place: questions[key] for key, place in self.places.items()}
        self.keys = {place: key for key, place in reversed(self.places.items())}
        self.queue = [place for place in reversed(self.questions) if place not in past.done]
        self.refused: dict[str, Answer] = {}  # in the order in which the refusals came
        self.proved = 0  # so many of them came before a request that was answered
        self.spent, self.requests = sum(answer.tokens for answer in past.done.values()), len(past.done)

    async def all(self) -> None:
        """Work off the queue; everything asked is answered in the journal or refused when this returns."""
        before = self.spent
        key = self._key()
        self.progress = Progress(self.name, len(self.questions), len(self.questions) - len(self.queue))
        async with openai.AsyncOpenAI(
            base_url=self.settings.url, api_key=key, max_retries=self.here.max_retries, timeout=self.here.timeout
        ) as self.client:
            try:
                workers = (self._work_off() for _ in range(self.here.concurrency))
                for end in await asyncio.gather(*workers, return_exceptions=True):
                    if end is not None:
                        raise end
                if len(self.refused) > self.proved:
                    await self._prove()
            finally:
                self.progress.close()
                note(endpoint_tokens=self.spent - before)
        for place, refusal in self.refused.items():
            print(f"{self.name}: {self.keys[place]} is left out: {refusal.refused}", file=sys.stderr, flush=True)

    def _key(self) -> str:
        variable = self.settings.key_variable
        key = os.environ.get(variable, "").strip() if variable else "none"
        if variable and key:
            redact.remember(key)
        where = f"{self.section}.key_variable: the environment variable {variable}"
        if not key:
            raise PipelineError(f"{where} is not set")
        if not (key.isascii() and key.isprintable()):
            raise PipelineError(f"{where} holds characters that no key has; set it again")
        return key

    async def _work_off(self) -> None:
        try:
            while self.queue:
                self._refuse_above_cap()
                place = self.queue.pop()
                before = len(self.refused)
                try:
                    answer = await self._ask(place)
                    self.past.add(place, answer)
                    self.proved = max(self.proved, before)
                except _Refusal as refusal:
                    self.refused[place], self.last = Answer("", 0, refused=refusal.reason), refusal
                    if len(self.refused) - self.proved >= IN_A_ROW:
                        await self._prove()
                self.progress.advance()
        except BaseException:
            self.queue.clear()  # the others end with the requests under way, which are paid
            raise

    async def _prove(self) -> None:
        """Ask once more what was answered before: a server that refuses this too answers no prompt at all."""
        known = next((place for place in self.questions if place in self.past.done), None)
        refused = len(self.refused)
        if known is None:
            raise self.last.whole
        try:
            await self._ask(known)
        except _Refusal as refusal:
            raise refusal.whole from refusal
        self.proved = refused

    def _refuse_above_cap(self) -> None:
        settings = self.settings
        for name, cap, amount in (
            ("max_tokens_spent", settings.max_tokens_spent, self.spent),
            ("max_requests", settings.max_requests, self.requests),
        ):
            if 0 < cap <= amount:
                raise PipelineError(
                    f"{self.section}.{name}: {self.spent} tokens and {self.requests} requests spent on {self.model} "
                    f"with {len(self.queue)} prompts left; the answers so far are kept: raise it and run again"
                )

    async def _ask(self, place: str) -> Answer:
        """The answer to one question. Raises _Refusal where that may be about this prompt alone, else PipelineError."""
        settings, key = self.settings, self.keys[place]
        where = f"{self.section}.url: {settings.url}"
        self.requests += 1
        try:
            said = await self._reply(place)
            answer = replies.read(said, settings.api)
        except openai.RateLimitError as error:
            raise PipelineError(
                f"{where} still answers 429 ({replies.reason(error)}) after {self.here.max_retries} retries; the "
                "answers so far are kept: run again later, or lower endpoints.concurrency (machine.yaml)"
            ) from error
        except openai.APIStatusError as error:
            reason = f"{error.status_code} ({replies.reason(error)})"
            if error.status_code in (401, 403):
                line = f"refuses the key in ${settings.key_variable} ({error.status_code}): {replies.reason(error)}"
                whole = PipelineError(f"{where} {line}; set a valid one")
            else:
                whole = PipelineError(
                    f"{where} answers {reason}, asked for {self.name} {key}; the answers so far are kept: correct url, "
                    f"model, api or sampling ({self.section}.omit leaves parameters out), or mend the server, and run "
                    "again"
                )
            if error.status_code in _OF_ALL:
                raise whole from error
            raise _Refusal(reason, whole) from error
        except openai.APIConnectionError as error:
            raise PipelineError(
                f"{where} cannot be reached ({replies.line(error.__cause__ or error)}); the answers so far are kept: "
                "run again"
            ) from error
        except (ValueError, openai.APIError) as error:
            nonsense = f"nonsense ({replies.line(error)})"
            whole = PipelineError(
                f"{where} answers {nonsense}; it must be an OpenAI-compatible server, api {settings.api}"
            )
            raise _Refusal(nonsense, whole) from error
        self.spent += answer.tokens
        return answer

    async def _reply(self, place: str) -> object:
        """What the server says, without the parameters that `omit` names; the cap goes by the name that is left."""
        question, omit = self.questions[place], self.settings.omit
        drawn = question.sampling
        asked = {"seed": seed_of(place) % 2**31, "temperature": drawn.temperature, "top_p": drawn.top_p}
        chat = self.settings.api == "chat"
        caps = ("max_completion_tokens", "max_tokens") if chat else ("max_tokens",)
        asked |= dict.fromkeys([cap for cap in caps if cap not in omit][:1], drawn.max_tokens)
        sent: Any = {"model": self.model} | {name: value for name, value in asked.items() if name not in omit}
        if chat:
            return await self.client.chat.completions.create(
                messages=[{"role": "user", "content": question.prompt}], **sent
            )
        return await self.client.completions.create(prompt=question.prompt, **sent)


def _place(model: str, question: Question, omit: Sequence[str]) -> str:
    return _hash(model, repr(question.sampling), str(question.attempt), question.prompt, *sorted(omit))


def _hash(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()
