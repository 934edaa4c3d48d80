"""dvc.yaml against the code: exact dependencies, and no oracle inside a round."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from pipeline.core import plan

ROOT = Path(__file__).parent.parent
STAGES = {path.stem: path for path in (ROOT / "stages").glob("*.py") if path.stem != "__init__"}
FILES = [ROOT / "dvc.yaml", ROOT / "diagnostics" / "dvc.yaml", ROOT / "publish" / "dvc.yaml"]
GRAPH = {
    name: entry.get("do", entry) for file in FILES for name, entry in yaml.safe_load(file.read_text())["stages"].items()
}


def imported(file: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return {name for name in names if name.startswith("pipeline.")}


def rooms(file: Path) -> set[str]:
    """Every file or folder of pipeline/ that `file` imports, directly or through another."""
    found, todo = set(), [file]
    while todo:
        for name in imported(todo.pop()):
            room = ROOT / "pipeline" / name.split(".")[1]
            if room.is_dir() and room.name not in found:
                found.add(room.name)
                todo += room.glob("*.py")
            elif room.with_suffix(".py").is_file() and room.name + ".py" not in found:
                found.add(room.name + ".py")
                todo.append(room.with_suffix(".py"))
    return found | {"templates"} if "prompts.py" in found else found


def scripts(name: str) -> list[Path]:
    """The stage script that a stage of the graph runs; variants have one a kind."""
    module = GRAPH[name]["cmd"].split("-m stages.")[1].split()[0]
    kinds = plan.KINDS if "${item.kind}" in module else ("",)
    return [STAGES[module.replace("${item.kind}", kind)] for kind in kinds]


@pytest.mark.parametrize("name", GRAPH)
def test_a_stage_depends_on_exactly_the_modules_that_it_imports(name: str) -> None:
    code = {d for d in GRAPH[name]["deps"] if d.startswith(("pipeline/", "stages/")) and not d.endswith(".yaml")}
    named = "stages/" + GRAPH[name]["cmd"].split("-m stages.")[1].split()[0] + ".py"
    assert code == {named, *(f"pipeline/{room}" for script in scripts(name) for room in rooms(script))}


@pytest.mark.parametrize("stage", ["search", "pairs", "dpo", *(f"variant_{kind}" for kind in plan.KINDS)])
def test_a_round_cannot_import_the_oracle(stage: str) -> None:
    assert "world" not in rooms(STAGES[stage])
    assert "answers" not in rooms(STAGES[stage])


def test_no_round_and_no_model_depends_on_a_diagnostic() -> None:
    for entry in yaml.safe_load(FILES[0].read_text())["stages"].values():
        assert not [d for d in entry.get("do", entry).get("deps", []) if "diagnostics" in d]


def test_every_stage_script_is_in_the_graph_and_says_what_it_reads_and_writes() -> None:
    assert set(STAGES) == {script.stem for name in GRAPH for script in scripts(name)}
    for stage in ("ift", "pairs"):
        command = [sys.executable, "-m", f"stages.{stage}", "--help"]
        text = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
        assert "reads" in text and "writes" in text


def test_no_path_of_an_artifact_stands_in_the_library() -> None:
    for file in (ROOT / "pipeline").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                assert not node.value.startswith(("data/", "reports/")), f"{file}: {node.value}"


def test_a_number_of_a_model_is_a_metric_once() -> None:
    metrics = [path for entry in GRAPH.values() for metric in entry.get("metrics", []) for path in metric]
    assert "reports/metrics.json" in metrics
    assert all(path == "reports/metrics.json" or path.startswith("reports/data/") for path in metrics)


def test_nothing_that_a_plain_run_leaves_out_is_needed_to_restore_it() -> None:
    for file in FILES[1:]:
        for entry in yaml.safe_load(file.read_text())["stages"].values():
            outs = entry.get("do", entry)["outs"]
            assert all(out == {path: {"cache": False}} for out in outs for path in out), file
