"""What goes into an engine and what comes out."""

from __future__ import annotations

import hashlib
from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol, TypeVar

from pipeline.core.config import Sampling
from pipeline.language.renderer import Renderer
from pipeline.language.steps import marker

Result = TypeVar("Result")


@dataclass(frozen=True)
class Request:
    """One completion to sample.

    prompt_ids: token ids. max_tokens: cap of the completion. stop: texts at which sampling ends (not returned).
    seed: of this request alone, so that its completion does not depend on order or batch. ends: ids of tokens that end
    the model's turn, beside the model's own. labels: token ids whose log-probabilities at the first position are wanted
    (the PRM's "+" and "-"). likelihood: the completion's own log-probability is wanted. form: regular expression that
    the completion matches, if max_tokens suffice; "": free. model: which engine.
    """

    prompt_ids: tuple[int, ...]
    max_tokens: int
    temperature: float = 0.0
    top_p: float = 1.0
    stop: tuple[str, ...] = ()
    seed: int = 0
    ends: tuple[int, ...] = ()
    labels: tuple[int, ...] = ()
    likelihood: bool = False
    form: str = ""
    model: str = "policy"

    def parameters(self) -> dict[str, Any]:
        """How it is sampled, as vLLM's `SamplingParams` and its servers call it; what does not matter is absent."""
        drawn = self.temperature > 0
        values = {
            "max_tokens": self.max_tokens,
            "temperature": self.temperature,
            "top_p": self.top_p if drawn else 1.0,
            "seed": self.seed if drawn else None,
            "stop": list(self.stop) or None,
            "stop_token_ids": list(self.ends) or None,
            "logprobs": 0 if self.likelihood else len(self.labels) or None,
            "logprob_token_ids": list(self.labels) or None,
        }
        return {name: value for name, value in values.items() if value is not None}


def sampled(
    renderer: Renderer, ids: Sequence[int], sampling: Sampling, seed: int, stop: tuple[str, ...] = (), form: str = ""
) -> Request:
    """One completion of `ids` as `sampling` says; it ends with the model's turn."""
    how = (sampling.temperature, sampling.top_p)
    return Request(tuple(ids), sampling.max_tokens, *how, stop, seed, renderer.ends, form=form)


def samples(
    renderer: Renderer, ids: Sequence[int], sampling: Sampling, count: int, seed: int, stop: tuple[str, ...] = ()
) -> list[Request]:
    """`count` completions of one prompt, with the seeds from `seed` on: what a server takes as one request."""
    return [sampled(renderer, ids, sampling, seed + number, stop) for number in range(count)]


@dataclass(frozen=True)
class Completion:
    """finish: `stop` (stop text or end of sequence), `length` (cap), `context` (prompt too long, nothing run).

    tokens: number of sampled tokens. label_logprobs: natural logarithms, in the order of `Request.labels`. logprob: of
    all sampled tokens together, at temperature 1; None unless `Request.likelihood`.
    """

    text: str
    finish: str
    tokens: int
    ended: bool = False  # the model gave a token that ends its turn
    label_logprobs: tuple[float, ...] = ()
    logprob: float | None = None


def with_marker(number: int, completion: Completion) -> Completion:
    """The completion of a prompt that ended with the marker of step `number`, as the text of steps: marker and all."""
    return replace(completion, text=marker(number) + completion.text) if completion.finish != "context" else completion


# A generator that yields requests, is resumed with their completions in order, and returns its result.
Task = Generator[list[Request], list[Completion], Result]


@dataclass
class Usage:
    """What a run of tasks gave its engines to do: requests, and tokens of their prompts and completions."""

    requests: int = 0
    prompt_tokens: int = 0
    sampled_tokens: int = 0


class Engine(Protocol):
    """Continuous batching behind two calls; completions come back in any order.

    sources: what `multiprocessing.connection.wait` can wait for: one of them is ready when `step` has something to
    return. None where `step` itself does the work.
    """

    tokenizer: Any
    max_model_len: int
    sources: Sequence[Any]

    def submit(self, key: str, request: Request, group: int) -> None:
        """Queue a request under a unique key; requests of one group share prompt prefixes."""
        ...

    def step(self) -> list[tuple[str, Completion]]:
        """Send what is queued and return what has finished, without waiting for more."""
        ...

    def close(self) -> None:
        """Free the engine's memory and processes."""
        ...


def seed_of(*parts: object) -> int:
    """A 63-bit seed from what identifies a request (run seed, problem, depth, candidate), never from its order."""
    text = "/".join(map(str, parts))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1
