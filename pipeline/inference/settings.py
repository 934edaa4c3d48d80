"""What params.yaml says of inference and of servers."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from pipeline.core.config import Count, Positive, Sampling, Section


class Inference(Section):
    """vLLM, as far as it decides results; machine.yaml holds the rest."""

    dtype: Literal["float32", "bfloat16", "float16"]
    max_model_len: Positive = Field(description="tokens of prompt and completion")


def _address(url: str) -> str:
    """DVC copies params.yaml into its lock file, so a credential must not stand there."""
    if url and not re.fullmatch(r"https?://[^\s@]+", url):
        raise ValueError("must be an http(s) address without user and password; key_variable names where a key is")
    return url


class Endpoint(Section):
    """An OpenAI-compatible server. The caps hold for the kept answers of one url and model, of all runs together;
    requests under way then still end, so tokens may pass their cap by as many answers as run at once."""

    url: Annotated[str, AfterValidator(_address)]
    api: Literal["chat", "completions"]
    key_variable: str = Field(
        pattern="^([A-Za-z_][A-Za-z0-9_]*)?$", description='environment variable that holds the key; "": none'
    )
    max_tokens_spent: Count = Field(description="of all runs together; 0: no cap")
    max_requests: Count = Field(description="likewise")
    omit: tuple[Literal["seed", "temperature", "top_p", "max_tokens", "max_completion_tokens"], ...] = Field(
        default=(), description="parameters that the server refuses, not sent: of seed, temperature, top_p, max_tokens"
    )
    sampling: Sampling


class Annotator(Endpoint):
    """Judges EFT rows and, with ift.segmenter: annotator, segments solutions."""

    kind: Literal["oracle", "endpoint", "model"] = Field(
        description="oracle (the domain's), endpoint (at url) or model (a folder, served here)"
    )
    model: str = Field(description="the endpoint's name of it, or a folder")


class Reference(Endpoint):
    """Models of an OpenAI-compatible server, evaluated beside ours. sampling: of the solution that counts for accuracy;
    its cap also holds for samples that are averaged."""

    models: list[Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9][A-Za-z0-9._-]*)*$")]] = Field(
        description="by the server's names, [gpt-4o] for the paper's row; []: none"
    )


class Average(Section):
    """avg@k of small sets: the mean of so many samples beside greedy."""

    splits: tuple[str, ...] = Field(description="names of evaluation splits; []: none")
    samples: Positive
    sampling: Sampling


class Evaluate(Section):
    """Greedy decoding of whole solutions, and what is averaged over samples."""

    max_tokens: Positive = Field(description="cap of one solution")
    average: Average
