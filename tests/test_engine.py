"""Real vLLM on a tiny real model: what the pipeline relies on."""

from __future__ import annotations

import math
import re
from collections.abc import Generator, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from pipeline.core import machine
from pipeline.core.errors import PipelineError
from pipeline.inference.engines import open_engines
from pipeline.inference.loop import run
from pipeline.inference.pool import PooledEngine
from pipeline.inference.requests import Completion, Engine, Request, seed_of
from pipeline.inference.settings import Inference
from pipeline.methods.psrlm import judge

SETTINGS = Inference(dtype="float32", max_model_len=256)


def here(replicas: int) -> machine.Inference:
    return machine.Inference(replicas=replicas, max_num_seqs=16, concurrent_problems=8, kv_cache_tokens=8192)


def task(words: Any, number: int) -> Generator[list[Request], list[Completion], tuple[Completion, ...]]:
    prompt = tuple(words.encode(f"Ana has {number} keys.", add_special_tokens=False))
    first = yield [Request(prompt, 12, 1.0, 0.95, seed=seed_of(number, i)) for i in range(3)]
    assert (yield []) == []
    second = yield [Request(prompt, 1, labels=(5, 6)), Request(prompt * 80, 8), Request(prompt, 6)]
    return (*first, *second)


@pytest.fixture(scope="module")
def engines(tiny_model: Path) -> Iterator[Mapping[str, Engine]]:
    """One replica of the tiny model; each start of vLLM takes eight seconds."""
    with open_engines({"policy": tiny_model}, SETTINGS, here(1)) as engines:
        yield engines


def results(engines: Mapping[str, Engine], words: Any, order: Iterable[int], window: int) -> dict[str, Any]:
    rows: dict[str, Any] = {}
    run(engines, ((str(n), task(words, n)) for n in order), window, rows.__setitem__)
    return rows


def test_completions_do_not_depend_on_order_window_or_replicas(
    engines: Mapping[str, Engine], tiny_model: Path, words: Any
) -> None:
    one = results(engines, words, order=range(12), window=3)
    with open_engines({"policy": tiny_model}, SETTINGS, here(2)) as replicas:
        two = results(replicas, words, order=reversed(range(12)), window=12)
    assert {k: [c.text for c in v] for k, v in one.items()} == {k: [c.text for c in v] for k, v in two.items()}
    for done in one.values():
        rated, too_long, greedy = done[3:]
        assert all(math.isfinite(x) and x < 0 for x in rated.label_logprobs) and len(rated.label_logprobs) == 2
        assert too_long.finish == "context" and too_long.tokens == 0
        assert greedy.tokens <= 6


def test_a_completion_has_the_form_that_its_request_names(engines: Mapping[str, Engine], words: Any) -> None:
    form = r"[a-z ]{3}" + judge.FORM.removeprefix(r"([^\[]|\[[^\[])*")  # which a model of random weights also ends
    prompt = tuple(words.encode("Ana has 2 keys.", add_special_tokens=False))

    def shaped() -> Generator[list[Request], list[Completion], list[Completion]]:
        return (yield [Request(prompt, 40, t, seed=s, form=f) for t in (0.0, 1.0) for s in (1, 2) for f in (form, "")])

    done: dict[str, Any] = {}
    run(engines, [("all", shaped())], 1, done.__setitem__)
    formed, free = done["all"][::2], done["all"][1::2]
    assert all(re.fullmatch(form, one.text) and one.finish == "stop" and judge.parse(one.text) for one in formed)
    assert not any(judge.parse(one.text) for one in free)


def test_more_requests_and_completions_than_pipes_hold_do_not_block_each_other(engines: Mapping[str, Engine]) -> None:
    engine, done = engines["policy"], 0
    assert isinstance(engine, PooledEngine)
    for turn in range(2):
        for index in range(20_000):
            engine.submit(f"{turn}/{index}", Request((1,) * 250, max_tokens=250), 0)  # too long: answered at once
        done += len(engine.step())
        engine._connections[0].poll(60)  # the child is sending more than a pipe holds, and nobody takes it
    while done < 40_000:
        done += len(engine.step())


def test_a_model_folder_without_weights_is_one_clear_error(tmp_path: Path) -> None:
    with (
        pytest.raises(PipelineError, match="no weights"),
        open_engines({"policy": tmp_path}, SETTINGS, here(1)),
    ):
        pass
