"""One client of all OpenAI-compatible servers: those of annotator and references, and vLLM's own.

What is sent and what a reply says stands in `texts` (a prompt as text) and `completions` (token ids).
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Mapping
from typing import Any

import openai

from pipeline.core import redact
from pipeline.core.errors import PipelineError

UNREACHABLE, NONSENSE = 0, 200  # the status where no reply comes, and where it says nothing of this protocol
_CONNECT = 10.0  # seconds, after which there is no server
_SHOWN = 300  # characters of a server's own words


class NoAnswer(Exception):
    """A server does not answer what was sent, in words that follow its address.

    status: HTTP's, UNREACHABLE or NONSENSE. words: the server's own. reason: both.
    """

    def __init__(self, status: int, words: object) -> None:
        self.status, self.words = status, line(words)
        self.reason = f"{'nonsense' if status == NONSENSE else status} ({self.words})"
        super().__init__(f"cannot be reached ({self.words})" if status == UNREACHABLE else f"answers {self.reason}")


class Client:
    """A server by the address under which its paths lie, mostly one that ends in `/v1`.

    timeout: seconds of one request. retries: of each that may pass another time, with back-off. proxied: whether the
    environment's proxy is used.
    """

    def __init__(self, url: str, key: str, timeout: float, retries: int = 0, *, proxied: bool = True) -> None:
        self._client = openai.AsyncOpenAI(
            base_url=url,
            api_key=key,
            max_retries=retries,
            timeout=openai.Timeout(timeout, connect=min(timeout, _CONNECT)),
            http_client=openai.DefaultAsyncHttpxClient(trust_env=proxied),
        )

    async def post(self, path: str, sent: Mapping[str, Any]) -> Any:
        """The document that it answers. Raises NoAnswer."""
        return await self._answer(self._client.post(path, body=sent, cast_to=object))

    async def get(self, path: str) -> Any:
        """Likewise; path: a whole address where it does not lie under the client's."""
        return await self._answer(self._client.get(path, cast_to=object))

    async def models(self) -> list[dict[str, Any]]:
        """What it serves: of each model at least its `id`. Raises NoAnswer."""
        listed = await self.get("models")
        try:
            return [card for card in listed["data"] if card["id"]]
        except (KeyError, TypeError) as error:
            raise NoAnswer(NONSENSE, listed) from error

    async def aclose(self) -> None:
        """End its connections."""
        await self._client.close()

    async def _answer(self, coming: Awaitable[object]) -> Any:
        try:
            return await coming
        except openai.APIStatusError as error:
            body = error.body
            words = body.get("message") or body.get("detail") or body if isinstance(body, dict) else body
            raise NoAnswer(error.status_code, words or error.message) from error
        except openai.APIConnectionError as error:
            cause = error.__cause__ or error
            raise NoAnswer(UNREACHABLE, str(cause) or type(cause).__name__) from error
        except (ValueError, openai.OpenAIError) as error:
            raise NoAnswer(NONSENSE, error) from error


def key_in(variable: str, named_by: str) -> str:
    """The key that an environment variable holds, hidden in all messages from now on; "none" where none is named.

    named_by: the parameter that names it. Raises PipelineError where there is no key, or one that no header can hold.
    """
    key = os.environ.get(variable, "").strip() if variable else "none"
    where = f"{named_by}: the environment variable {variable}"
    if not key:
        raise PipelineError(f"{where} is not set")
    if variable:
        redact.remember(key)
    if not (key.isascii() and key.isprintable()):
        raise PipelineError(f"{where} holds characters that no key has; set it again")
    return key


def line(value: object) -> str:
    """Text of a server on one short line, without secrets."""
    text = redact.redacted(" ".join(characters(str(value)[: 20 * _SHOWN]).split()))
    return text[:_SHOWN]


def characters(text: str) -> str:
    """The text with U+FFFD for half of a surrogate pair, which JSON can escape and no file of ours can hold."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
