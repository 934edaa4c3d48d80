"""The reference row: the stage against a real HTTP server on loopback, its files like those of our own models."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from conftest import ROOT
from test_annotator import Reply, completion, serve  # noqa: F401

from pipeline import params
from pipeline.core import files
from pipeline.core.command import Stage
from pipeline.core.errors import PipelineError
from pipeline.core.records import Answered, Problem
from stages import evaluate

REPLIES = {
    "What is 0?": completion("Step 1: zero\nStep 2: The answer is \\boxed{0}."),
    "What is 1?": completion("I think it is \\boxed{7}."),
    "What is 2?": completion("Step 1: on and on", finish="length"),
    "What is 3?": completion("I cannot help with that.", finish="content_filter"),
}


def run_stage(folder: Path, monkeypatch: pytest.MonkeyPatch, url: str, **average: Any) -> dict[str, Any]:
    """Run the stage on four problems of two splits; what it wrote as evaluation.json."""
    document = params.profile("smoke")
    document["reference"] |= {"models": ["other/model-4.1"], "url": url, "key_variable": "TEST_KEY"}
    document["evaluate"]["average"] |= average
    (folder / "params.yaml").write_text(yaml.safe_dump(document))
    (folder / "machine.yaml").write_text("endpoints: {concurrency: 2}\n")
    problems = [Problem(f"p{i}", f"What is {i}?", ("easy", "hard")[i // 2], str(i)) for i in range(4)]
    files.write(folder / "problems.parquet", Problem, problems)
    if not (folder / "prompts").exists():
        (folder / "prompts").symlink_to(ROOT / "prompts")
    monkeypatch.chdir(folder)
    paths = {"model": None, "problems": "problems.parquet", "answers": "answers", "stats": "stats.json"}
    places = {name: folder / path if path else None for name, path in paths.items()}
    evaluate.main(Stage("evaluate", folder / "params.yaml", "other/model-4.1", places))
    stats: dict[str, Any] = json.loads((folder / "stats.json").read_text())
    return stats


def reply(prompt: str, _: int) -> Reply:
    (answer,) = [text for question, text in REPLIES.items() if question in prompt]
    return answer


def test_a_reference_is_graded_and_counted_as_our_models_are(
    serve: Any,  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    endpoint = serve(reply)
    stats = run_stage(tmp_path, monkeypatch, endpoint.url)
    assert (stats["easy"]["accuracy"], stats["hard"]["accuracy"], stats["pooled"]["problems"]) == (0.5, 0.0, 4)
    rows = files.read(tmp_path / "answers/answers.parquet", Answered)
    assert [row.end for row in rows] == ["answer", "answer", "length", "content_filter"]
    assert [len(row.steps) for row in rows] == [2, 1, 1, 1] and {row.tokens for row in rows} == {2}
    assert files.read(tmp_path / "answers/samples.parquet", Answered) == []
    assert {body["model"] for body in endpoint.bodies} == {"other/model-4.1"}
    assert {body["temperature"] for body in endpoint.bodies} == {0.0}


def test_more_samples_ask_only_for_the_new_ones_and_nothing_is_paid_twice(
    serve: Any,  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    endpoint = serve(reply)
    stats = run_stage(tmp_path, monkeypatch, endpoint.url, splits=["easy"], samples=2)
    assert stats["easy"]["sampled"]["accuracy"] == 0.5 and "sampled" not in stats["hard"]
    assert len(endpoint.prompts) == 4 + 2 * 2
    assert len({body["seed"] for body in endpoint.bodies}) == 8
    assert run_stage(tmp_path, monkeypatch, endpoint.url, splits=["easy"], samples=2) == stats
    run_stage(tmp_path, monkeypatch, endpoint.url, splits=["easy"], samples=3)
    assert len(endpoint.prompts) == 4 + 3 * 2


def test_a_refusing_endpoint_is_one_line_that_names_the_section(
    serve: Any,  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    endpoint = serve(lambda prompt, count: (401, "{}"))
    with pytest.raises(PipelineError, match=r"^reference\.url: .* refuses the key in \$TEST_KEY"):
        run_stage(tmp_path, monkeypatch, endpoint.url)
    assert not (tmp_path / "stats.json").exists()
