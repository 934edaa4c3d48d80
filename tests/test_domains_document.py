"""docs/domains.md: its commands from a clone to a round's pairs, and the sources that it shows."""

from __future__ import annotations

import re
from pathlib import Path

import polars as pl
import pytest
from documents import ROOT
from test_end_to_end import PSR, call, copy
from yaml import safe_load

from pipeline.core.config import build
from pipeline.data import sources
from pipeline.data.settings import Problems, Source
from pipeline.domains import graders

TEXT = (ROOT / "docs/domains.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)


def test_the_sources_that_the_document_shows_are_read() -> None:
    (text,) = blocks("yaml")
    shown = safe_load(text)["problems"]["evaluation"]
    known, written = (sources.known(build(Source, shown[name], name)) for name in ("arc", "arc2"))
    assert known == written
    for name, source in shown.items():
        build(Source, source, name)
    assert "evaluation" in Problems.model_fields


def test_every_grader_stands_in_the_document() -> None:
    assert {name for name in graders.LISTED if f"`{name}" not in TEXT and name != "gym"} == set()


@pytest.mark.slow
@pytest.mark.e2e
@pytest.mark.timeout(1500)
def test_every_command_runs_from_a_clone_to_pairs(tmp_path: Path) -> None:
    clone = copy(tmp_path / "clone")
    for block in blocks("bash"):
        shown = call(clone, "bash", "-e", "-c", PSR + block)
    assert "Step 1" in shown
    pairs = pl.read_parquet(clone / "data/m2/pairs/train.parquet")
    assert len(pairs) and set(pairs["iteration"]) == {"m2"}
    assert len(pl.read_parquet(clone / "data/ift/train.parquet")) == 10
