"""Rounds of a finished run searched again with other judging, by the pipeline's own stages: tokens, pairs, accuracy."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

import pyarrow.parquet as pq
import yaml

from benchmarks.gates import changes
from pipeline.core import files
from pipeline.core.config import build, laid_over, read_yaml
from pipeline.core.means import mean_and_error, named
from pipeline.core.records import Answered, Preference, Tree
from pipeline.methods.psrlm.settings import FILE, Search
from pipeline.params.profiles import profile

ANSWERS = "answers.parquet"
Row = TypeVar("Row")

WAYS: dict[str, dict[str, Any]] = {  # keys laid over a run's judge; the first is the reference
    "explain, every verdict": {"full": 1.0},
    "explain": {},
    "explain, one order": {"orders": "single"},
    "explain, tournament": {"schedule": "tournament"},
    "explain-short": {"verdict": "explain-short"},
    "logprob": {"verdict": "logprob"},
    "logprob, margin 1": {"verdict": "logprob", "margin": 1.0},
    "logprob, tournament": {"verdict": "logprob", "schedule": "tournament"},
    "listwise": {"schedule": "listwise"},
}
SEARCHES: dict[str, dict[str, Any]] = {name: {"judge": over} for name, over in WAYS.items()} | {
    "explain, two waves": {"first_wave": 3},  # of six candidates
    "explain, one if sure": {"first_wave": 1, "sure": 0.9},  # of six candidates
    "explain, one order, one if sure": {"first_wave": 1, "sure": 0.9, "judge": {"orders": "single"}},
    "explain, warmer": {"sampling": {"temperature": 1.2}},  # in the place of 0.8: fewer states of equal candidates
    "explain, warmer, two waves": {"sampling": {"temperature": 1.2}, "first_wave": 3},
    "explain, one order, warmer, wave of two": {
        "sampling": {"temperature": 1.2},
        "first_wave": 2,
        "judge": {"orders": "single"},
    },
}


def recorded(path: Path, kind: type[Row]) -> Iterator[Row]:
    """Rows of a run, of this version's records or of an earlier one's."""
    for batch in pq.ParquetFile(path).iter_batches(64):
        yield from (files.record(kind, row) for row in batch.to_pylist())


def trees(path: Path) -> Iterator[Tree]:
    """The trees of a run."""
    return recorded(path, Tree)


def rounds_of(params: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """The rounds of a run in which steps were judged: those of psrlm."""
    return {key: entry for key, entry in params["rounds"].items() if entry["method"] == "psrlm"}


def settings_of(params: Mapping[str, Any], over: Mapping[str, Any]) -> Search:
    """The run's search with other values, and the default profile's where the run has no such key yet."""
    base = laid_over(profile("tiny")["psrlm"]["search"], params["psrlm"]["search"])
    return build(Search, laid_over(laid_over(base, {"judge": {"full": 0.0}}), over), "psrlm.search")


def staged(name: str, folder: Path, key: str, **paths: Path) -> None:
    """Run a stage of the pipeline with the parameters in `folder`."""
    given = [f"--{name}={path}" for name, path in paths.items()]
    command = [sys.executable, "-m", f"stages.{name}", f"--params={folder / 'params.yaml'}", f"--key={key}", *given]
    subprocess.run(command, check=True, env=os.environ | {"PYTHONPATH": os.getcwd()})


def searched_again(run_folder: Path, policy: Path, folder: Path, over: Mapping[str, Any], key: str) -> dict[str, Any]:
    """A round searched in one way by the model `policy`: tokens of candidates and verdicts, and its pairs."""
    params = read_yaml(run_folder / "params.yaml")
    params["psrlm"]["search"] = settings_of(params, over).model_dump()
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "params.yaml").write_text(yaml.safe_dump(params), encoding="utf-8")
    problems = run_folder / f"data/problems/round-{key}.parquet"
    made = {"trees": folder / "trees", "stats": folder / "search.json"}
    staged("search", folder, key, policy=policy, problems=problems, **made)
    made = {"pairs": folder / "pairs", "dropped": folder / "dropped.parquet", "stats": folder / "pairs.json"}
    staged("pairs", folder, key, trees=folder / "trees", searched=folder / "search.json", **made)
    statistics = files.read_json(made["stats"])
    counted = {"pairs": statistics["pairs"], "content": statistics["content"]}
    return tokens(trees(folder / "trees" / FILE)) | counted


def tokens(searched: Iterator[Tree]) -> dict[str, int]:
    """Sampled tokens of a search."""
    numbers = {"candidates": 0, "verdicts": 0, "calls": 0}
    for tree in searched:
        for state in tree.states:
            numbers["candidates"] += sum(one.tokens for one in state.candidates)
            numbers["verdicts"] += sum(one.tokens for one in state.verdicts)
            numbers["calls"] += sum(not one.reused for one in state.verdicts)
    return numbers


def spent(run_folder: Path) -> dict[str, dict[str, int]]:
    """Where the sampled tokens of each round went: into states whose usable candidates are all equal, into others that
    named no best and worst, into decided ones; and the pairs that were kept of these."""
    numbers = {}
    for key in rounds_of(read_yaml(run_folder / "params.yaml")):
        data, counts = run_folder / "data" / key, Counter[str]()
        for state in (state for tree in trees(data / "trees" / FILE) for state in tree.states):
            texts = {one.text for one in state.candidates if one.usable}
            kind = "equal" if len(texts) < 2 else "tied" if state.best == state.worst else "decided"
            counts[kind] += 1
            counts[f"{kind} candidates"] += sum(one.tokens for one in state.candidates)
            counts[f"{kind} verdicts"] += sum(one.tokens for one in state.verdicts)
        numbers[key] = dict(counts) | {"pairs": pq.read_metadata(data / "pairs/train.parquet").num_rows}
    return numbers


def rounds(run_folder: Path, folder: Path) -> dict[str, Any]:
    """Every round of a run searched again with every verdict, beside the run's own tokens and pairs."""
    numbers = {}
    for key, entry in rounds_of(read_yaml(run_folder / "params.yaml")).items():
        policy = run_folder / "data" / entry["from"] / "model"
        every = searched_again(run_folder, policy, folder / key, {"judge": {"full": 1.0}}, key)
        own = tokens(trees(run_folder / "data" / key / "trees" / FILE))
        rows = files.read(run_folder / "data" / key / "pairs/train.parquet", Preference)
        own |= {"content": files.content(rows)}  # today's hash, whatever version wrote them
        saved = 1 - own["verdicts"] / every["verdicts"]
        numbers[key] = {"every": every, "own": own, "saved": saved, "same": every["content"] == own["content"]}
        print(key, numbers[key], flush=True)
    return numbers


