"""The endpoint annotator against a real vLLM server on loopback, killed in the middle and started again."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest
from test_annotator import settings, stage

from pipeline.core import journal
from pipeline.core.config import Sampling
from pipeline.core.errors import PipelineError
from pipeline.inference import annotator
from pipeline.inference.in_process import CPU_ENVIRONMENT

PROMPTS = {f"k{i}": f"Ana has {i} keys." for i in range(120)}
pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]


def wait(for_what: Callable[[], bool], process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 240
    while not for_what():
        assert process.poll() is None and time.monotonic() < deadline, log.read_text()[-3000:]
        time.sleep(0.01)


def serve(model: Path, port: int, log: Path) -> subprocess.Popen[bytes]:
    """`vllm serve` with the settings that our own engine has on a CPU; returns when it is ready."""
    options = (
        "--dtype float32 --enforce-eager --block-size 32 --no-enable-chunked-prefill --max-num-batched-tokens 2048"
    )
    command = [sys.executable, "-m", "vllm.entrypoints.openai.api_server", "--model", str(model), "--host", "127.0.0.1"]
    environment = {**os.environ, **CPU_ENVIRONMENT, "VLLM_LOGGING_LEVEL": "INFO"}
    with log.open("wb") as out:
        server = subprocess.Popen(
            [*command, "--port", str(port), *options.split()],
            stdout=out, stderr=out, env=environment, start_new_session=True,
        )  # fmt: skip

    def ready() -> bool:
        try:
            return urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=1).status == 200
        except OSError:
            return False

    wait(ready, server, log)
    return server


def kill(server: subprocess.Popen[bytes]) -> None:
    os.killpg(server.pid, signal.SIGKILL)
    server.wait()


@pytest.mark.slow
def test_a_served_model_killed_in_the_middle_and_started_again_is_asked_nothing_twice(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal, "FOLDER", tmp_path)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    url, greedy = f"http://127.0.0.1:{port}/v1", Sampling(temperature=0.0, top_p=1.0, max_tokens=24)
    served = settings(url, api="completions", key_variable="", model=str(tiny_model), sampling=greedy)
    asks = stage(concurrency=2, max_retries=1, timeout=60.0)

    def kept() -> list[str]:
        return [line for file in tmp_path.glob("annotator/*.jsonl") for line in file.read_text().splitlines(True)]

    first = serve(tiny_model, port, tmp_path / "first.log")
    failure: list[PipelineError] = []

    def ask() -> None:
        try:
            annotator.answers(asks, PROMPTS, served)
        except PipelineError as error:
            failure.append(error)

    asking = threading.Thread(target=ask)
    asking.start()
    wait(lambda: len(kept()) >= 30, first, tmp_path / "first.log")
    kill(first)
    asking.join()
    assert "cannot be reached" in str(failure[0]) and "\n" not in str(failure[0])

    paid = kept()
    assert 30 <= len(paid) < len(PROMPTS)
    second = serve(tiny_model, port, tmp_path / "second.log")
    assert set(annotator.answers(asks, PROMPTS, served)) == set(PROMPTS)
    kill(second)
    requests = (tmp_path / "second.log").read_text().count('"POST /v1/completions HTTP/1.1" 200')
    assert requests == len(PROMPTS) - len(paid)
    assert kept()[: len(paid)] == paid and len(kept()) == len(PROMPTS)
