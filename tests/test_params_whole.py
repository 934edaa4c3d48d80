"""Faults of a whole params.yaml, all said at once; renamed keys; files that are no YAML; faults of machine.yaml."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from conftest import ROOT
from test_params import changed
from test_params_faults import FAULTS, lines, put

from pipeline import params
from pipeline.core import machine
from pipeline.core.errors import PipelineError
from pipeline.params.renamed import RENAMED

PLAIN = "must hold texts, numbers, lists and mappings alone"
NOT_A_KEY = f"rounds: {PLAIN} (keys must be str, int, float, bool or None, not"
RAW = [
    ("seed: 1\n", "seed: 1\nseed: 2\n", 'line 3: not YAML (found duplicate key "seed" with value "2" '),
    ("  dtype:", "\tdtype:", "line 18: not YAML (found character '\\t' that cannot start any token); correct it"),
    ("seed: 1\n", "seed: [1\n", "line 3: not YAML (expected ',' or ']', but got ':'); correct it"),
    ("seed: 1\n", "seed: 1\n--- {}\n", "line 3: not YAML (but found another document); correct it"),
    ("seed: 1\n", "seed: !!python/name:os.system\n", "line 2: not YAML (could not determine a constructor for "),
    ("seed: 1\n", "seed: \x00\n", "not YAML (unacceptable character #x0000: special characters are not allowed "),
    ("seed: 1\n", "seed: &x [*x]\n", f"seed: {PLAIN} (Circular reference detected)"),
    ("seed: 1\n", 'seed: "\\ud800"\n', f"seed: {PLAIN} ('utf-8' codec can't encode character '\\ud800' "),
    ("  m2: {from", "  2026-01-01: {from", f"{NOT_A_KEY} datetime.date)"),
    ("  m2: {from", "  ? [a, b]\n  : {from", f"{NOT_A_KEY} tuple)"),
    ("seed: 1\n", "seed: " + "[" * 500 + "\n", "not YAML ("),
]


@pytest.mark.parametrize(("old", "new", "line"), RAW, ids=[f"{new!r:.25}" for _, new, _ in RAW])
def test_what_is_no_yaml_is_one_line(old: str, new: str, line: str, tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    path.write_text(params.text("tiny").replace(old, new, 1))
    (fault,) = lines(path)
    assert fault == line or (line.endswith((" ", "(")) and fault.startswith(line))


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (b"", "must be a mapping of sections"),
        (b"- seed\n", "must be a mapping of sections"),
        ("# Größe\nseed: 1\n".encode("latin-1"), "not UTF-8 (byte 4); save it as UTF-8"),
        ("seed: 1\n".encode("utf-16"), "not UTF-8 (byte 0); save it as UTF-8"),
        (None, "no such file; give one, or write params.yaml by `psr profile NAME`"),
    ],
)
def test_a_file_that_cannot_be_read_is_one_line(content: bytes | None, line: str, tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    if content is not None:
        path.write_bytes(content)
    assert lines(path) == [line]


def test_a_folder_in_the_place_of_the_file_is_one_line(tmp_path: Path) -> None:
    assert lines(tmp_path) == ["cannot be read (Is a directory); give a file"]


def test_a_byte_order_mark_is_no_part_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text(params.text("tiny"), encoding="utf-8-sig")
    assert params.check(tmp_path / "params.yaml").model_dump() == params.check(ROOT / "params.yaml").model_dump()


def test_all_faults_are_said_at_once(tmp_path: Path) -> None:
    def wrong(document: Any) -> None:
        for key, value, _ in FAULTS[:11]:
            put(document, key, value)

    faults = lines(changed(tmp_path, wrong))
    assert sorted(faults) == sorted(f"{key.replace('/', '.')}: {line}" for key, _, line in FAULTS[:11])


def test_what_does_not_fit_together_is_said_at_once(tmp_path: Path) -> None:
    def wrong(document: Any) -> None:
        document["models"].remove("m4")
        document["scale"]["models"] = ["m9"]
        document["prompts"]["family"] = "nope"
        document["problems"]["ift"]["path"] = "no.jsonl"
        document["reference"] |= {"models": ["m1", "m1/x", "ift", "eft/x"], "url": ""}

    keys = [line.split(": ")[0] for line in lines(changed(tmp_path, wrong))]
    assert keys == [
        "models",
        "scale.models",
        *["reference.models"] * 4,
        "reference.url",
        "prompts.family",
        "problems.ift.path",
    ]


def test_a_domain_is_asked_for_the_parts_that_it_has(tmp_path: Path) -> None:
    def elsewhere(document: Any) -> None:
        document |= {"domain": "math", "math": {}}
        del document["arithmetic"]

    roles = [f"problems.{role}.path" for role in ("ift", "prm", "eft", "rounds", "evaluation.generated")]
    faults = dict(line.split(": ", 1) for line in lines(changed(tmp_path, elsewhere)))
    assert list(faults) == [*roles, "annotator.kind", "prm.labels", "base.model"]
    parts = [f"the domain math has no part `{part}`" for part in ("problems", "oracle", "base")]
    assert {line.split(",")[0] for line in faults.values()} == set(parts)


def test_who_labels_the_steps_must_have_what_that_takes(tmp_path: Path) -> None:
    def people(document: Any) -> None:
        document["prm"]["labels"] = "people"

    def rollouts(document: Any) -> None:
        document["prm"]["labels"] = "rollouts"
        document["prm"]["rollouts"]["policy"] = "m9"
        document["problems"]["prm"] = {"path": "known:prm800k"}

    assert lines(changed(tmp_path, people)) == [
        "problems.prm.format: prm.labels: people reads ratings; give a source of format: prm800k"
    ]
    faults = lines(changed(tmp_path, rollouts))
    assert faults == [
        "prm.rollouts.policy: no model 'm9'; give one of m0, m1, m2, m3, m4",
        "problems.prm.answer: prm.labels: rollouts reaches gold answers; give a source with a column of them",
    ]


def test_the_policy_of_rollouts_may_not_come_from_the_prm(tmp_path: Path) -> None:
    def circle(document: Any) -> None:
        document["prm"]["labels"] = "rollouts"
        document["prm"]["rollouts"]["policy"] = "m1"

    (line,) = lines(changed(tmp_path, circle))
    assert "are a circle" in line and "prm" in line


@pytest.mark.parametrize("old", RENAMED)
def test_a_key_of_an_earlier_version_is_given_its_new_name(old: str, tmp_path: Path) -> None:
    def earlier(document: Any) -> None:
        *sections, last = old.split(".")
        for section in sections:
            document = document.setdefault(section, {})
        document[last] = 1

    assert lines(changed(tmp_path, earlier)) == [f"{old}: is called {RENAMED[old]} now"]


def test_renamed_keys_hide_no_other_fault(tmp_path: Path) -> None:
    def earlier(document: Any) -> None:
        document["sft"]["batch"] = document["sft"].pop("batch_size")
        document |= {"search": document["psrlm"].pop("search"), "seed": "one"}

    assert lines(changed(tmp_path, earlier)) == [
        "search: is called psrlm.search now",
        "sft.batch: is called sft.batch_size now",
        "seed: must be an integer, is 'one'",
    ]


@pytest.mark.parametrize(
    ("document", "line"),
    [
        ({"inference": {"replicas": -1}}, "inference.replicas: must be greater than or equal to 0, is -1"),
        ({"inference": {"replicas": "two"}}, "inference.replicas: must be an integer, is 'two'"),
        ({"inference": {"dtype": "float32"}}, "inference.dtype: unknown key; known keys: replicas, tensor_parallel"),
        (
            {"inference": {"kv_cache_token": 1}},
            "inference.kv_cache_token: unknown key; did you mean `kv_cache_tokens`?",
        ),
        (
            {"inference": {"gpu_memory_utilization": 1.5}},
            "inference.gpu_memory_utilization: must be less than or equal",
        ),
        ({"inference": {"serve": "vllm serve {model}"}}, "inference.serve: must say where {model} and {port} stand"),
        (
            {"inference": {"serve": "vllm {model} {prot}"}},
            "inference.serve: knows no {prot}; give {model}, {host}, {port}",
        ),
        ({"inference": {"serve": "{model} '{port}"}}, "inference.serve: must be a command with {fields} in braces (No"),
        (
            {"inference": {"serve": "{model} {port}}"}},
            "inference.serve: must be a command with {fields} in braces (Sin",
        ),
        ({"inference": {"serve": "{model.parent} {port}"}}, "inference.serve: knows no {model.parent}; give"),
        ({"inference": {"endpoints": ["node1:8000"]}}, "inference.endpoints[0]: must be an address"),
        ({"inference": {"endpoints": ["http://me:secret@node1"]}}, "inference.endpoints[0]: must be an address"),
        ({"inference": {"endpoints": ["http://a"] * 2}}, "inference: endpoints must differ"),
        ({"inference": {"endpoints": ["http://a"], "replicas": 2}}, "inference: replicas must be 1: each"),
        ({"inference": {"endpoints": ["http://a"], "tensor_parallel": 2}}, "inference: tensor_parallel must be 1: it"),
        (
            {"inference": {"endpoints": ["http://a"], "serve": "{model} {port} {devices}"}},
            "inference: serve must not name {devices}, which are this machine's",
        ),
        ({"inference": None}, "inference: must be a section with keys, is None"),
        ({"training": [2]}, "training: must be a section with keys, is [2]"),
        ({"training": {"threads": 1.5}}, "training.threads: must be an integer, is 1.5"),
        ({"training": {"save_steps": -1}}, "training.save_steps: must be greater than or equal to 0, is -1"),
        ({"endpoints": {"timeout": 0}}, "endpoints.timeout: must be greater than 0, is 0"),
        ({"endpoints": {"timeout": float("inf")}}, "endpoints.timeout: must be a finite number, is inf"),
        ({"endpoint": {}}, "endpoint: unknown key; did you mean `endpoints`?"),
        ([1], "must be a mapping of sections"),
    ],
)
def test_a_fault_of_the_machine_is_one_line(document: Any, line: str, tmp_path: Path) -> None:
    path = tmp_path / "machine.yaml"
    path.write_text(yaml.safe_dump(document))
    with pytest.raises(PipelineError) as caught:
        machine.load(path)
    assert str(caught.value).startswith(f"{path}: {line}") and "\n" not in str(caught.value)


def test_psr_check_says_each_line_and_ends_with_a_fault(tmp_path: Path) -> None:
    path = changed(tmp_path, lambda d: (put(d, "seed", "one"), put(d, "psrlm/eft/ties", 1.0)))
    done = subprocess.run(
        [sys.executable, "-m", "pipeline.cli", "check", "--params", str(path)], cwd=ROOT, capture_output=True, text=True
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.splitlines() == [
        f"error: {path}: seed: must be an integer, is 'one'",
        f"error: {path}: psrlm.eft.ties: must be less than 1, is 1.0",
    ]
