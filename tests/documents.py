"""The shell commands of README.md and CONTRIBUTING.md, as their tests see them."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parent.parent
DOCUMENTS = ("README.md", "CONTRIBUTING.md")
MARKS = ("gpu", "account")
_BLOCK = re.compile(r"^```(bash|sh|shell|console)\b *([^\n]*)\n(.*?)^```", re.MULTILINE | re.DOTALL)

# Commands that no test runs as they stand, and what runs of them.
RUN_OTHERWISE = {
    "make install": "made the environment that the tests run in",
    "make repro": "is `make install` and `dvc repro`; the end-to-end test runs `dvc repro` on the smoke profile",
    "make lint": "the first half of `make test`",
    "make test": "runs the tests beside this one",
    "make test-slow": "runs this test",
    "make lock": "asks the package index for newer versions",
    ". .venv/bin/activate": "the tests' environment is active",
}


def blocks(name: str) -> list[tuple[str, list[str]]]:
    """The shell blocks of a document: what stands after the language, and the commands without their comments."""
    matches = _BLOCK.findall((ROOT / name).read_text(encoding="utf-8"))
    return [(mark, [line for text in body.splitlines() if (line := _bare(text))]) for _, mark, body in matches]


def _bare(line: str) -> str:
    return re.sub(r"(^|\s+)#.*", "", line).strip()


def to_run() -> list[str]:
    """The commands that a test must run, in the order of the documents."""
    return [
        command
        for name in DOCUMENTS
        for mark, commands in blocks(name)
        if not mark
        for command in commands
        if command not in RUN_OTHERWISE
    ]