def trained(run_folder: Path, folder: Path, over: Mapping[str, Any], through: int) -> dict[str, dict[str, Any]]:
    """The run's first `through` rounds again, searched in one way, each from the model of the round before: by model,
    what its round cost, its pairs, and its greedy accuracy beside the run's own model on the same problems."""
    judged_in = rounds_of(read_yaml(run_folder / "params.yaml"))
    numbers: dict[str, dict[str, Any]] = {}
    data = run_folder / "data"
    start = data / next(iter(judged_in.values()))["from"] / "model"
    for key in list(judged_in)[:through]:
        here = folder / key
        numbers[key] = searched_again(run_folder, start, here, over, key)
        lost = {"dropped": here / "lost.parquet", "curve": here / "loss.csv", "stats": here / "dpo.json"}
        staged("dpo", here, key, start=start, pairs=here / "pairs", model=here / "model", **lost)
        problems, answers, stats = data / "problems/evaluation.parquet", here / "answers", here / "evaluation.json"
        staged("evaluate", here, key, model=here / "model", problems=problems, answers=answers, stats=stats)
        pooled = files.read_json(stats)["pooled"]
        numbers[key] |= {name: pooled[name] for name in ("accuracy", "accuracy_se")}
        numbers[key] |= beyond(data / key / "evaluation" / ANSWERS, answers / ANSWERS)
        start = here / "model"
    return numbers


def beyond(own: Path, answers: Path) -> dict[str, float]:
    """Accuracy beyond that of the run's own model on the same problems, and its paired standard error."""
    of_each = changes(*(list(recorded(path, Answered)) for path in (own, answers)))
    return named("beyond", mean_and_error([float(change) for change in of_each.values()]))
