"""Publishing and bringing back with the real clients, against a stand-in for the Hub over loopback."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import huggingface_hub
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from hub_stand_in import READER, Failure, Hub, card_errors
from huggingface_hub import DatasetCard, ModelCard

from pipeline import params, publish
from pipeline.core import files
from pipeline.core.errors import PipelineError
from pipeline.core.records import (
    Candidate,
    JudgedPair,
    LabelledSolution,
    Overlap,
    Preference,
    SampledSolution,
    SampleSet,
    Scoring,
    Solution,
    State,
    Tree,
    Verdict,
)
from pipeline.language import prompts
from pipeline.language.renderer import Renderer
from pipeline.publish import configs
from pipeline.publish import hub as hub_module
from pipeline.publish import lock as locks
from pipeline.publish.pull import pull
from pipeline.training.preference import preference_rows

ROOT = Path(__file__).parent.parent
REPOSITORY = "org/steps"
COPIED = (".dvc", "pipeline/", "prompts/", "stages/", "publish/", "dvc.yaml")
SETTINGS = publish.Settings(repository=REPOSITORY, license="apache-2.0", language=("en",), title="Steps of a test")
STEPS = ("Step 1: Ben has 2+1=3.", "Step 2: Cleo has 3+1=4. The answer is \\boxed{4}.")
STARTS = {"m0": None, "m1": "m0", "m2": "m1", "m3": "m2"}
ROUNDS = {"m2": "psrlm", "m3": "psrlm"}
PLACES = publish.Artifacts(
    *(Path(name) for name in ("data/ift", "data/eft/psrlm", "data/prm/steps", "data/problems", "data", "reports"))
)
CONFIGS = ["ift", "eft", "prm", "ppd-m2", "ppd-m3", "trees-m2", "trees-m3"]


def pairs(model: str, count: int = 4) -> list[Preference]:
    """Pairs of first and last steps in turn."""
    first = Preference("p", 1, "Ana has 2 keys.", (), STEPS[0], "Step 1: Ben has 2+1=4.", False, False, 2.0, 0.0, model)
    last = replace(first, step_index=2, steps=STEPS[:1], chosen=STEPS[1], rejected="Step 2: Hm.", chosen_terminal=True)
    return [replace((first, last)[n % 2], problem_id=f"p{n}") for n in range(count)]


def tree() -> Tree:
    candidates = tuple(Candidate(f"Step 1: c{n}", 1, float(n), "step", False) for n in range(2))
    state = State((), candidates, (Verdict(0, 1, "[[B]]", "B"),), "step", 1, 0, False)
    return Tree("p", "Ana has 2 keys.", (state,), STEPS, "answer")


def record_run(folder: Path) -> None:
    """dvc.lock of the run that lies in `folder`, as DVC would write it."""
    made = {
        "problems": ["data/problems", "reports/data/problems.json"],
        "base": ["data/m0/model"],
        "trainings": ["data/m1/model", "data/m2/model"],
        "ift": ["data/ift", "reports/data/ift.json"],
        "prm_data": ["data/prm/steps", "reports/data/prm_data.json"],
        "prm": ["reports/data/prm.json"],
        "prm_eval": ["reports/data/prm_eval.json"],
        "eft@psrlm": ["data/eft/psrlm", "reports/data/eft-psrlm.json"],
        "report": ["reports/table.md"],
    }
    for model in ROUNDS:
        made[f"search@{model}"] = [f"data/{model}/trees", f"reports/models/{model}/search.json"]
        made[f"pairs@{model}"] = [f"data/{model}/pairs", f"reports/models/{model}/pairs.json"]
    sources = {"ift": {"path": "a.jsonl"}, "prm": {"path": "b", "format": "prm800k"}, "eft": {"path": "generated"}}
    parameters = {
        "domain": "arithmetic",
        "prompts": {"family": "arithmetic", "chat": "auto"},
        "problems": {"ngram": 8, **sources, "rounds": {"path": "hub:c"}},
        "annotator": {"kind": "oracle", "url": "secret"},
    }
    stages = {
        name: {
            "cmd": name,
            "deps": [{"path": f"data/{name[-2:]}/trees"}] if name.startswith("pairs") else [{"path": "data/problems"}],
            "params": {"params.yaml": parameters},
            "outs": [{"path": path, "md5": locks.md5(folder / path)} for path in paths],
        }
        for name, paths in made.items()
    }
    (folder / "dvc.lock").write_text(yaml.safe_dump({"schema": "2.0", "stages": stages}, sort_keys=False))


@pytest.fixture
def finished(tmp_path: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that looks like a finished run, and is the working directory."""
    folder = tmp_path / "run"
    judged = JudgedPair("p/0", "p", "Ana has 2 keys.", (), STEPS[0], "Step 1: No.", "A: right. [[A]]", "A", 0.9, 0.1)
    labelled = LabelledSolution("p", "Ana has 2 keys.", STEPS, (True, True))
    files.write(folder / "data/ift/train.parquet", Solution, [Solution("p", "Ana has 2 keys.", STEPS)])
    for split in ("train", "test"):
        files.write(folder / f"data/eft/psrlm/{split}.parquet", JudgedPair, [judged])
        files.write(folder / f"data/prm/steps/{split}.parquet", LabelledSolution, [labelled])
    overlap = Overlap("ift", "p", "ngram", "a b c d e f g h", "text", "e", "text")
    files.write(folder / "data/problems/overlaps.parquet", Overlap, [overlap])
    for model in ("m0", "m1", "m2"):
        shutil.copytree(tiny_model, folder / f"data/{model}/model")
    for model in ROUNDS:
        files.write(folder / f"data/{model}/pairs/train.parquet", Preference, pairs(model))
        files.write(folder / f"data/{model}/trees/trees.parquet", Tree, [tree()])
        for name in ("search", "pairs"):
            files.write_json(folder / f"reports/models/{model}/{name}.json", {"pairs": 4, "dropped": {"tie": 1}})
    for name in ("problems", "ift", "prm_data", "prm", "prm_eval", "eft-psrlm"):
        files.write_json(folder / f"reports/data/{name}.json", {"rows": 1})
    (folder / "reports/table.md").write_text("# Results\n\n## Greedy accuracy\n\n| model | all |\n| --- | --- |\n")
    shutil.copytree(ROOT / "prompts", folder / "prompts")
    record_run(folder)
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """The stand-in, with huggingface_hub in this process talking to it."""
    with Hub() as server:
        for name, value in server.environment(tmp_path / "home").items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", server.url)
        template = huggingface_hub.constants.HUGGINGFACE_CO_URL_TEMPLATE
        template = server.url + template.removeprefix(huggingface_hub.constants._HF_DEFAULT_ENDPOINT)
        monkeypatch.setattr(huggingface_hub.constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "home/hub"))
        monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_DISABLE_XET", True)
        monkeypatch.setattr(hub_module, "WAITS", (0.0, 0.0, 0.0, 0.0))
        yield server


