"""Real vLLM servers on loopback: whatever serves the model, and whatever ends in the middle, the trees are the same."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import yaml
from conftest import judge, phase

from pipeline.core import journal, machine
from pipeline.core.config import Sampling, build
from pipeline.core.errors import PipelineError
from pipeline.core.records import Problem
from pipeline.domains.arithmetic import authors
from pipeline.inference import devices, served
from pipeline.inference.engines import open_engines
from pipeline.inference.loop import run
from pipeline.inference.pool import PooledEngine
from pipeline.inference.requests import Completion, Engine, Request, Task, samples
from pipeline.inference.servers import Server, started
from pipeline.inference.settings import Inference
from pipeline.language.renderer import Renderer
from pipeline.methods.psrlm import eft_search
from pipeline.methods.psrlm import search as step_search
from pipeline.methods.psrlm.settings import EftSearch, Search
from pipeline.training import corpus

pytestmark = pytest.mark.timeout(600)
ROOT = Path(__file__).parent.parent
SHIPPED = ROOT / "pipeline/domains/arithmetic/shipped"
PARAMS = Inference(dtype="float32", max_model_len=768)
WARM = Sampling(temperature=0.8, top_p=0.95, max_tokens=40)
JUDGE = judge(structured=True, sampling=Sampling(temperature=0.0, top_p=1.0, max_tokens=6))
STEPS = Search(width=4, first_wave=1, sure=0.9, sampling=WARM, max_steps=3, rollbacks=1, judge=JUDGE)
TREES = EftSearch(width=4, iterations=6, depth=2, exploration=1.0, sampling=WARM, max_steps=3)
SERVE = (
    "env VLLM_CPU_KVCACHE_SPACE=1 VLLM_CPU_OMP_THREADS_BIND=nobind OMP_NUM_THREADS=1 {python} -m "
    "vllm.entrypoints.openai.api_server --model {model} --host {host} --port {port} --dtype {dtype} --max-model-len "
    "{max_model_len} --max-num-seqs {max_num_seqs} --tensor-parallel-size {tensor_parallel} --load-format safetensors "
    "--enforce-eager --block-size 32 --num-gpu-blocks-override 256 --no-enable-chunked-prefill "
    "--max-num-batched-tokens 8192"
)


def here(**values: Any) -> machine.Inference:
    return machine.Inference(
        **{"replicas": 1, "max_num_seqs": 16, "concurrent_problems": 8, "kv_cache_tokens": 8192} | values
    )


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The world's base model, which writes steps; it has four attention heads."""
    return Path(shutil.copytree(SHIPPED, tmp_path_factory.mktemp("data") / "m1" / "model"))


