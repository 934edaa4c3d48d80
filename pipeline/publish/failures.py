"""Failures of the Hub and of its client: which may pass, and one line that says what to do about the others."""

from __future__ import annotations

import json
import re
from contextlib import suppress

from huggingface_hub.errors import HfHubHTTPError, HFValidationError
from huggingface_hub.utils import httpx, validate_repo_id  # type: ignore[attr-defined]  # exported when it runs

from pipeline.core.errors import PipelineError
from pipeline.core.redact import redacted

BROKEN = (httpx.TimeoutException, httpx.NetworkError, httpx.RemoteProtocolError, json.JSONDecodeError)
_PASSING = (408, 429, 500, 502, 503, 504)
_STATUS = re.compile(r"HTTP status (?:client|server) error \((\d{3})")  # in the words of hf_xet
_ADVICE = {
    401: "no valid token; run `hf auth login` or set HF_TOKEN, and check the name",
    403: "your token has no right to do that; use one that may write there, or another name",
    404: "not found, or not for your token to see; correct the name or the revision",
    409: "it exists already and is another one; give another name",
    412: "someone else committed to it meanwhile, nothing of theirs is lost; push again",
}


def repository_name(name: str) -> str:
    """The name itself, if it can be that of a repository in a namespace; else PipelineError."""
    with suppress(HFValidationError):
        validate_repo_id(name)
        if "/" in name:
            return name
    raise PipelineError(f"repository {name!r}: not a name of the Hub; give ORG/NAME")


def passing(name: str, error: Exception) -> BaseException:
    """The failure behind an error of the client, if it may pass; what will not pass is raised.

    Errors of hf_xet are plain ConnectionError, PermissionError, RuntimeError that tell the status in their text.
    """
    wrapped = isinstance(error.__cause__, (HfHubHTTPError, *BROKEN))
    failure = error.__cause__ if wrapped and error.__cause__ else error
    if isinstance(failure, HfHubHTTPError) and failure.response.status_code not in _PASSING:
        raise failure
    if not isinstance(failure, HfHubHTTPError) and (status := _status(failure)) not in (None, *_PASSING):
        raise refusal(name, int(status or 0), failure) from error
    if isinstance(failure, OSError) and failure.errno and not isinstance(failure, (ConnectionError, TimeoutError)):
        raise PipelineError(f"{name}: {failure}; correct it on this machine, what is there is kept") from error
    return failure


def _status(failure: BaseException) -> int | None:
    """The status in an error of hf_xet."""
    if type(failure).__name__ == "XetAuthenticationError":
        return 401
    match = _STATUS.search(str(failure))
    return int(match[1]) if match else None


def refusal(name: str, status: int, error: BaseException) -> PipelineError:
    """What the Hub refuses, in one line that says what to do."""
    advice = _ADVICE.get(status, redacted(" ".join(str(error).split()))[:200])
    return PipelineError(f"{name}: the Hub refuses ({status}): {advice}")
