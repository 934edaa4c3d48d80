"""vLLM's OpenAI-compatible servers: started by the command template of machine.yaml; what each serves."""

from __future__ import annotations

import contextlib
import os
import shlex
import socket
import subprocess
import sys
from collections.abc import Awaitable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pipeline.core import journal, machine
from pipeline.core.errors import PipelineError
from pipeline.core.lease import hold_gpus
from pipeline.inference import client, devices, keeper
from pipeline.inference.client import NONSENSE, UNREACHABLE, Client, NoAnswer
from pipeline.inference.settings import Inference

_TAIL = 65536  # bytes of a log in which its last words stand
_KEY = "VLLM_API_KEY"  # vLLM's own name for it


class Server(Client):
    """A vLLM server. down: why it is left out, "" while it answers; name: what it calls the model.

    process, log: of one that the stage has started. Its calls raise NoAnswer where another server may answer instead,
    PipelineError where it refuses what is sent.
    """

    def __init__(
        self, url: str, timeout: float, process: subprocess.Popen[bytes] | None = None, log: Path | None = None
    ) -> None:
        self.url, self.process, self.log = url.rstrip("/").removesuffix("/v1"), process, log
        self.down, self.name = "was not asked yet", ""
        key = client.key_in(_KEY if os.environ.get(_KEY) else "", "inference")
        super().__init__(f"{self.url}/v1", key, timeout, proxied=process is None)  # one on this machine is behind none

    @property
    def ended(self) -> bool:
        """Whether the stage started it and it has ended."""
        return self.process is not None and self.process.poll() is not None

    async def _answer(self, coming: Awaitable[object]) -> Any:
        try:
            return await super()._answer(coming)
        except NoAnswer as error:
            if error.status in (UNREACHABLE, NONSENSE, 429) or error.status >= 500:
                raise
            raise PipelineError(
                f"{machine.FILE}: inference: {self.url} {error}; it must be a vLLM server, its key in ${_KEY} where it "
                "has one"
            ) from error

    async def look(self, model: Path, length: int) -> str:
        """Note what it calls `model`, and that it answers; or what else it serves.

        A model is known by its folder, or by its name in params.yaml: `m2` for `data/m2/model`.
        """
        await self.get(f"{self.url}/health")
        served = await self.models()
        alias = model.parent.name if model.name == "model" else model.name
        for card in served:
            folders = {str(card["id"]), str(card.get("root") or "")}
            if card["id"] == alias or model.resolve() in {Path(one).resolve() for one in folders if one}:
                if (card.get("max_model_len") or length) < length:
                    return f"serves {model} with a context of {card['max_model_len']} tokens, {length} are needed"
                self.name, self.down = str(card["id"]), ""
                return ""
        return f"serves {', '.join(str(card['id']) for card in served)}"


@contextlib.contextmanager
def started(name: str, index: int, model: Path, params: Inference, here: machine.Inference) -> Iterator[list[Server]]:
    """Servers of the stage's engine `name`, the `index`-th, as `here.serve` starts them; ended after the block.

    One at each of `here.endpoints` (its port plus `index`), else `here.replicas` at free ports of this machine. Their
    logs lie in `.work/servers`.
    """
    given = [urlsplit(url) for url in here.endpoints]
    addresses = [(url.hostname or "", (url.port or 8000) + index) for url in given]
    addresses = addresses or [("127.0.0.1", port) for port in _free_ports(here.replicas)]
    places = devices.places(here) if "{devices}" in here.serve else [()] * len(addresses)
    folder = journal.FOLDER / "servers"
    folder.mkdir(parents=True, exist_ok=True)
    with contextlib.ExitStack() as stack:
        result = []
        for replica, ((host, port), place) in enumerate(zip(addresses, places, strict=True)):
            fields = {
                **here.model_dump(include={"max_num_seqs", "tensor_parallel", "gpu_memory_utilization"}),
                **params.model_dump(),
                "model": model.resolve(),
                "host": host,
                "port": port,
                "devices": ",".join(place),
                "replica": replica,
                "name": name,
                "python": sys.executable,
            }
            words = [word.format(**fields) for word in shlex.split(here.serve)]
            log = folder / f"{name}-{replica}.log"
            with log.open("wb") as out:
                process = subprocess.Popen(
                    [sys.executable, "-P", keeper.__file__, *words],
                    stdin=subprocess.PIPE, stdout=out, stderr=out, start_new_session=True,
                    pass_fds=[lock.fileno() for lock in hold_gpus()],  # leased until the server has ended
                )  # fmt: skip
            stack.callback(process.wait)
            result.append(Server(f"http://{host}:{port}", here.timeout, process, log))
        print(f"{name}: {len(result)} server(s) of {model} start; logs: {folder}", file=sys.stderr, flush=True)
        try:
            yield result
        finally:
            for server in result:
                assert server.process and server.process.stdin
                server.process.stdin.close()


def last_words(path: Path) -> str:
    """The last line of a log that names an error, or the last line."""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - _TAIL))
        lines = [line.strip() for line in file.read().decode(errors="replace").splitlines() if line.strip()]
    named = [line for line in lines if "error" in line.lower()]
    return client.line((named or lines or ["it said nothing"])[-1])


def _free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
