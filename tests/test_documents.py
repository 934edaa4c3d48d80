"""README and CONTRIBUTING against the code; their commands themselves run in test_end_to_end.py."""

from __future__ import annotations

import re
import runpy
import subprocess
import sys

import pytest
import yaml
from documents import DOCUMENTS, MARKS, ROOT, RUN_OTHERWISE, blocks, to_run

from pipeline.cli import __main__ as psr

STAGES = sorted(path.stem for path in (ROOT / "stages").glob("*.py") if path.stem != "__init__")


@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_block_of_commands_is_run_or_says_what_it_needs(name: str) -> None:
    commands = blocks(name)
    assert commands and all(mark in ("", *MARKS) for mark, _ in commands)
    text = (ROOT / name).read_text()
    assert len(commands) == len(re.findall(r"^```(?:bash|sh|shell|console)", text, re.MULTILINE))


def test_commands_that_run_otherwise_stand_in_the_documents_and_make_knows_their_targets() -> None:
    assert set(RUN_OTHERWISE) <= {command for name in DOCUMENTS for _, commands in blocks(name) for command in commands}
    assert not set(RUN_OTHERWISE) & set(to_run())
    for target in (command.removeprefix("make ") for command in RUN_OTHERWISE if command.startswith("make ")):
        subprocess.run(["make", "--dry-run", target], cwd=ROOT, capture_output=True, check=True)


@pytest.mark.parametrize("name", DOCUMENTS)
def test_files_and_commands_named_in_the_documents_exist(name: str) -> None:
    text = (ROOT / name).read_text()
    for path in re.findall(r"`((?:pipeline|stages|tests|docs|diagnostics)/[\w./-]+)`", text):
        assert (ROOT / path).exists(), path
    for link in re.findall(r"\]\((?!https?:)([^)#]+)\)", text):
        assert (ROOT / link).exists(), link
    targets = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert set(re.findall(r"`make ([a-z]+)", text)) <= set(targets)


def test_what_psr_verify_asks_of_a_method_stands_in_contributing() -> None:
    code = "".join(path.read_text() for path in (ROOT / "pipeline/cli/verify").glob("*.py"))
    asked = set(re.findall(r'rounds\.part\(\w+, "(\w+)"\)', code))
    document = (ROOT / "CONTRIBUTING.md").read_text()
    named = re.search(r"`verify`, of which `psr verify` asks(.*?)\. ", document, re.DOTALL)
    assert named and set(re.findall(r"`(\w+)`", named[1])) == asked > set()


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_says_what_it_reads_and_writes(
    stage: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", [stage, "--help"])
    with pytest.raises(SystemExit, match="0"):
        runpy.run_module(f"stages.{stage}", run_name="__main__", alter_sys=True)
    text = capsys.readouterr().out
    assert "reads" in text and "writes" in text


def test_psr_and_its_commands_say_what_they_read_and_write(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def text(*arguments: str) -> str:
        monkeypatch.setattr(sys, "argv", ["psr", *arguments, "--help"])
        with pytest.raises(SystemExit, match="0"):
            psr.main()
        return capsys.readouterr().out

    names = re.findall(r"^    ([a-z]+) ", text(), re.MULTILINE)
    assert {"profile", "check", "compare", "show", "ablate", "verify", "doctor", "clean"} <= set(names)
    for name in names:
        assert re.search(r"\breads\b", text(name), re.I) and re.search(r"\b(writes|queues)\b", text(name), re.I), name


def test_the_citation_and_the_workflow_are_whole() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert {"cff-version", "title", "message", "authors", "version", "license"} <= set(citation)
    assert f'version = "{citation["version"]}"' in (ROOT / "pyproject.toml").read_text()
    workflow = yaml.safe_load((ROOT / "docs/ci-metrics-diff.yml").read_text())
    assert workflow["jobs"]["metrics"]["steps"]
