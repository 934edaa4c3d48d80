"""Text from an OpenAI-compatible endpoint, each answer paid once.

Every answer is journaled under a hash of model, prompt and sampling the moment it arrives. The journal stays, one for a
repository and its experiments: no answer is lost when a run is killed, and none is paid twice, whatever else changes.

A refusal may be about one prompt (a content policy) or about all requests (a parameter that the server does not know):
its status does not tell, but the other prompts do. While the server goes on answering others, a refused prompt is left
out; where it answers nothing, or no more what it has answered, the run stops.
"""

from __future__ import annotations

import asyncio
import hashlib
import sys
from collections.abc import Mapping
from contextlib import aclosing
from dataclasses import dataclass, replace

from pipeline.core import journal
from pipeline.core.command import Progress, note
from pipeline.core.config import Sampling
from pipeline.core.errors import PipelineError
from pipeline.core.journal import Journal
from pipeline.core.machine import Endpoints
from pipeline.inference import texts, thinking
from pipeline.inference.client import NONSENSE, UNREACHABLE, Client, NoAnswer, key_in
from pipeline.inference.requests import seed_of
from pipeline.inference.settings import Endpoint
from pipeline.inference.texts import Answer

IN_A_ROW = 32  # refusals with no answer between them: then one more request shows whether the server still answers
_OF_ALL = (UNREACHABLE, 401, 402, 404, 405, 407, 410, 429)  # network, key, bill, model, rate: the same for every prompt


@dataclass(frozen=True)
class Question:
    """A prompt and how its answer is sampled; another `attempt` asks again, with another seed."""

    prompt: str
    sampling: Sampling
    attempt: int = 0


def ask(
    name: str, questions: Mapping[str, Question], model: str, settings: Endpoint, here: Endpoints, section: str
) -> dict[str, Answer]:
    """The model's answer to each question, by key, without its thinking; `section` of params.yaml has the settings.

    A prompt that the server refuses while it answers others has an answer without text that says why (`refused`);
    it is asked again by the next run. Raises PipelineError in one line where the endpoint refuses the key or every
    prompt, cannot be reached, keeps answering 429 or answers nonsense, and where a spending cap is reached; what was
    answered by then is kept for the next run.
    """
    with Journal(journal.of_repository(), "annotator", _hash(settings.url, model), Answer, shared=True) as past:
        asking = _Asking(name, questions, model, settings, here, section, past)
        if asking.queue:
            asyncio.run(asking.all())
        answers = {key: past.done.get(place) or asking.refused[place] for key, place in asking.places.items()}
    return {key: replace(answer, text=thinking.answer(answer.text)) for key, answer in answers.items()}


@dataclass
class _Asking:
    """One call of `ask`: the questions that are left, what was refused, and what all of it cost."""

    name: str
    by_key: Mapping[str, Question]
    model: str
    settings: Endpoint
    here: Endpoints
    section: str
    past: Journal[Answer]

    def __post_init__(self) -> None:
        past, omitted = self.past, sorted(self.settings.omit)
        self.places = {
            key: _hash(self.model, repr(question.sampling), str(question.attempt), question.prompt, *omitted)
            for key, question in self.by_key.items()
        }
        self.questions = {place: self.by_key[key] for key, place in self.places.items()}
        self.keys = {place: key for key, place in reversed(self.places.items())}
        self.queue = [place for place in reversed(self.questions) if place not in past.done]
        self.refused: dict[str, Answer] = {}  # in the order in which the refusals came
        self.proved = 0  # so many of them came before a request that was answered
        self.spent, self.requests = sum(answer.tokens for answer in past.done.values()), len(past.done)

    async def all(self) -> None:
        """Work off the queue; every question is answered in the journal or refused when this returns."""
        before = self.spent
        key = key_in(self.settings.key_variable, f"{self.section}.key_variable")
        self.progress = Progress(self.name, len(self.questions), len(self.questions) - len(self.queue))
        server = Client(self.settings.url, key, self.here.timeout, self.here.max_retries)
        async with aclosing(server) as self.client:
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
                except NoAnswer as refusal:
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
            raise self._line(self.last, [*self.refused][-1])
        try:
            await self._ask(known)
        except NoAnswer as refusal:
            raise self._line(refusal, known) from refusal
        self.proved = refused

    def _refuse_above_cap(self) -> None:
        for name, amount in (("max_tokens_spent", self.spent), ("max_requests", self.requests)):
            if 0 < getattr(self.settings, name) <= amount:
                raise PipelineError(
                    f"{self.section}.{name}: {self.spent} tokens and {self.requests} requests spent on {self.model} "
                    f"with {len(self.queue)} prompts left; the answers so far are kept: raise it and run again"
                )

    async def _ask(self, place: str) -> Answer:
        """The answer to one question. Raises NoAnswer where that may be about this prompt alone, else PipelineError."""
        question, seed = self.questions[place], seed_of(place) % 2**31
        self.requests += 1
        try:
            answer = await texts.ask(self.client, self.settings, self.model, question.prompt, question.sampling, seed)
        except NoAnswer as error:
            if error.status in _OF_ALL:
                raise self._line(error, place) from error
            raise
        self.spent += answer.tokens
        return answer

    def _line(self, error: NoAnswer, place: str) -> PipelineError:
        """What ends the run, where all prompts fail as this one did."""
        kept = "the answers so far are kept"
        if error.status == UNREACHABLE:
            what = f"{error}; {kept}: run again"
        elif error.status == NONSENSE:
            what = f"{error}; it must be an OpenAI-compatible server, api {self.settings.api}"
        elif error.status == 429:
            what = (
                f"still {error} after {self.here.max_retries} retries; {kept}: run again later, or lower "
                "endpoints.concurrency (machine.yaml)"
            )
        elif error.status in (401, 403):
            variable = self.settings.key_variable
            what = f"refuses the key in ${variable} ({error.status}): {error.words}; set a valid one"
        else:
            what = (
                f"{error}, asked for {self.name} {self.keys[place]}; {kept}: correct url, model, api or sampling "
                f"({self.section}.omit leaves parameters out), or repair the server, and run again"
            )
        return PipelineError(f"{self.section}.url: {self.settings.url} {what}")


def _hash(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()