def changed(**values: Any) -> publish.Settings:
    return SETTINGS.model_copy(update=values)


def push(settings: publish.Settings = SETTINGS) -> dict[str, Any]:
    recorded = publish.Lock(Path("dvc.lock"))
    return publish.push(publish.named(settings, recorded), PLACES, recorded, STARTS, ROUNDS)


def change_round(folder: Path, model: str) -> None:
    files.write(folder / f"data/{model}/pairs/train.parquet", Preference, pairs(model, 6))
    record_run(folder)


def graph() -> dict[str, Any]:
    stages: dict[str, Any] = yaml.safe_load((ROOT / "dvc.yaml").read_text())
    return stages


# ---------------------------------------------------------------- pushing


def test_a_push_makes_a_private_repository_with_one_commit_a_config_and_the_card_last(hub: Hub, finished: Path) -> None:
    receipt = push()[REPOSITORY]
    there = hub.dataset(REPOSITORY)
    assert there.private and there.titles == [*CONFIGS, "card"]
    assert receipt["commit"] == there.branches["main"]
    assert set(receipt["sha256"]) == set(there.head.files) - {".gitattributes"}
    assert there.head.files["ift/train.parquet"] == (finished / "data/ift/train.parquet").read_bytes()
    assert "hf_writer" not in json.dumps(receipt) + there.head.files["README.md"].decode()


def test_pushing_the_same_bytes_twice_makes_no_second_commit(hub: Hub, finished: Path) -> None:
    first = push()
    assert push() == first
    assert hub.dataset(REPOSITORY).titles == [*CONFIGS, "card"]