@pytest.fixture(scope="module")
def starting(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Server]]:
    """Two servers that the template has started; the tests that need none run meanwhile."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(journal, "FOLDER", tmp_path_factory.mktemp("work"))
        with started("policy", 0, model, PARAMS, here(replicas=2, serve=SERVE)) as servers:
            patch.undo()
            yield servers


@pytest.fixture(scope="module")
def pair(starting: list[Server], model: Path) -> list[Server]:
    """They are ready."""
    served.ServedEngine(model, PARAMS, here(), starting).close()
    return starting


def tasks(renderer: Renderer) -> dict[str, Task[Any]]:
    """Step searches, tree searches whose PRM is the policy, and what does not fit the context."""
    world = corpus.documents(authors, 3, phase(6), 0.5)
    problems = [Problem(f"p{number}", _problem(document.prompt), "x") for number, document in enumerate(world)]
    named: dict[str, Task[Any]] = {f"steps {p.problem_id}": step_search.search(renderer, p, STEPS, 1) for p in problems}
    named |= {f"tree {p.problem_id}": eft_search.search(renderer, p, TREES, 1) for p in problems}
    return named | {"long": _long(renderer), "ends": _ends(renderer)}


def _problem(prompt: str) -> str:
    """What a document of the world asks."""
    return prompt.partition("Question: ")[2].partition("\n")[0]


def _long(renderer: Renderer) -> Task[list[Completion]]:
    return (yield [Request((5,) * 760, 9), Request((5,) * 760, 8)])


def _ends(renderer: Renderer) -> Task[list[Completion]]:
    """Completions that a stop text, a token that ends the turn, and the cap end."""
    free = yield samples(renderer, (33, 78, 65), WARM, 3, 2**62)
    stop = (free[0].text[3:5],)
    drawn = yield [*samples(renderer, (33, 78, 65), WARM, 3, 2**62, stop), Request((33, 78), 8, ends=tuple(range(700)))]
    return [*free, *drawn]


def grow(engines: Mapping[str, Engine], during: Callable[[int], object] = lambda number: None) -> dict[str, Any]:
    done: dict[str, Any] = {}

    def finished(key: str, row: Any) -> None:
        done[key] = row
        during(len(done))

    renderer = Renderer(engines["policy"].tokenizer, "arithmetic")
    run({"policy": engines["policy"], "prm": engines["policy"]}, tasks(renderer).items(), 8, finished)
    return dict(sorted(done.items()))


def through(model: Path, **settings: Any) -> dict[str, Any]:
    with open_engines({"policy": model}, PARAMS, here(**settings)) as engines:
        return grow(engines)


@pytest.fixture(scope="module")
def pooled(model: Path, starting: list[Server]) -> dict[str, Any]:
    return through(model)


def test_the_searches_are_searches(pooled: dict[str, Any]) -> None:
    assert [one.finish for one in pooled["long"]] == ["context", "length"]
    *free, stopped, _, _, ended = pooled["ends"]
    assert len({one.text for one in free}) == 3 and stopped.finish == "stop" and not stopped.ended
    assert ended.finish == "stop" and ended.ended
    assert sum(len(tree.nodes) for key, tree in pooled.items() if key.startswith("tree")) > 30
    assert sum(len(tree.states) for key, tree in pooled.items() if key.startswith("steps")) > 12


@pytest.mark.slow
def test_two_replicas_give_the_trees_of_one(model: Path, pooled: dict[str, Any]) -> None:
    assert repr(through(model, replicas=2)) == repr(pooled)


@pytest.mark.slow
def test_tensor_parallel_gives_the_same_steps_and_nearly_the_same_scores(model: Path, pooled: dict[str, Any]) -> None:
    done = through(model, tensor_parallel=2)
    for key, one in done.items():
        if not key.startswith("tree"):
            assert repr(one) == repr(pooled[key])
            continue
        for node, other in zip(one.nodes, pooled[key].nodes, strict=True):
            assert (node.parent, node.step, node.visits) == (other.parent, other.step, other.visits)
            assert (node.score, node.value) == pytest.approx((other.score, other.value), rel=1e-4)


def test_one_server_and_two_give_the_trees_of_the_pool(pair: list[Server], model: Path, pooled: dict[str, Any]) -> None:
    first, second = (server.url for server in pair)
    assert repr(through(model, endpoints=(first,))) == repr(pooled)
    before = [posts(server) for server in pair]
    assert repr(through(model, endpoints=(f"{first}/v1", second))) == repr(pooled)
    sent = [posts(server) - number for server, number in zip(pair, before, strict=True)]
    assert all(sent) and sum(sent) < before[0] + 1  # each takes its part of the tasks


def posts(server: Server) -> int:
    assert server.log
    return server.log.read_text().count('"POST /v1/completions HTTP/1.1" 200')


def test_candidates_of_a_state_go_as_one_request(pair: list[Server], model: Path) -> None:
    ids, before = tuple(range(33, 60)), posts(pair[0])
    sent = [Request(ids, 4, 1.0, seed=7 + number) for number in range(6)]
    sent += [Request(ids, 4, 1.0, seed=40), Request(ids, 4), Request(ids, 4), Request(ids[1:], 4, 1.0, seed=41)]
    with open_engines({"policy": model}, PARAMS, here(endpoints=(pair[0].url,))) as engines:
        for number, request in enumerate(sent):
            engines["policy"].submit(str(number), request, 0)
        done: dict[str, Completion] = {}
        while len(done) < len(sent):
            done |= engines["policy"].step()
    assert posts(pair[0]) - before == 5 and done["7"] == done["8"]


@pytest.mark.parametrize(
    ("folder", "length", "line"),
    [("m2", 768, r"serves \S+/m1/model"), ("m1", 1024, "with a context of 768 tokens, 1024 are needed")],
)
def test_a_server_of_another_model_or_length_is_one_line(
    folder: str, length: int, line: str, pair: list[Server], model: Path, tmp_path: Path
) -> None:
    other = model if folder == "m1" else Path(shutil.copytree(model, tmp_path / folder / "model"))
    params = Inference(dtype="float32", max_model_len=length)
    with (
        pytest.raises(PipelineError, match=rf"served nowhere .*{line}") as caught,
        open_engines({"policy": other}, params, here(endpoints=(pair[0].url, "http://127.0.0.1:9"))),
    ):
        pass
    assert "127.0.0.1:9 cannot be reached" in str(caught.value) and "\n" not in str(caught.value)


def children(process: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{process}/task/{process}/children").read_text().split()]


def kill(server: Server) -> None:
    """Kill what a keeper keeps, its whole group."""
    assert server.process
    (group,) = children(server.process.pid)
    os.killpg(group, signal.SIGKILL)


def kill_engine(server: Server) -> None:
    """Kill the engine behind a server, which then answers 500, and wait for the server's end."""
    assert server.process
    (api,) = children(server.process.pid)
    for child in children(api):
        if "Engine" in Path(f"/proc/{child}/comm").read_text():
            os.kill(child, signal.SIGKILL)
    server.process.wait(60)


