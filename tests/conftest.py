"""What tests share: a tiny tokenizer, a tiny real model, and a scripted engine (tests alone have one)."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from pipeline.core.params import Phase  # noqa: E402
from pipeline.domains.arithmetic import corpus, tokenizer  # noqa: E402
from pipeline.inference import Completion, Request  # noqa: E402


@pytest.fixture(scope="session")
def words() -> Any:
    """The world's tokenizer, trained on a few documents."""
    documents = corpus.documents(1, Phase(300, 0.3, 0.2, 0.1, 0.1, 0.0, 0.0), 0.5)
    return tokenizer.train(d.prompt + "\n".join(d.steps) for d in documents)


@pytest.fixture(scope="session")
def tiny_model(words: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Llama of a few thousand random weights, saved as safetensors with its tokenizer."""
    from pipeline.training import fresh_model, save

    folder = tmp_path_factory.mktemp("model")
    save(fresh_model(words, width=32, layers=1, context=512, seed=0), words, folder)
    return folder


class ScriptedEngine:
    """Answers from a function of the prompt's text; completions come back last request first."""

    def __init__(self, tokenizer: Any, answer: Callable[[str, Request], Completion], context: int = 4096) -> None:
        self.tokenizer, self.answer, self.context = tokenizer, answer, context
        self.waiting: list[tuple[str, Request]] = []
        self.calls = 0

    def submit(self, key: str, request: Request, group: int) -> None:
        self.waiting.append((key, request))
        self.calls += 1

    def step(self) -> list[tuple[str, Completion]]:
        done = [(k, self.answer(self.tokenizer.decode(r.prompt_ids), r)) for k, r in reversed(self.waiting)]
        self.waiting.clear()
        return done

    def close(self) -> None:
        self.waiting.clear()
