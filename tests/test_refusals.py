"""Prompts that a server refuses, against a real HTTP server on loopback: one is left out, all of them stop the run."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml
from test_annotator import PROMPTS, Reply, completion, serve, settings, stage  # noqa: F401

from pipeline import params
from pipeline.core import files
from pipeline.core.command import Stage
from pipeline.core.config import build
from pipeline.core.errors import PipelineError
from pipeline.core.machine import Endpoints, Machine
from pipeline.core.products import Shares
from pipeline.core.records import (
    Answered,
    Dropped,
    JudgedPair,
    Node,
    Problem,
    SampledSolution,
    SampleSet,
    ScoredSolution,
    SearchTree,
)
from pipeline.core.records import Solution as Ift
from pipeline.data.ratings import RatedStep
from pipeline.inference import annotator, endpoint
from pipeline.inference.settings import Annotator
from pipeline.methods.psrlm.eft import Annotation
from pipeline.methods.psrlm.settings import Eft
from stages import eft, evaluate, ift

POLICY = '{"error": {"message": "content policy", "code": "content_filter"}}'
FASTAPI = '{"detail": [{"type": "extra_forbidden", "loc": ["body", "seed"], "msg": "Extra inputs are not permitted"}]}'


def answered(url: str, max_retries: int = 2, **changed: object) -> annotator.Texts:
    return annotator.answers(stage(max_retries=max_retries), PROMPTS, settings(url, **changed))


@pytest.mark.parametrize("position", [0, 5, 11])
@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        ((400, POLICY), "400 (content policy)"), ((422, FASTAPI), "422 ([{'type': 'extra_forbidden'"),
        ((403, '{"error": {"message": "flagged"}}'), "403 (flagged)"), ((413, "{}"), "413"), ((451, "{}"), "451"),
        ((418, '"teapot"'), "418 (teapot)"), ((500, '{"error": "boom"}'), "500 (boom)"), ((409, "{}"), "409"),
        ((400, "<html>no</html>"), "400 (<html>no</html>)"), ((400, '{"message": "top level"}'), "400 (top level)"),
        ((503, "{}"), "503"), ((200, '{"error": {"message": "moderated", "code": 400}}'), "nonsense"),
        ((200, "<html>"), "nonsense"), ((400, '{"error": {"message": "a\\n  b"}}'), "400 (a b)"), ((400, ""), "400"),
    ],
)  # fmt: skip
def test_a_refused_prompt_is_left_out_and_the_rest_is_answered(
    serve: Any,  # noqa: F811
    capsys: pytest.CaptureFixture[str],
    reply: Reply,
    reason: str,
    position: int,
) -> None:
    bad = f"prompt {position}"
    server = serve(lambda prompt, count: reply if prompt == bad else completion("yes"))
    texts = answered(server.url, max_retries=1)
    assert set(texts) == set(PROMPTS) - {f"k{position}"} and set(texts.values()) == {"yes"}
    ((key, (why, words)),) = texts.missing.items()
    assert (key, why) == (f"k{position}", "refused") and words.startswith(reason) and "\n" not in words
    (line,) = [line for line in capsys.readouterr().err.splitlines() if "left out" in line]
    assert line == f"eft: k{position} is left out: {words}"


def test_a_refusal_that_may_pass_is_dropped_only_after_its_retries(serve: Any) -> None:  # noqa: F811
    server = serve(lambda prompt, count: (500, "{}") if prompt == "prompt 3" else completion("yes"))
    assert set(answered(server.url, max_retries=2).missing) == {"k3"}
    assert server.prompts.count("prompt 3") == 3


def test_a_refused_prompt_is_asked_again_by_the_next_run_and_nothing_is_paid_twice(serve: Any) -> None:  # noqa: F811
    mended: list[bool] = []
    server = serve(lambda prompt, count: (400, POLICY) if prompt == "prompt 3" and not mended else completion("yes"))
    assert set(answered(server.url).missing) == {"k3"}
    before = len(server.prompts)
    assert set(answered(server.url).missing) == {"k3"}  # the one that is left is refused, the server still answers
    assert set(server.prompts[before:]) == {"prompt 3", "prompt 0"}
    mended.append(True)
    before = len(server.prompts)
    assert set(answered(server.url)) == set(PROMPTS) and server.prompts[before:] == ["prompt 3"]


@pytest.mark.parametrize("share", [1, 6, 11])
def test_many_refused_prompts_are_left_out_while_others_are_answered(serve: Any, share: int) -> None:  # noqa: F811
    bad = {f"prompt {number}" for number in range(share)}
    server = serve(lambda prompt, count: (400, POLICY) if prompt in bad else completion("yes"))
    assert len(answered(server.url).missing) == share


@pytest.mark.parametrize(
    ("reply", "line"),
    [
        ((400, POLICY), r"answers 400 \(content policy\), asked for eft k\d+"),
        ((422, FASTAPI), r"answers 422 \(\[.*'seed'.*Extra inputs are not permitted"),
        ((403, '{"error": {"message": "no rights"}}'), r"refuses the key in \$TEST_KEY \(403\): no rights"),
        ((401, '{"error": {"message": "bad key"}}'), r"refuses the key in \$TEST_KEY \(401\): bad key"),
        ((404, '{"error": {"message": "The model `m` does not exist"}}'), "answers 404 .*`m` does not exist"),
        ((402, '{"error": {"message": "no credit"}}'), r"answers 402 \(no credit\)"),
        ((405, "{}"), "answers 405"), ((413, "{}"), "answers 413"),
        ((500, '{"error": "boom"}'), r"answers 500 \(boom\)"),
        ((429, '{"error": {"message": "quota"}}'), r"still answers 429 \(quota\)"), ((200, "{}"), "answers nonsense"),
    ],
)  # fmt: skip
def test_where_every_prompt_is_refused_it_is_one_line_with_the_servers_reason(
    serve: Any,  # noqa: F811
    reply: Reply,
    line: str,
) -> None:
    server = serve(lambda prompt, count: reply)
    with pytest.raises(PipelineError, match=line) as caught:
        answered(server.url, max_retries=0)
    assert "\n" not in str(caught.value) and "secret" not in str(caught.value)


@pytest.mark.parametrize("status", [400, 422, 500, 503])
def test_a_server_that_answers_no_more_stops_the_run_and_is_not_asked_for_ever(serve: Any, status: int) -> None:  # noqa: F811
    many = {f"k{i}": f"prompt {i}" for i in range(400)}
    server = serve(lambda prompt, count: completion("yes") if count <= 20 else (status, "{}"))
    with pytest.raises(PipelineError, match=f"answers {status}"):
        annotator.answers(stage(max_retries=0), many, settings(server.url))
    assert len(server.prompts) < 20 + endpoint.IN_A_ROW + 10


def test_a_server_that_refuses_from_the_start_is_not_asked_for_ever(serve: Any) -> None:  # noqa: F811
    many = {f"k{i}": f"prompt {i}" for i in range(400)}
    server = serve(lambda prompt, count: (422, FASTAPI))
    with pytest.raises(PipelineError, match="answers 422"):
        annotator.answers(stage(), many, settings(server.url))
    assert len(server.prompts) <= endpoint.IN_A_ROW + 3


@pytest.mark.parametrize("echo", ["Authorization: Bearer {}", '{{"authorization": "Bearer {}"}}', "you sent {}"])
@pytest.mark.parametrize("status", [400, 401, 404, 429, 500])
def test_a_server_that_echoes_the_key_does_not_get_it_printed(
    serve: Any,  # noqa: F811
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    echo: str,
    status: int,
) -> None:
    key = "plum-tree/0123"
    monkeypatch.setenv("ODD_NAME", key)
    body = json.dumps({"error": {"message": "x" * 280 + echo.format(key)}})
    server = serve(lambda prompt, count: (status, body) if prompt == "prompt 1" else completion(f"the key is {key}"))
    try:
        texts = answered(server.url, key_variable="ODD_NAME", max_retries=0)
        output = json.dumps(texts.missing) + json.dumps(texts)
    except PipelineError as error:
        output = str(error)
    assert "plum" not in output + capsys.readouterr().err


def test_a_password_in_the_url_is_refused_and_in_no_message() -> None:
    given = {**settings("http://h/v1").model_dump(), "url": "http://user:pa@ss@h/v1"}
    with pytest.raises(
        PipelineError, match=r"annotator\.url: must be .* without user and password.*\*\*\*@h"
    ) as caught:
        build(Annotator, given, "annotator")
    assert "pa@ss" not in str(caught.value)


@pytest.mark.parametrize("key", ["sk-é", "sk-a\nb"])
def test_a_key_that_no_header_can_hold_is_one_line(monkeypatch: pytest.MonkeyPatch, key: str, serve: Any) -> None:  # noqa: F811
    monkeypatch.setenv("TEST_KEY", key)
    with pytest.raises(PipelineError, match=r"TEST_KEY holds characters that no key has") as caught:
        answered("http://127.0.0.1:9/v1")
    assert key not in str(caught.value)


# ---------------------------------------------------------------- parameters that are left out


@pytest.mark.parametrize(
    ("api", "omit", "sent"),
    [
        ("chat", [], {"seed", "temperature", "top_p", "max_completion_tokens"}),
        ("chat", ["seed"], {"temperature", "top_p", "max_completion_tokens"}),
        ("chat", ["seed", "top_p"], {"temperature", "max_completion_tokens"}),
        ("chat", ["temperature"], {"seed", "top_p", "max_completion_tokens"}),
        ("chat", ["max_completion_tokens"], {"seed", "temperature", "top_p", "max_tokens"}),
        ("chat", ["max_tokens"], {"seed", "temperature", "top_p", "max_completion_tokens"}),
        ("chat", ["max_tokens", "max_completion_tokens"], {"seed", "temperature", "top_p"}),
        ("chat", ["seed", "temperature", "top_p", "max_tokens", "max_completion_tokens"], set()),
        ("completions", [], {"seed", "temperature", "top_p", "max_tokens"}),
        ("completions", ["max_tokens", "seed"], {"temperature", "top_p"}),
        ("completions", ["max_completion_tokens"], {"seed", "temperature", "top_p", "max_tokens"}),
    ],
)  # fmt: skip
def test_parameters_that_a_server_refuses_are_left_out(serve: Any, api: str, omit: list[str], sent: set[str]) -> None:  # noqa: F811
    text = json.dumps({"choices": [{"text": "yes", "finish_reason": "stop"}]})
    server = serve(lambda prompt, count: completion("yes") if api == "chat" else (200, text))
    assert set(answered(server.url, api=api, omit=tuple(omit)).values()) == {"yes"}
    assert set(server.bodies[0]) == {"model", "messages" if api == "chat" else "prompt"} | sent


def test_an_unknown_parameter_to_leave_out_is_one_line_and_the_key_is_optional() -> None:
    section = params.profile("tiny")["annotator"]
    with pytest.raises(PipelineError) as caught:
        build(Annotator, section | {"omit": ["topp"]}, "params.yaml: annotator")
    assert str(caught.value) == (
        "params.yaml: annotator.omit[0]: must be 'seed', 'temperature', 'top_p', 'max_tokens' or "
        "'max_completion_tokens', is 'topp'"
    )
    assert build(Annotator, section, "annotator").omit == ()
    without = {key: value for key, value in section.items() if key != "omit"}
    assert build(Annotator, without, "annotator").omit == ()
    assert build(Annotator, section | {"omit": ["seed"]}, "annotator").omit == ("seed",)


# ---------------------------------------------------------------- the stages


SHARES = Shares(candidates=0.0, layers=0.0, annotated=0.05, verdicts=0.0, pairs=0.0)


def run_stage(folder: Path, module: ModuleType, key: str, url: str, **paths: str | None) -> None:
    """Run a stage of a run whose annotator and reference stand behind `url`."""
    document = params.profile("smoke")
    document["ift"]["segmenter"] = "annotator"
    document["annotator"] |= {"kind": "endpoint", "url": url, "model": "m", "key_variable": "TEST_KEY"}
    document["reference"] |= {"url": url, "models": ["m"], "key_variable": "TEST_KEY"}
    document["psrlm"]["eft"] |= {"margin": 0.0, "test_pairs": 1, "train_pairs": 0}
    document["srlm"]["eft"] |= {"test_rows": 1}
    (folder / "params.yaml").write_text(yaml.safe_dump(document))
    places: dict[str, Any] = {name: folder / path if path else None for name, path in paths.items()}
    running = Stage(module.__name__.removeprefix("stages."), folder / "params.yaml", key, places)
    running.machine = Machine(endpoints=Endpoints(concurrency=2, max_retries=0))
    module.main(running)


def run_ift(folder: Path, url: str) -> list[Dropped]:
    rows = [Problem(f"p{i}", f"What is {i}?", "ift", str(i), f"It is \\boxed{{{i}}}.") for i in range(6)]
    files.write(folder / "problems.parquet", Problem, rows)
    paths = {"problems": "problems.parquet", "ift": "ift", "dropped": "dropped.parquet", "stats": "stats.json"}
    run_stage(folder, ift, "", url, **paths)
    assert len(files.read(folder / "ift/train.parquet", Ift)) == 5
    return files.read(folder / "dropped.parquet", Dropped)


def run_annotation(folder: Path, method: str, url: str) -> list[Dropped]:
    files.write(folder / "ratings.parquet", Problem, [])
    paths = {"trees": "trees", "ratings": "ratings.parquet", "eft": "eft", "dropped": "dropped.parquet"}
    run_stage(folder, eft, method, url, **paths, stats="stats.json")
    row_type: type[Any] = {"psrlm": JudgedPair, "srlm": ScoredSolution}[method]
    kept = [row for split in ("train", "test") for row in files.read(folder / f"eft/{split}.parquet", row_type)]
    assert {row.problem_id for row in kept} == {"p0", "p1", "p2", "p4", "p5"}
    return files.read(folder / "dropped.parquet", Dropped)


def write_trees(folder: Path) -> None:
    nodes = (
        Node(-1, "", 0.5, 1, 0.5, False),
        Node(0, "Step 1: a", 0.9, 1, 0.9, True),
        Node(0, "Step 1: b", 0.1, 1, 0.1, True),
    )
    trees = [SearchTree(f"p{i}", f"What is {i}?", nodes, "searched") for i in range(6)]
    files.write(folder / "trees.parquet", SearchTree, trees)


def run_eft(folder: Path, url: str) -> list[Dropped]:
    write_trees(folder / "trees")
    return run_annotation(folder, "psrlm", url)


def run_eft_scores(folder: Path, url: str) -> list[Dropped]:
    solved = (SampledSolution("Step 1: \\boxed{1}", 1, "answer", (), None),)
    samples = [SampleSet(f"p{i}", f"What is {i}?", solved) for i in range(6)]
    files.write(folder / "trees/solutions.parquet", SampleSet, samples)
    return run_annotation(folder, "srlm", url)


def judged(prompt: str, count: int) -> Reply:
    """An annotator of all three stages that refuses the third problem."""
    if "What is 3?" in prompt:
        return 400, POLICY
    if "Mark each step of the solution" in prompt:
        return completion("All right.\nScore: 4")
    if "Step 1: a" in prompt:
        return completion(f"The first. [[{'A' if prompt.index('Step 1: a') < prompt.index('Step 1: b') else 'B'}]]")
    number = prompt.split("What is ")[1][0]
    return completion(f"Step 1: It is \\boxed{{{number}}}.")


@pytest.mark.parametrize(("run", "key"), [(run_ift, "p3"), (run_eft, "p3/0"), (run_eft_scores, "p3/0")])
def test_a_stage_keeps_a_refused_prompt_as_a_drop_with_its_reason(
    serve: Any,  # noqa: F811
    tmp_path: Path,
    run: Callable[[Path, str], list[Dropped]],
    key: str,
) -> None:
    (row,) = [row for row in run(tmp_path, serve(judged).url) if row.reason == "refused"]
    assert (row.key, row.text) == (key, "400 (content policy)")


@pytest.mark.parametrize("run", [run_ift, run_eft, run_eft_scores])
@pytest.mark.parametrize(
    ("reply", "counted"),
    [
        (completion("I cannot say."), "(unreadable|no_steps) 6"),
        (completion("<think>I wonder", finish="length"), "length 6"),
        (completion("", finish="length"), "length 6"),
        (completion(""), "empty 6"),
        (completion("", finish="content_filter"), "refused 6"),
    ],
)
def test_a_stage_where_nothing_can_be_read_stops_with_the_reasons_counted(
    serve: Any,  # noqa: F811
    tmp_path: Path,
    run: Callable[[Path, str], list[Dropped]],
    reply: Reply,
    counted: str,
) -> None:
    with pytest.raises(PipelineError, match=rf"of 6 .*\({counted}\).*; the first, p0") as caught:
        run(tmp_path, serve(lambda prompt, count: reply).url)
    assert "\n" not in str(caught.value) and not list(tmp_path.rglob("stats.json"))


@pytest.mark.parametrize("answered", [False, True])
def test_peoples_ratings_do_not_hide_an_annotation_of_which_nothing_is_left(tmp_path: Path, answered: bool) -> None:
    write_trees(tmp_path / "trees")
    rated = [RatedStep("How many?", (), text, rating) for text, rating in (("Step 1: a", 1), ("Step 1: b", -1))]
    chosen = Eft(margin=0.0, pairs_per_problem=1, train_pairs=0, test_pairs=0, ties=0.0)
    annotation = Annotation(tmp_path / "trees", chosen, rated)
    verdicts = {key: "[[A]]" if key.endswith("/0") else "[[B]]" for key in annotation.prompts("arithmetic")}
    if answered:
        train, _, dropped, _ = annotation.rows(verdicts, {}, 1, SHARES)
        assert len(train) == 2 * (6 + 1) and not dropped
    else:
        with pytest.raises(PipelineError, match=r"eft: 0 of 6 .* \(unreadable 6\), .*; the first, p0/0"):
            annotation.rows(dict.fromkeys(verdicts, "I cannot say."), {}, 1, SHARES)


def test_a_problem_that_a_reference_refuses_counts_as_not_solved(
    serve: Any,  # noqa: F811
    tmp_path: Path,
) -> None:
    problems = [Problem(f"p{i}", f"What is {i}?", "easy", str(i)) for i in range(6)]
    files.write(tmp_path / "problems.parquet", Problem, problems)
    paths = {"model": None, "problems": "problems.parquet", "answers": "answers", "stats": "stats.json"}
    run_stage(tmp_path, evaluate, "m", serve(judged).url, **paths)
    rows = files.read(tmp_path / "answers/answers.parquet", Answered)
    assert [(row.end, row.grade) for row in rows if row.problem_id == "p3"] == [("refused", "unreadable")]
    assert json.loads((tmp_path / "stats.json").read_text())["easy"]["accuracy"] == pytest.approx(5 / 6, abs=1e-6)