def test_a_server_killed_in_the_middle_changes_nothing(
    pair: list[Server], model: Path, pooled: dict[str, Any], capfd: pytest.CaptureFixture[str]
) -> None:
    with open_engines({"policy": model}, PARAMS, here(endpoints=tuple(server.url for server in pair))) as engines:
        done = grow(engines, lambda number: kill(pair[1]) if number == 3 else None)
    assert repr(done) == repr(pooled)
    assert f"{pair[1].url} cannot be reached" in capfd.readouterr().err


@pytest.mark.slow
def test_a_server_that_comes_back_is_taken_in_and_without_any_the_run_ends_with_one_line(
    pair: list[Server],
    model: Path,
    pooled: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(journal, "FOLDER", tmp_path)
    monkeypatch.setattr(served, "GRACE", 240.0)
    again = here(serve=SERVE, endpoints=(pair[0].url,))
    with ExitStack() as stack, open_engines({"policy": model}, PARAMS, here(endpoints=(pair[0].url,))) as engines:

        def restart(number: int) -> None:
            if number == 3:
                kill_engine(pair[0])
                pair[0] = stack.enter_context(started("policy", 0, model, PARAMS, again))[0]

        assert repr(grow(engines, restart)) == repr(pooled)
        output = capfd.readouterr().err
        assert "answers 500 (" in output and "answers: it is taken in" in output
        monkeypatch.setattr(served, "GRACE", 0.5)
        finished: list[int] = []
        with pytest.raises(PipelineError, match=r"no server answers any more .*finished work is kept") as caught:
            grow(engines, lambda number: (finished.append(number), kill(pair[0]) if number == 3 else None))
        assert len(finished) >= 3 and "\n" not in str(caught.value)


def test_a_server_that_ends_instead_of_starting_is_one_line_with_its_last_words(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal, "FOLDER", tmp_path)
    command = """{python} -c "import sys; print('so it is'); sys.exit('Error: no room')" {model} {port}"""
    with (
        pytest.raises(PipelineError, match=r"exit code 1: Error: no room; see \S+policy-0.log") as caught,
        open_engines({"policy": model}, PARAMS, here(serve=command)),
    ):
        pass
    assert "\n" not in str(caught.value)


SERVING = """
import sys, time
from pathlib import Path
from pipeline.core import journal, machine
from pipeline.inference.servers import started
from pipeline.inference.settings import Inference
journal.FOLDER = Path(sys.argv[2])
here = machine.Inference(replicas=1, serve="sh -c 'sleep 1000 & sleep 1000; : {model} {port}'")
with started("policy", 0, Path(sys.argv[1]), Inference(dtype="float32", max_model_len=9), here) as servers:
    print(servers[0].process.pid, flush=True)
    time.sleep(1000)
"""
POOL = """
import sys, time
from pathlib import Path
from pipeline.core import machine
from pipeline.inference.pool import PooledEngine
from pipeline.inference.settings import Inference
if __name__ == "__main__":
    here = machine.Inference(replicas=1, tensor_parallel=2)
    engine = PooledEngine(Path(sys.argv[1]), Inference(dtype="float32", max_model_len=768), here, [()])
    print(engine._processes[0].pid, flush=True)
    time.sleep(1000)
"""


def family(leader: int) -> set[int]:
    """Living processes below `leader`, or in a group that one of them leads, and itself."""
    members = {leader}
    for _ in range(3):
        table = subprocess.run(["ps", "-eo", "pid=,ppid=,pgid=,stat="], capture_output=True, text=True).stdout
        for pid, parent, group, state in map(str.split, table.splitlines()):
            if {int(parent), int(group)} & members and not state.startswith("Z"):
                members.add(int(pid))
    return members


def alive(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + 120
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.1)


@pytest.mark.slow
@pytest.mark.parametrize("script", [SERVING, POOL], ids=["servers", "replica"])
def test_a_killed_stage_leaves_no_process_behind(script: str, model: Path, tmp_path: Path) -> None:
    file = tmp_path / "stage.py"
    file.write_text(script)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        [sys.executable, file, model, tmp_path], env=environment, stdout=subprocess.PIPE, text=True
    ) as stage:
        assert stage.stdout
        leader = int(stage.stdout.readline())
        try:
            until(lambda: len(family(leader)) > 2)  # a replica and two workers; a keeper, a server and its own
        finally:
            begun = family(leader)
            stage.kill()
        until(lambda: not any(map(alive, begun)))


