"""The endpoint annotator against a real HTTP server on loopback: nothing lost, nothing paid twice."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from conftest import ROOT

from pipeline.core import config, journal
from pipeline.core.command import Stage
from pipeline.core.config import Sampling
from pipeline.core.errors import PipelineError
from pipeline.core.machine import Endpoints, Machine
from pipeline.inference import annotator
from pipeline.inference.settings import Annotator

PROMPTS = {f"k{i}": f"prompt {i}" for i in range(12)}
Reply = tuple[int, str]


class Endpoint:
    """A server that answers from a function of the prompt and counts what it had to answer."""

    def __init__(self, reply: Callable[[str, int], Reply]) -> None:
        self.prompts: list[str] = []
        self.bodies: list[dict[str, Any]] = []
        owner = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                owner.bodies.append(body)
                owner.prompts.append(body["prompt"] if "prompt" in body else body["messages"][0]["content"])
                status, text = reply(owner.prompts[-1], len(owner.prompts))
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Retry-After", "0")
                self.end_headers()
                self.wfile.write(text.encode())

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/v1"
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()


def completion(text: str, finish: str = "stop") -> Reply:
    message = {"role": "assistant", "content": text}
    usage = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
    choice = {"index": 0, "message": message, "finish_reason": finish}
    body = {"id": "x", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice], "usage": usage}
    return 200, json.dumps(body)


@pytest.fixture
def serve(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setattr(journal, "FOLDER", tmp_path)
    monkeypatch.setenv("TEST_KEY", "secret")
    running: list[Endpoint] = []

    def start(reply: Callable[[str, int], Reply]) -> Endpoint:
        running.append(Endpoint(reply))
        return running[-1]

    yield start
    for endpoint in running:
        endpoint.server.shutdown()
        endpoint.server.server_close()


def settings(url: str, **changed: object) -> Annotator:
    values: dict[str, object] = {
        "kind": "endpoint", "url": url, "model": "m", "api": "chat", "key_variable": "TEST_KEY", "max_tokens_spent": 0,
        "max_requests": 0, "sampling": Sampling(temperature=1.0, top_p=1.0, max_tokens=16),
    }  # fmt: skip
    return Annotator(**(values | changed))  # type: ignore[arg-type]


def stage(name: str = "eft", **changed: Any) -> Stage:
    """A stage on a machine that asks three things at once and tries each three times."""
    made = Stage(name, Path("params.yaml"), "", {})
    made.machine = Machine(endpoints=Endpoints(**({"concurrency": 3, "max_retries": 2, "timeout": 5.0} | changed)))
    return made


def test_every_prompt_gets_its_own_answer_through_transient_failures(serve) -> None:
    flaky = serve(lambda prompt, count: (500, "{}") if count % 3 == 1 else completion(prompt.upper()))
    texts = annotator.answers(stage(max_retries=6), PROMPTS, settings(flaky.url))
    assert texts == {key: prompt.upper() for key, prompt in PROMPTS.items()}


def test_an_endpoint_that_dies_in_the_middle_loses_nothing_and_nothing_is_paid_twice(serve) -> None:
    alive = threading.Event()

    def reply(prompt: str, count: int) -> Reply:
        return completion("yes") if count <= 5 or alive.is_set() else (400, '{"error": {"message": "gone"}}')

    endpoint = serve(reply)
    with pytest.raises(PipelineError, match="answers 400"):
        annotator.answers(stage(), PROMPTS, settings(endpoint.url))
    paid, refused = set(endpoint.prompts[:5]), len(endpoint.prompts)
    alive.set()
    assert set(annotator.answers(stage(), PROMPTS, settings(endpoint.url)).values()) == {"yes"}
    assert set(endpoint.prompts[refused:]) == set(PROMPTS.values()) - paid


def test_requests_under_way_when_another_fails_are_kept_for_they_are_paid(serve) -> None:
    refused, alive = threading.Event(), threading.Event()

    def reply(prompt: str, count: int) -> Reply:
        if count == 3 and not alive.is_set():
            refused.set()
            return 404, "{}"
        refused.wait(5)
        time.sleep(0.3)  # the refusal is read first
        return completion("yes")

    endpoint = serve(reply)
    with pytest.raises(PipelineError, match="answers 404"):
        annotator.answers(stage(), PROMPTS, settings(endpoint.url))
    assert len(endpoint.prompts) == 3
    alive.set()
    annotator.answers(stage(), PROMPTS, settings(endpoint.url))
    assert len(endpoint.prompts) == 13 and sorted(set(endpoint.prompts)) == sorted(PROMPTS.values())


def test_an_endpoint_that_answers_429_for_ever_ends_the_run_and_keeps_what_was_paid(serve) -> None:
    endpoint = serve(lambda prompt, count: completion("yes") if count <= 4 else (429, "{}"))
    with pytest.raises(PipelineError, match=r"still answers 429 .* after 2 retries"):
        annotator.answers(stage(), PROMPTS, settings(endpoint.url))
    assert len(endpoint.prompts) == 4 + 3 * (1 + 2)
    paid = set(endpoint.prompts[:4])
    with pytest.raises(PipelineError, match="429"):
        annotator.answers(stage(), PROMPTS, settings(endpoint.url))
    assert not paid & set(endpoint.prompts[13:])


@pytest.mark.parametrize("api", ["chat", "completions"])
@pytest.mark.parametrize(
    "body",
    [
        "<html>", "", "[]", "null", "7", '"text"', "{}", '{"choices": null}', '{"choices": []}', '{"choices": "ab"}',
        '{"choices": [{}]}', '{"choices": [null]}', '{"choices": [{"message": null, "text": 3}]}',
        '{"choices": [{"message": {"content": ["a"]}, "text": {}}]}',
        '{"choices": [{"message": {"content": "a"}, "text": "a"}], "usage": {"total_tokens": "many"}}',
    ],
)  # fmt: skip
def test_whatever_an_endpoint_says_that_is_no_completion_is_one_line(serve, body: str, api: str) -> None:
    endpoint = serve(lambda prompt, count: (200, body))
    with pytest.raises(PipelineError, match="answers nonsense") as caught:
        annotator.answers(stage(), {"k": "prompt"}, settings(endpoint.url, api=api))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("reply", "message"),
    [
        ((401, "{}"), r"refuses the key in \$TEST_KEY \(401\)"),
        ((429, "{}"), "still answers 429"),
        ((200, '"<html>hello</html>"'), "answers nonsense"),
        ((404, '{"error": {"message": "no model m"}}'), "answers 404 .*no model m"),
    ],
)
def test_a_bad_endpoint_is_one_line_that_names_it_and_never_the_key(serve, reply: Reply, message: str) -> None:
    endpoint = serve(lambda prompt, count: reply)
    with pytest.raises(PipelineError, match=message) as caught:
        annotator.answers(stage(), PROMPTS, settings(endpoint.url))
    assert "\n" not in str(caught.value) and "secret" not in str(caught.value)


def test_an_endpoint_that_is_not_there_and_a_missing_key_are_one_line(serve) -> None:
    with pytest.raises(PipelineError, match="cannot be reached"):
        annotator.answers(stage(max_retries=0), PROMPTS, settings("http://127.0.0.1:9/v1"))
    with pytest.raises(PipelineError, match="the environment variable ABSENT_KEY is not set"):
        annotator.answers(stage(), PROMPTS, settings("http://127.0.0.1:9/v1", key_variable="ABSENT_KEY"))


@pytest.mark.parametrize(
    ("cap", "at_once", "message"),
    [
        ({"max_tokens_spent": 20}, 1, "max_tokens_spent: 20 tokens and 4 requests spent on m with 8"),
        ({"max_requests": 4}, 3, "max_requests: .* 4 requests spent on m with 8 prompts left"),
    ],
)
def test_a_spending_cap_holds_over_all_runs_until_it_is_raised(
    serve, cap: dict[str, int], at_once: int, message: str
) -> None:
    endpoint = serve(lambda prompt, count: completion("yes"))
    for _ in range(2):
        with pytest.raises(PipelineError, match=message):
            annotator.answers(stage(concurrency=at_once), PROMPTS, settings(endpoint.url, **cap))
        assert len(endpoint.prompts) == 4
    assert len(annotator.answers(stage(), PROMPTS, settings(endpoint.url))) == 12
    assert sorted(endpoint.prompts) == sorted(PROMPTS.values())


def test_an_annotator_that_cannot_write_is_one_line() -> None:
    with pytest.raises(PipelineError, match=r"annotator\.kind: 'oracle' writes no text for ift"):
        annotator.answers(stage("ift"), PROMPTS, settings("", kind="oracle"))
    with pytest.raises(PipelineError, match=r"machine\.yaml: endpoints\.concurrency: must be greater"):
        config.build(Machine, {"endpoints": {"concurrency": 0}}, "machine.yaml: ")


def test_the_answers_lie_in_the_repository_that_dvc_names(serve, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(journal, "FOLDER", Path(".work"))
    monkeypatch.setenv("DVC_ROOT", str(tmp_path / "repository"))
    (tmp_path / "copy").mkdir()
    monkeypatch.chdir(tmp_path / "copy")
    annotator.answers(stage(), PROMPTS, settings(serve(lambda prompt, count: completion("yes")).url))
    assert len(list((tmp_path / "repository/.work/annotator").iterdir())) == 1 and not list(Path().iterdir())


def test_runs_that_share_answers_wait_for_each_other_and_see_what_the_other_paid_for(serve) -> None:
    others: list[threading.Thread] = []
    texts: list[annotator.Texts] = []

    def reply(prompt: str, count: int) -> Reply:
        if not others:
            others.append(threading.Thread(target=ask))
            others[0].start()
            time.sleep(0.2)
        return completion("yes")

    def ask() -> None:
        texts.append(annotator.answers(stage(concurrency=1), PROMPTS, settings(server.url)))

    server = serve(reply)
    ask()
    others[0].join()
    assert len(texts) == 2 and texts[0] == texts[1] and len(server.prompts) == len(PROMPTS)


ASK = """
import sys
from pathlib import Path
sys.path[:0] = [{root!r}, {tests!r}]
from test_annotator import PROMPTS, settings, stage
from pipeline.core.config import read_yaml
from pipeline.inference import annotator
count = read_yaml(Path("params.yaml"))["prompts"]
texts = annotator.answers(stage(), dict([*PROMPTS.items()][:count]), settings({url!r}))
Path("answers").write_text(repr(texts))
"""


@pytest.mark.slow
def test_an_experiment_pays_for_no_answer_again_nor_is_one_of_its_own_paid_again(serve, tmp_path: Path) -> None:
    server = serve(lambda prompt, count: completion("yes"))
    place = tmp_path / "project"
    place.mkdir()
    command = {"cmd": f"{sys.executable} ask.py", "params": ["prompts"], "outs": ["answers"]}
    texts = {
        ".gitignore": ".work\n",
        "params.yaml": "prompts: 4\n",
        "dvc.yaml": json.dumps({"stages": {"ask": command}}),
        "ask.py": ASK.format(root=str(ROOT), tests=str(ROOT / "tests"), url=server.url),
    }
    for name, text in texts.items():
        (place / name).write_text(text)

    def run(*words: str) -> None:
        subprocess.run(words, cwd=place, check=True)

    run("git", "init", "--quiet")
    run("git", "config", "user.email", "a@b.c")
    run("git", "config", "user.name", "a")
    run("dvc", "init", "--quiet")
    run("dvc", "repro", "--quiet")
    run("git", "add", "--all")
    run("git", "commit", "--quiet", "--message", "run")
    assert len(server.prompts) == 4
    run("dvc", "exp", "run", "--quiet", "--temp", "--set-param", "prompts=8")
    assert len(server.prompts) == 8 and len(set(server.prompts)) == 8
    (place / "params.yaml").write_text("prompts: 9\n")
    run("dvc", "repro", "--quiet")
    assert len(server.prompts) == 9 == len(set(server.prompts))
