"""docs/gpu.md and docs/slurm, followed with two CPU ranks in the place of GPUs; srun and scontrol are stand-ins."""

from __future__ import annotations

import os
import random
import re
import shutil
import socket
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest
import yaml
from conftest import ROOT
from test_distributed import assert_same_weights, moved, train
from test_distributed import test_accumulation_and_two_ranks_give_the_weights_of_one_process as two_ranks
from test_distributed import test_so_it_does_on_two_ranks_of_which_one_is_killed_in_every_epoch as two_ranks_killed
from test_end_to_end import call, copy
from test_servers import SERVE

from pipeline import params
from pipeline.core import journal, machine
from pipeline.core.config import build
from pipeline.core.files import read_json
from pipeline.core.memory import GIB
from pipeline.language.renderer import Renderer
from pipeline.params.profiles import profile as settings_of
from pipeline.planning import needs
from pipeline.planning.estimate import Rates, estimate
from pipeline.planning.hardware import Devices

PAGE = (ROOT / "docs/gpu.md").read_text(encoding="utf-8")
STAND_INS = ROOT / "tests/slurm"
pytestmark = pytest.mark.timeout(1500)


def part(section: str) -> str:
    """What stands under the heading of the page that begins with `section`."""
    return PAGE.partition(f"\n## {section}")[2].partition("\n## ")[0]


def page(section: str) -> dict[str, Any]:
    """Its first machine.yaml."""
    block = re.search(r"```yaml\n(.*?)```", part(section), re.DOTALL)
    assert block
    return dict(yaml.safe_load(textwrap.dedent(block[1])))


def on_two_nodes(command: str) -> str:
    """The page's command, on as many nodes as the test has."""
    return command.replace("--nodes 4", "--nodes 2")


def free_port() -> str:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return str(free.getsockname()[1])


def slurm(nodes: str) -> dict[str, str]:
    """The environment of a job on two nodes, each with a CPU rank in the place of its eight GPUs."""
    return {
        "PATH": f"{STAND_INS}:{Path(sys.executable).parent}:{os.environ['PATH']}",
        "SLURM_JOB_NODELIST": nodes,
        "SLURM_CPUS_PER_TASK": "1",
        "MASTER_PORT": free_port(),
        "GPUS_PER_NODE": "1",
    }


@pytest.mark.parametrize(
    ("section", "profile", "gpus", "gib"),
    [
        ("Eight GPUs", "paper-7b", 8, 80),
        ("72B on four nodes", "paper-72b", 32, 80),
        ("72B on four nodes", "paper-72b", 8, 80),  # what the first stage sees on the first node
        ("One GPU", "qwen-1.5b-1gpu", 1, 24),
    ],
)
def test_what_the_page_says_for_a_profile_fits_its_gpus(
    section: str, profile: str, gpus: int, gib: int, tmp_path: Path
) -> None:
    settings = settings_of(profile)
    if block := re.search(r"`lora: ({.*?})`", part(section), re.DOTALL):
        settings |= {name: settings[name] | {"lora": yaml.safe_load(block[1])} for name in ("prm", "sft", "dpo")}
    (path := tmp_path / "params.yaml").write_text(yaml.safe_dump(settings))
    here, there = build(machine.Machine, page(section), "docs/gpu.md: "), Devices(gpus, gib * GIB)
    checked = params.check(path)
    needs.refuse(checked, here, there)
    assert not estimate(checked, here, there, Rates(), []).unfit()


def test_the_page_says_of_two_ranks_what_the_tests_run() -> None:
    rows = re.findall(r"^\| (SFT|DPO|PRM) \| (.*) \| (.*) \| (.*) \|$", part("Measured"), re.MULTILINE)
    cells = {
        (row[0].lower(), by): cell for row in rows for by, cell in zip(("ddp", "fsdp", "zero3"), row[1:], strict=True)
    }
    (killed,) = (mark.args[1] for mark in two_ranks_killed.pytestmark if mark.name == "parametrize")
    assert {pair for pair, cell in cells.items() if "goes on when killed" in cell} == set(killed)
    (kinds,) = (mark.args[1] for mark in two_ranks.pytestmark if mark.args[:1] == ("kind",))
    compared = {(kind, by) for kind in kinds for by in ("ddp", "fsdp")}
    assert {pair for pair, cell in cells.items() if cell.startswith("tests")} == compared | set(killed)