def test_a_killed_replica_says_how_it_ended_and_what_to_do(model: Path) -> None:
    engine = PooledEngine(model, PARAMS, here(), [()])
    engine._processes[0].kill()
    engine.submit("0", Request((1,), 1), 0)
    with pytest.raises(PipelineError, match=r"killed by SIGKILL, as Linux does when memory runs out") as caught:
        while True:
            engine.step()
    engine.close()
    assert "\n" not in str(caught.value)


def test_replicas_own_their_gpus_and_models_of_one_stage_divide_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "gpus", lambda: ["0", "1", "2", "3", "5"])
    assert devices.places(here(replicas=2, tensor_parallel=2)) == [("0", "1"), ("2", "3")]
    assert devices.shared(here(gpu_memory_utilization=0.9), 2).gpu_memory_utilization == 0.45
    with pytest.raises(PipelineError, match=r"replicas: 3 of 2 GPU\(s\) each need 6, 5 can be seen"):
        devices.places(here(replicas=3, tensor_parallel=2))
    monkeypatch.setattr(devices, "gpus", list)
    assert devices.places(here(replicas=2, tensor_parallel=2)) == [(), ()]


@pytest.mark.parametrize(
    ("heads", "groups", "fits"), [(28, 4, [1, 2, 4, 28]), (9, 3, [1, 3, 9]), (64, 8, [1, 2, 4, 8, 16, 32, 64])]
)
def test_heads_that_cannot_be_split_are_refused(heads: int, groups: int, fits: list[int], tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"num_attention_heads": heads, "num_key_value_heads": groups}))
    for size in range(1, heads + 1):
        if size in fits:
            devices.require_divisible([tmp_path], size)
            continue
        with pytest.raises(PipelineError, match=f"over {size}; give one of {', '.join(map(str, fits))}$"):
            devices.require_divisible([tmp_path], size)


def test_the_settings_that_the_guide_shows_are_settings() -> None:
    blocks = re.findall(r"```yaml\n(.*?)```", (ROOT / "docs/inference.md").read_text(), re.DOTALL)
    lone = [line for block in blocks for line in block.splitlines() if line.startswith("inference: {")]
    whole = [block for block in blocks if block.startswith(("inference:  ", "inference:\n"))]
    for text in [*lone, *whole]:
        build(machine.Machine, yaml.safe_load(text), "docs/inference.md: ")
    assert (len(lone), len(whole)) == (3, 3)
