"""The embedded world's oracle as an annotator behind an OpenAI-compatible endpoint on loopback, for chaos.py."""

from __future__ import annotations

import json
import threading
import time
from contextlib import suppress
from functools import cached_property
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from pipeline.core import config
from pipeline.domains.arithmetic import oracle
from pipeline.methods.psrlm import eft


class Server(ThreadingHTTPServer):
    """Answers every judge's prompt about the layers of a run's EFT search, each after `delay` seconds.

    The prompts are those of the stage `eft`, looked up by their text: the oracle reads steps, not prompts.
    """

    daemon_threads = True

    def __init__(self, run: Path, delay: float) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.run_folder, self.delay = run, delay
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        """What `annotator.url` of params.yaml is."""
        return f"http://127.0.0.1:{self.server_port}/v1"

    @cached_property
    def answers(self) -> dict[str, str]:
        """The oracle's judgment by the judge's prompt; the run's search must have ended."""
        params = self.run_folder / "params.yaml"
        family = config.load(params, "prompts", config.Prompts).family
        annotation = eft.Annotation(self.run_folder / "data/eft_trees/psrlm", config.load(params, "psrlm.eft", eft.Eft))
        judgments = annotation.by_oracle(oracle, family)
        return {text: judgments[key] for key, text in annotation.prompts(family).items()}


class _Handler(BaseHTTPRequestHandler):
    server: Server

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        text = self.server.answers[body["messages"][0]["content"]]
        time.sleep(self.server.delay)
        usage = {"prompt_tokens": 0, "completion_tokens": len(text), "total_tokens": len(text)}
        choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
        whole = {"id": "0", "object": "chat.completion", "created": 0, "model": body["model"]}
        content = json.dumps(whole | {"choices": [choice], "usage": usage}).encode()
        with suppress(BrokenPipeError, ConnectionResetError):  # whoever asked was killed meanwhile
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

    def log_message(self, *_: Any) -> None:
        """Nothing: a request is no news."""
