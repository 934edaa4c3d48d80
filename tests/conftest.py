"""What tests share: a tiny tokenizer, a tiny real model, and a scripted engine (tests alone have one)."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Iterable, Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from transformers import LlamaTokenizer

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from pipeline.core.config import Sampling  # noqa: E402
from pipeline.core.records import Dropped, Preference  # noqa: E402
from pipeline.domains.arithmetic import authors  # noqa: E402
from pipeline.domains.math import final  # noqa: E402
from pipeline.domains.worlds import Settings  # noqa: E402
from pipeline.inference.loop import run  # noqa: E402
from pipeline.inference.requests import Completion, Request  # noqa: E402
from pipeline.language.renderer import Renderer  # noqa: E402
from pipeline.methods.psrlm.settings import Judge  # noqa: E402
from pipeline.training import corpus  # noqa: E402
from pipeline.training.recipe import Phase  # noqa: E402
from pipeline.training.words import tokenizer  # noqa: E402

Answer = Callable[[str, Request], Completion]

# The same examples in every run; `pytest --hypothesis-profile long tests/test_properties*.py` draws many new ones.
hypothesis.settings.register_profile("short", derandomize=True, max_examples=40, deadline=None)
hypothesis.settings.register_profile("long", max_examples=2000, deadline=None)
hypothesis.settings.load_profile("short")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest tests first, so that no worker of `make test` ends long after the other."""
    items.sort(key=lambda item: item.get_closest_marker("e2e") is None)


def phase(documents: int, **shares: float) -> Phase:
    """A phase of pre-training whose shares and rates are zero, or next to it, where none is given."""
    none = dict.fromkeys(("checks", "homework", "contrasts", "lines"), 0.0)
    return Phase(**{"documents": documents, **none, "matrix_rate": 0.01, "other_rate": 0.001, **shares})


def assert_roles_keep_apart(world: Any, settings: Settings, sign: Callable[[str], str], before: set[str]) -> None:
    """A world's training roles share no signature with each other, nor with the evaluation's (`before`)."""
    seen: set[str] = set()
    for name in ("ift", "eft", "round-m2", "round-m3"):
        rows = world.training(settings, 1, name, 50, seen)
        mine = {sign(row.prompt) for row in rows}
        assert len(mine) == 50 and not mine & before
        before |= mine
        assert {row.solution is not None for row in rows} == {name == "ift"}
        assert {row.answer is not None for row in rows} == {name != "eft"}  # which a round's file does not show


def judge(**over: Any) -> Judge:
    """A greedy judge by the paper's rule that judges every state in full, but for what `over` says."""
    greedy = Sampling(temperature=0.0, top_p=1.0, max_tokens=40)
    plain = {"verdict": "explain", "schedule": "pairs", "orders": "both", "full": 1.0, "sampling": greedy}
    return Judge(**{**plain, "max_explanation": 4, "margin": 0.0, "rankings": 3, **over})


@pytest.fixture(scope="session")
def words() -> Any:
    """The world's tokenizer, trained on a few documents."""
    documents = corpus.documents(authors, 1, phase(300, checks=0.3, homework=0.2, contrasts=0.1, lines=0.1), 0.5)
    return tokenizer((d.prompt + "\n".join(d.steps) for d in documents), numbers=1000)


@pytest.fixture(scope="session")
def renderer(words: Any) -> Renderer:
    """The prompts of the family `arithmetic` as ids of the tiny tokenizer; a boxed answer ends a solution."""
    return Renderer(words, "arithmetic", answer_end=final.end)


@pytest.fixture(scope="session")
def mistral(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Mistral-7B's own tokenizer (sentencepiece, a space before the first text, BOS)."""
    folder = tmp_path_factory.mktemp("mistral")
    shutil.copy(str(files("mistral_common") / "data" / "tokenizer.model.v1"), folder / "tokenizer.model")
    return LlamaTokenizer.from_pretrained(str(folder), add_bos_token=True)


@pytest.fixture(scope="session")
def tiny_model(words: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Llama of a few thousand random weights, saved as safetensors with its tokenizer."""
    from pipeline.training.pretrain import fresh_model
    from pipeline.training.weights import save

    folder = tmp_path_factory.mktemp("model")
    save(fresh_model(words, width=32, layers=1, context=512, seed=0), words, folder)
    return folder


def apart(outcomes: Iterable[Preference | Dropped]) -> tuple[list[Preference], list[Dropped]]:
    """The pairs and the drops of what a method gives."""
    rows = list(outcomes)
    return [row for row in rows if isinstance(row, Preference)], [row for row in rows if isinstance(row, Dropped)]


class ScriptedEngine:
    """Answers from a function of the prompt's text; completions come back last request first."""

    def __init__(self, tokenizer: Any, answer: Answer, max_model_len: int = 4096) -> None:
        self.tokenizer, self.answer, self.max_model_len = tokenizer, answer, max_model_len
        self.waiting: list[tuple[str, Request]] = []
        self.calls, self.sources = 0, ()

    def submit(self, key: str, request: Request, group: int) -> None:
        self.waiting.append((key, request))
        self.calls += 1

    def step(self) -> list[tuple[str, Completion]]:
        done = [(k, self.answer(self.tokenizer.decode(r.prompt_ids), r)) for k, r in reversed(self.waiting)]
        self.waiting.clear()
        return done

    def close(self) -> None:
        self.waiting.clear()


def scripted(
    tokenizer: Any, tasks: Mapping[str, Any], policy: Answer, window: int = 4, **others: Answer
) -> dict[str, Any]:
    """Results of all tasks by key, in the order of the tasks; others: what further engines answer, by their name."""
    engines = {name: ScriptedEngine(tokenizer, answer) for name, answer in {"policy": policy, **others}.items()}
    done: dict[str, Any] = {}
    run(engines, tasks.items(), window, done.__setitem__)
    return {key: done[key] for key in tasks}