def test_one_changed_round_changes_its_config_alone(hub: Hub, finished: Path) -> None:
    push()
    before = hub.dataset(REPOSITORY).head.files
    change_round(finished, "m3")
    push()
    after = hub.dataset(REPOSITORY).head.files
    assert hub.dataset(REPOSITORY).titles[len(CONFIGS) + 1 :] == ["ppd-m3", "card"]
    assert {path for path in after if after[path] != before[path]} == {
        "ppd-m3/train.parquet",
        "README.md",
        "manifest.json",
    }


def test_a_round_that_left_the_run_leaves_the_repository(
    hub: Hub, finished: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    push()
    monkeypatch.setattr(sys.modules[__name__], "ROUNDS", {"m2": "psrlm"})
    push()
    left = hub.dataset(REPOSITORY).head.files
    assert "ppd-m2/train.parquet" in left and not [path for path in left if "m3" in path]
    names = [config["config_name"] for config in DatasetCard(left["README.md"].decode()).data["configs"]]
    assert names == ["ift", "eft", "prm", "ppd-m2", "trees-m2"]


def test_a_dry_run_says_what_would_change_and_changes_nothing(
    hub: Hub, finished: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    push(changed(dry_run=True))
    assert not hub.repos
    push()
    change_round(finished, "m2")
    capsys.readouterr()
    commits = len(hub.dataset(REPOSITORY).commits)
    push(changed(dry_run=True))
    printed = capsys.readouterr().out
    assert "would commit ppd-m2: ppd-m2/train.parquet changed" in printed and "ppd-m3: nothing new" in printed
    assert len(hub.dataset(REPOSITORY).commits) == commits


def test_a_branch_and_a_tag_are_named_after_the_run(hub: Hub, finished: Path) -> None:
    named = changed(branch="auto", tag="auto", public=True)
    receipt = push(named)
    there = hub.dataset(REPOSITORY)
    (name,) = there.tags
    assert name.startswith("run-") and there.branches[name] == there.tags[name] == receipt[REPOSITORY]["commit"]
    assert list(there.commits[there.branches["main"]].files) == [".gitattributes"] and not there.private
    assert push(named) == receipt
    change_round(finished, "m2")
    with pytest.raises(PipelineError, match="tag 'v1' stands at another commit"):
        there.tags["v1"] = there.branches["main"]
        push(changed(tag="v1", branch=name))


def test_checkpoints_go_to_model_repositories_with_the_table(hub: Hub, finished: Path) -> None:
    receipt = push(changed(models=("m0",)))
    there = hub.repos["model", f"{REPOSITORY}-m0"]
    assert there.titles == ["m0"] and there.private and receipt[f"{REPOSITORY}-m0"]["type"] == "model"
    assert there.head.files["model.safetensors"] == (finished / "data/m0/model/model.safetensors").read_bytes()
    card = ModelCard(there.head.files["README.md"].decode())
    assert card.data["datasets"] == [REPOSITORY] and "### Greedy accuracy" in card.text
    assert not card_errors(str(card), "model")
    assert push(changed(models=("m0",))) == receipt
    with pytest.raises(PipelineError, match=r"no model 'm9'; give some of m0, m1"):
        push(changed(models=("m9",)))


def test_an_artifact_that_is_not_what_the_lock_recorded_is_not_published(hub: Hub, finished: Path) -> None:
    files.write(finished / "data/m2/pairs/train.parquet", Preference, pairs("m2", 2))
    with pytest.raises(PipelineError, match=r"data/m2/pairs: is not what dvc.lock recorded; run `dvc repro`"):
        push()
    assert not hub.repos


def test_a_round_of_whole_solutions_is_published_with_them(
    hub: Hub, finished: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.modules[__name__], "ROUNDS", {"m2": "psrlm", "m3": "srlm"})
    sampled = SampledSolution("\n".join(STEPS), 2, "answer", (Scoring("good: 4", 4),), 4.0)
    files.write(finished / "data/m3/trees/solutions.parquet", SampleSet, [SampleSet("p", "Ana?", (sampled,))])
    (finished / "data/m3/trees/trees.parquet").unlink()
    record_run(finished)
    push()
    assert hub.dataset(REPOSITORY).titles == [*CONFIGS[:-1], "solutions-m3", "card"]


def test_a_round_of_a_user_s_own_method_is_published_with_its_searches(
    hub: Hub, finished: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.modules[__name__], "ROUNDS", {"m2": "psrlm", "m3": "own"})
    (finished / "extensions").mkdir()
    text = (ROOT / "tests/extensions/votes.py").read_text().replace('"trees.parquet"', '"walks.parquet"')
    (finished / "extensions/own.py").write_text(text)
    (finished / "data/m3/trees/trees.parquet").rename(finished / "data/m3/trees/walks.parquet")
    record_run(finished)
    push()
    assert hub.dataset(REPOSITORY).titles == [*CONFIGS[:-1], "walks-m3", "card"]


# ---------------------------------------------------------------- a Hub that fails or refuses


@pytest.mark.parametrize(
    "failure",
    [
        Failure("GET /api/datasets/org/steps", 503, times=2),
        Failure("POST /api/repos/create", 500),
        Failure("POST .*/preupload/", 502),
        Failure("PUT /lfs/", 500),
        Failure("POST .*/commit/", 504, times=2),
        Failure("POST .*/commit/", 500, after=True),
        Failure("POST .*/commit/", 0),
        Failure("POST .*/commit/", -1, seconds=6, skip=2),
        Failure("POST /api/validate-yaml", 502),
    ],
    ids=lambda f: f"{f.pattern} {f.status}{' after' if f.after else ''}",
)
def test_failures_that_pass_are_tried_again_and_no_commit_is_made_twice(
    failure: Failure, hub: Hub, finished: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if failure.seconds:
        monkeypatch.setattr(hub_module, "SILENCE", 2.0)
    hub.failures = [replace(failure)]
    push()
    assert not hub.failures[0].times
    assert hub.dataset(REPOSITORY).titles == [*CONFIGS, "card"]


def test_a_hub_that_stays_down_is_one_line(hub: Hub, finished: Path) -> None:
    hub.failures = [Failure("GET /api/datasets", 503, times=99)]
    with pytest.raises(PipelineError, match=r"org/steps: the Hub does not answer after 5 tries \(.*503.*\); start it"):
        push()


@pytest.mark.parametrize(
    ("repository", "token", "line"),
    [
        (REPOSITORY, "hf_wrong", r"\(401\): no valid token; run `hf auth login` or set HF_TOKEN"),
        (REPOSITORY, READER, r"\(403\): your token has no right to do that"),
        ("strangers/steps", "hf_writer", r"\(403\): your token has no right to do that"),
        ("org/a/b", "hf_writer", "not a name of the Hub; give ORG/NAME"),
        ("", "hf_writer", "publish.repository is empty; `psr push ORG/NAME` sets it"),
    ],
)
def test_what_the_hub_refuses_is_one_line_with_advice(
    repository: str, token: str, line: str, hub: Hub, finished: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", token)
    with pytest.raises(PipelineError, match=line) as caught:
        push(changed(repository=repository))
    assert "\n" not in str(caught.value) and token not in str(caught.value)


def test_a_commit_by_someone_else_during_a_push_is_never_overwritten(hub: Hub, finished: Path) -> None:
    repository = hub_module.Repository(hub_module.connect(), REPOSITORY)
    parent = repository.open(public=False).head
    hub.dataset(REPOSITORY).commit("main", "theirs", {"notes.txt": b"theirs"})
    with pytest.raises(PipelineError, match=r"\(412\): someone else committed to it meanwhile.*; push again"):
        repository.put({"notes.txt": b"ours"}, "ours", parent)
    assert hub.dataset(REPOSITORY).head.files == {"notes.txt": b"theirs"}


# ---------------------------------------------------------------- the card


def test_what_a_person_wrote_in_the_card_stays(hub: Hub, finished: Path) -> None:
    theirs = (
        "---\nlicense: mit\nlanguage: fr\ntags: [mine]\nextra: kept\nconfigs:\n- config_name: own\n"
        "  data_files: [{split: train, path: own.parquet}]\n---\n\n# My words\n\nBefore.\n"
    )
    hub.create("dataset", REPOSITORY, True).commit("main", "by hand", {"README.md": theirs.encode()})
    push()
    there = hub.dataset(REPOSITORY)
    text = there.head.files["README.md"].decode() + "\nAfter.\n"
    there.commit("main", "by hand too", there.head.files | {"README.md": text.encode()})
    change_round(finished, "m2")
    push()
    card = DatasetCard(there.head.files["README.md"].decode())
    assert card.data["license"] == "mit" and card.data["extra"] == "kept"
    assert card.data["language"] == ["fr", "en"] and card.data["tags"][:3] == ["mine", "dpo", "trl"]
    assert [config["config_name"] for config in card.data["configs"]] == ["own", *CONFIGS]
    assert card.text.startswith("\n# My words\n\nBefore.\n\n<!-- psr push: begin") and card.text.endswith("After.\n")
    assert card.text.count("psr push: begin") == 1 and "| `ppd-m2` | train | 6 |" in card.text
    head = there.branches["main"]
    push()
    assert there.branches["main"] == head


def test_a_card_that_cannot_be_read_or_is_refused_is_one_line(hub: Hub, finished: Path) -> None:
    with pytest.raises(
        PipelineError, match=r'the Hub refuses the card: .* "license" \'none-such\' is unknown'
    ) as caught:
        push(changed(repository="org/other", license="none-such"))
    assert "\n" not in str(caught.value)
    hub.create("dataset", REPOSITORY, True).commit("main", "by hand", {"README.md": b"---\nlicense: [\n---\n"})
    with pytest.raises(PipelineError, match=r"README.md on the Hub: its YAML block cannot be read .*; mend it there"):
        push()


def test_the_card_passes_the_hubs_validation_and_says_what_the_run_was(hub: Hub, finished: Path) -> None:
    push()
    card = DatasetCard(hub.dataset(REPOSITORY).head.files["README.md"].decode())
    card.validate()
    data = card.data.to_dict()
    assert {"dpo", "trl"} <= set(data["tags"]) and data["license"] == "apache-2.0" and data["language"] == ["en"]
    assert data["size_categories"] == ["n<1K"] and data["task_categories"] == ["text-generation"]
    assert data["configs"][1] == {
        "config_name": "eft",
        "data_files": [{"split": split, "path": f"eft/{split}.parquet"} for split in ("train", "test")],
    }
    for part in (
        f'rows = load_dataset("{REPOSITORY}", "ppd-m2", split="train")',
        "| `prm` | test | 1 |",
        "Training prompts (ift, prm, rounds) that share 8 words in a row with an evaluation problem",
        "prompts left out: ift by ngram 1.",
        "Problems of eft are generated by the domain arithmetic",
        "- **pairs-m2**: dropped (tie 1), pairs 4",
        f"| `data/m2/trees` | `{locks.md5(finished / 'data/m2/trees')}` |",
        "family: arithmetic",
        "- **prm_eval**: rows 1",
        "- **eft-psrlm**: rows 1",
        "eprint = {2503.03746}",
    ):
        assert part in card.text
    assert "secret" not in card.text and "{{" not in card.text


@pytest.mark.parametrize(("rows", "name"), [(0, "n<1K"), (999, "n<1K"), (1000, "1K<n<10K"), (10**5, "100K<n<1M")])
def test_size_categories_are_the_hubs(rows: int, name: str) -> None:
    from pipeline.publish.card import size_category

    assert size_category(rows) == name


# ---------------------------------------------------------------- the pairs


def test_published_text_is_what_the_trainer_reads_and_gives_the_pair_back(renderer: Renderer) -> None:
    rows, words = pairs("m2"), renderer.tokenizer
    for pair, ids in zip(rows, preference_rows(renderer, rows), strict=True):
        row = configs.published(pair, renderer)
        assert (row.prompt_ids, row.chosen_ids, row.rejected_ids) == tuple(
            tuple(ids[name]) for name in ("prompt_ids", "chosen_ids", "rejected_ids")
        )
        assert row.prompt == words.decode(ids["prompt_ids"])
        assert row.chosen == words.decode(ids["chosen_ids"]).removesuffix(words.eos_token)
        assert row.rejected == words.decode(ids["rejected_ids"]).removesuffix(words.eos_token)
        assert row.prompt.startswith(prompts.fill("arithmetic", "reasoning", problem=pair.prompt))
        assert words.encode(row.prompt, add_special_tokens=False) == renderer.reasoning(pair.prompt, pair.steps)
        assert configs.record(row) == pair


TRAIN = """
import sys
from datasets import load_dataset
for config in sys.argv[3].split(","):
    loaded = load_dataset(sys.argv[1], config)
    print(config, {split: len(rows) for split, rows in loaded.items()})
rows = load_dataset(sys.argv[1], "ppd-m2", split="train")
from trl import DPOConfig, DPOTrainer
how = DPOConfig(output_dir=sys.argv[2] + "-out", max_steps=2, per_device_train_batch_size=2, use_cpu=True,
                report_to="none", save_strategy="no", logging_steps=1)
trainer = DPOTrainer(sys.argv[2], args=how, train_dataset=rows)
trainer.train()
print("steps", trainer.state.global_step, "loss", all(e["loss"] > 0 for e in trainer.state.log_history if "loss" in e))
"""


def test_every_config_loads_and_the_pairs_train_dpo_for_two_steps(
    hub: Hub, finished: Path, tmp_path: Path, tiny_model: Path
) -> None:
    push()
    command = [sys.executable, "-c", TRAIN, REPOSITORY, str(tiny_model), ",".join(CONFIGS)]
    done = subprocess.run(command, cwd=tmp_path, env=client(hub, tmp_path), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    assert "eft {'train': 1, 'test': 1}" in done.stdout and "ppd-m2 {'train': 4}" in done.stdout
    assert "trees-m3 {'train': 1}" in done.stdout and "steps 2 loss True" in done.stdout


def client(hub: Hub, folder: Path) -> dict[str, str]:
    """The environment of a client in a process of its own."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return {**os.environ, **hub.environment(folder / "client"), "PATH": path, "DVC_NO_ANALYTICS": "1"}


# ---------------------------------------------------------------- pulling


def not_utf8() -> bytes:
    """A Parquet file with the columns of a Solution whose first text is no text."""
    one = pa.StringArray.from_buffers(1, pa.py_buffer(b"\0\0\0\0\2\0\0\0"), pa.py_buffer(b"\xff\xfe"))
    rows = pa.Table.from_arrays([one, pa.array(["q"]), pa.array([["Step 1: 2"]])], schema=files.schema(Solution))
    pq.write_table(rows, written := pa.BufferOutputStream(), store_schema=False)
    return bytes(written.getvalue().to_pybytes())


def solutions(*steps: str, rows: int = 1) -> bytes:
    """A Parquet file of solutions, all of one problem."""
    with tempfile.TemporaryDirectory() as folder:
        files.write(Path(folder) / "a.parquet", Solution, [Solution("p", "q", steps)] * rows)
        return (Path(folder) / "a.parquet").read_bytes()


def test_pulled_data_are_the_bytes_of_the_run(hub: Hub, finished: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    push()
    elsewhere = finished.parent / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    written = pull(REPOSITORY, "main", graph(), replace=False)
    assert {str(path) for path in written} == {
        "data/ift/train.parquet",
        *(f"data/eft/psrlm/{split}.parquet" for split in ("train", "test")),
        *(f"data/prm/steps/{split}.parquet" for split in ("train", "test")),
        "data/m2/pairs/train.parquet",
        "data/m3/pairs/train.parquet",
    }
    for path in written:
        assert path.read_bytes() == (finished / path).read_bytes()
    assert pull(REPOSITORY, "main", graph(), replace=False) == written


def test_pull_refuses_changed_files_and_keeps_what_is_there(hub: Hub, finished: Path) -> None:
    push()
    first = hub.dataset(REPOSITORY).branches["main"]
    change_round(finished, "m3")
    with pytest.raises(PipelineError, match=r"data/m3/pairs/train.parquet: other data stand there; --replace"):
        pull(REPOSITORY, "main", graph(), replace=False)
    there = hub.dataset(REPOSITORY)
    before = (finished / "data/m3/pairs/train.parquet").read_bytes()
    swapped = there.head.files | {"ppd-m3/train.parquet": there.head.files["ppd-m2/train.parquet"]}
    there.commit("main", "swapped", swapped)
    with pytest.raises(PipelineError, match=r"ppd-m3/train.parquet at \w{12} is not what its manifest.json says"):
        pull(REPOSITORY, "main", graph(), replace=True)
    assert (finished / "data/m3/pairs/train.parquet").read_bytes() == before
    pull(REPOSITORY, first, graph(), replace=True)
    assert len(files.read(finished / "data/m3/pairs/train.parquet", Preference)) == 4


@pytest.mark.parametrize(
    ("forged", "rows", "line"),
    [
        (b"import os", 1, "is no Parquet file"),
        (not_utf8(), 1, "is no Parquet file"),
        ("data/eft/psrlm/test.parquet", 1, "has other columns or types than the rows of Solution"),
        ("data/ift/train.parquet", 7, "has 1 rows, its manifest.json says 7"),
        (solutions("One.", "Two."), 1, r"row 0 \(p\): its steps are not `Step 1: ` and so on"),
        (solutions(), 1, r"row 0 \(p\): its steps are not"),
        (solutions("Step 1: 2", rows=2), 2, r"row 1 \(p\): has the problem_id of row 0"),
    ],
)
def test_a_pulled_file_is_what_its_rows_type_says_and_not_only_its_hash(
    forged: bytes | str, rows: int, line: str, hub: Hub, finished: Path
) -> None:
    push()
    there = hub.dataset(REPOSITORY)
    data = forged if isinstance(forged, bytes) else (finished / forged).read_bytes()
    manifest = json.loads(there.head.files["manifest.json"])
    manifest["ift"]["train"] = {"rows": rows, "sha256": hashlib.sha256(data).hexdigest()}
    changed = {"ift/train.parquet": data, "manifest.json": json.dumps(manifest).encode()}
    there.commit("main", "forged", there.head.files | changed)
    before = (finished / "data/ift/train.parquet").read_bytes()
    with pytest.raises(PipelineError, match=rf"org/steps: ift/train.parquet at \w{{12}}: {line}"):
        pull(REPOSITORY, "main", graph(), replace=True)
    assert (finished / "data/ift/train.parquet").read_bytes() == before


@pytest.mark.parametrize(
    ("name", "split", "line"),
    [
        ("ppd-../../x", "train", "has the odd name '../../x'"),
        ("../ift", "train", "has the odd name '../ift'"),
        ("ift/../../x", "train", "has the odd name"),
        ("/etc/x", "train", "has the odd name '/etc/x'"),
        ("ppd-m2\n", "train", "has the odd name"),
        ("ppd-on", "train", "has the odd name 'on'"),
        ("ppd-é", "train", "has the odd name 'é'"),
        ("ift", "../../train", "has the odd name '../../train'"),
        ("ift", "", "has the odd name ''"),
        ("ppd-problems", "train", "ppd-problems: data/problems holds no model"),
    ],
)
def test_no_name_in_a_manifest_leads_out_of_the_pipelines_folders(
    name: str, split: str, line: str, hub: Hub, finished: Path
) -> None:
    forged = json.dumps({name: {split: {"rows": 1, "sha256": "0"}}}).encode()
    hub.create("dataset", REPOSITORY, True).commit("main", "forged", {"manifest.json": forged})
    with pytest.raises(PipelineError, match=re.escape(line)):
        pull(REPOSITORY, "main", graph(), replace=True)


@pytest.mark.parametrize(
    ("name", "split"),
    [
        ("ppd", "train"),
        ("ift-other", "train"),
        ("prm-m2", "train"),
        ("more", "train"),
        ("ift", "test"),
        ("ppd-m2", "x"),
    ],
)
def test_a_config_that_no_stage_has_is_left_out(name: str, split: str, hub: Hub, finished: Path) -> None:
    forged = json.dumps({name: {split: {"rows": 1, "sha256": "0"}}}).encode()
    hub.create("dataset", REPOSITORY, True).commit("main", "forged", {"manifest.json": forged})
    assert pull(REPOSITORY, "main", graph(), replace=True) == []


@pytest.mark.parametrize(
    ("name", "revision", "line"),
    [
        ("org/nothing", "main", r"org/nothing: not found, or not for your token to see \(404\)"),
        (REPOSITORY, "v9", r"org/steps: the Hub refuses \(404\): not found.*correct the name or the revision"),
        ("org/plain", "main", "org/plain: has no manifest.json; give a dataset that `psr push` made"),
    ],
)
def test_a_wrong_name_to_pull_is_one_line(name: str, revision: str, line: str, hub: Hub, finished: Path) -> None:
    hub.create("dataset", REPOSITORY, True)
    hub.create("dataset", "org/plain", True)
    with pytest.raises(PipelineError, match=line):
        pull(name, revision, graph(), replace=False)


# ---------------------------------------------------------------- the commands, with DVC


@pytest.fixture
def project(finished: Path) -> Path:
    """The finished run with the pipeline's code and graph, as a git and DVC repository."""
    tracked = subprocess.run(["git", "ls-files", "-z", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True)
    for name in filter(None, tracked.stdout.decode().split("\0")):
        if name.startswith(COPIED) and (ROOT / name).is_file():
            (finished / name).parent.mkdir(parents=True, exist_ok=True)
            (finished / name).write_bytes((ROOT / name).read_bytes())
    document = params.profile("smoke")
    document["rounds"] = {model: {"from": STARTS[model], "method": method} for model, method in ROUNDS.items()}
    document["models"] = list(STARTS)
    (finished / "params.yaml").write_text(yaml.safe_dump(document))
    subprocess.run(["git", "init", "-q"], cwd=finished, check=True)
    return finished


def psr(folder: Path, hub: Hub, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pipeline.cli", *words]
    return subprocess.run(command, cwd=folder, env=client(hub, folder.parent), capture_output=True, text=True)


def test_psr_push_runs_the_stage_whose_output_is_the_receipt(hub: Hub, project: Path) -> None:
    dry = psr(project, hub, "push", REPOSITORY, "--dry-run")
    assert dry.returncode == 0, dry.stderr
    assert "org/steps: would be created, private" in dry.stdout and not hub.repos
    assert yaml.safe_load((project / "publish/params.yaml").read_text())["publish"]["repository"] == ""
    done = psr(project, hub, "push", REPOSITORY, "--models", "m0")
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.findall("Running stage '(.*)'", done.stdout) == ["publish/dvc.yaml:push"]  # none of the pipeline's
    receipt = json.loads((project / "publish/receipt.json").read_text())
    assert receipt[REPOSITORY]["commit"] == hub.dataset(REPOSITORY).branches["main"]
    recorded = yaml.safe_load((project / "publish/dvc.lock").read_text())["stages"]["push"]
    assert recorded["outs"][0]["path"] == "publish/receipt.json"
    assert recorded["params"]["publish/params.yaml"]["publish"]["models"] == ["m0"]
    again = psr(project, hub, "push", REPOSITORY, "--models", "m0")
    assert again.returncode == 0 and hub.dataset(REPOSITORY).titles == [*CONFIGS, "card"]
    assert json.loads((project / "publish/receipt.json").read_text()) == receipt
    written = [path for path in project.rglob("*") if path.is_file() and ".git" not in path.parts]
    assert not [path for path in written if b"hf_writer" in path.read_bytes() and path.suffix != ".py"]
    assert "hf_writer" not in done.stdout + done.stderr + dry.stdout + dry.stderr


def test_psr_push_and_pull_say_in_one_line_what_went_wrong(hub: Hub, project: Path) -> None:
    (line,) = [line for line in psr(project, hub, "push", "strangers/x").stderr.splitlines() if "403" in line]
    assert line.startswith("error: strangers/x: the Hub refuses (403)")
    lost = psr(project, hub, "pull", "org/nothing")
    assert (
        lost.returncode == 1
        and lost.stderr.startswith("error: org/nothing: not found")
        and "\n" not in lost.stderr[:-1]
    )


def test_a_push_killed_in_the_middle_completes_when_it_is_started_again(hub: Hub, project: Path) -> None:
    # The third commit is carried out and its answer never comes: then it is killed.
    hub.failures = [Failure("POST .*/commit/", -1, after=True, seconds=60, skip=2)]
    command = [sys.executable, "-m", "pipeline.cli", "push", REPOSITORY]
    killed = subprocess.Popen(command, cwd=project, env=client(hub, project.parent))
    wait(lambda: ("dataset", REPOSITORY) in hub.repos and len(hub.dataset(REPOSITORY).titles) == 3)
    os.kill(killed.pid, signal.SIGKILL)
    assert killed.wait() == -signal.SIGKILL
    assert "README.md" not in hub.dataset(REPOSITORY).head.files
    wait(lambda: psr(project, hub, "push", REPOSITORY).returncode == 0)  # its DVC process dies with it, a moment later
    assert hub.dataset(REPOSITORY).titles == [*CONFIGS, "card"]


def wait(ready: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 120
    while not ready():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_hashes_are_those_of_dvc(tmp_path: Path) -> None:
    (tmp_path / "dvc.yaml").write_text(
        "stages:\n  a:\n    cmd: mkdir -p d/e && echo 1 > d/z && echo 2 > d/e/b && echo 3 > 'd/e b' && echo 4 > f\n"
        "    outs: [d, f]\n"
    )
    dvc = [str(Path(sys.executable).parent / "dvc")]
    environment = {**os.environ, "DVC_NO_ANALYTICS": "1"}
    for command in (["init", "-q", "--no-scm"], ["repro", "-q"]):
        subprocess.run([*dvc, *command], cwd=tmp_path, check=True, env=environment)
    recorded = publish.Lock(tmp_path / "dvc.lock")
    for out in recorded.stages["a"]["outs"]:
        assert locks.md5(tmp_path / out["path"]) == out["md5"]