@pytest.mark.slow
def test_accelerate_trains_on_two_processes_without_a_gpu(
    renderer: Renderer, tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal, "FOLDER", tmp_path / "unfinished")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    train("dpo", machine.Training(), renderer, tiny_model, tmp_path / "one")
    here = machine.Training(launcher="accelerate", config="ddp", processes=2)
    outcome = train("dpo", here, renderer, tiny_model, tmp_path / "two").outcome
    assert (outcome.ranks, outcome.distributed) == (2, "MULTI_CPU")
    assert_same_weights(tmp_path / "one", tmp_path / "two")


def test_two_nodes_train_the_weights_of_one_process(
    renderer: Renderer, tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal, "FOLDER", tmp_path / "unfinished")
    for name, value in (slurm("") | {"PYTHONPATH": str(ROOT), "MASTER_ADDR": "127.0.0.1"}).items():
        monkeypatch.setenv(name, value)
    train("sft", machine.Training(), renderer, tiny_model, tmp_path / "one")
    assert moved(tmp_path / "one", tiny_model) > 1e-3
    launcher = on_two_nodes(page("72B on four nodes")["training"]["launcher"])
    here = machine.Training(launcher=f"{launcher} pipeline/training/launchers/ddp.yaml")
    outcome = train("sft", here, renderer, tiny_model, tmp_path / "two").outcome
    assert (outcome.ranks, outcome.distributed) == (2, "MULTI_CPU")
    assert_same_weights(tmp_path / "one", tmp_path / "two")


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """What a user has after `make install` and `psr profile smoke`."""
    folder = copy(tmp_path / "clone")
    shutil.copytree(ROOT / "docs/slurm", folder / "docs/slurm")
    (folder / ".venv/bin").mkdir(parents=True)
    (folder / ".venv/bin/activate").write_text(f"export PYTHONPATH={folder}\n")
    call(folder, sys.executable, "-m", "pipeline.cli", "profile", "smoke")
    return folder


def submit(folder: Path, script: str, nodes: str, *target: str) -> str:
    """What a script says that runs where sbatch would start it."""
    variables = [f"{name}={value}" for name, value in slurm(nodes).items()]
    return call(folder, "env", *variables, "bash", f"docs/slurm/{script}", *target)


@pytest.mark.slow
def test_one_node_of_two_ranks_makes_the_first_round(clone: Path) -> None:
    here = page("Eight GPUs")
    here["inference"] |= {"replicas": 2, "max_num_seqs": 64, "concurrent_problems": 64}
    here["training"] |= {"config": "ddp", "processes": 2}
    (clone / "machine.yaml").write_text(yaml.safe_dump(here))
    output = submit(clone, "one_node.sbatch", "127.0.0.1", "dpo@m2")
    assert "everything fits" in output and output.count("train: 2 processes, MULTI_CPU") == 3
    assert read_json(clone / "reports/models/m2/dpo.json")["pairs"] > 0


@pytest.mark.slow
def test_two_nodes_serve_and_train(clone: Path) -> None:
    nodes = ",".join(f"127.{random.randint(1, 250)}.{random.randint(1, 250)}.{node}" for node in (1, 2))  # ports free
    here = page("72B on four nodes")
    before = here["inference"]["serve"].partition(" vllm serve")[0]
    here["inference"] = {"max_num_seqs": 16, "endpoints": [], "serve": f"{before} {SERVE}"}
    launcher = on_two_nodes(here["training"]["launcher"])
    here["training"] = {"launcher": f"{launcher} pipeline/training/launchers/ddp.yaml", "micro_batch": 1}
    (clone / "machine.yaml").write_text(yaml.safe_dump(here, width=1000))
    output = submit(clone, "four_nodes.sbatch", nodes, "prm_eval")
    assert output.count("train: 2 processes, MULTI_CPU") == 1
    assert all(f"http://{node}:8000" in (clone / "machine.yaml").read_text() for node in nodes.split(","))
    assert "policy: 2 server(s) of data/prm/model start" in output
    assert read_json(clone / "reports/data/prm_eval.json")["steps"] > 0
