"""dvc.yaml against the code: what a stage depends on, and no oracle inside a round."""

from __future__ import annotations

import ast
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from benchmarks import judged_rounds
from pipeline.core import fingerprint
from pipeline.methods import LISTED as METHODS
from pipeline.methods.pairings import LISTED as PAIRINGS
from pipeline.params.profiles import profile

ROOT = Path(__file__).parent.parent
STAGES = {path.stem: path for path in (ROOT / "stages").glob("*.py") if path.stem != "__init__"}
FILES = [ROOT / "dvc.yaml", ROOT / "diagnostics" / "dvc.yaml", ROOT / "publish" / "dvc.yaml"]
GRAPH = {
    name: entry.get("do", entry) for file in FILES for name, entry in yaml.safe_load(file.read_text())["stages"].items()
}
PRINTED = "import json, pathlib, pipeline.params as p; print(json.dumps(p.fingerprints(pathlib.Path('params.yaml'))))"


def test_a_stage_script_has_at_most_40_lines() -> None:
    assert not [name for name, path in STAGES.items() if len(path.read_text().splitlines()) > 40]


def script(name: str) -> str:
    """The stage script that a stage of the graph runs."""
    return str(GRAPH[name]["cmd"].split("-m stages.")[1].split()[0])


def parameters(name: str) -> dict[str, list[str]]:
    """The parameters of a stage by file."""
    by_file: dict[str, list[str]] = {}
    for entry in GRAPH[name].get("params", []):
        for file, keys in entry.items() if isinstance(entry, dict) else (("params.yaml", [entry]),):
            by_file[Path(file).name] = by_file.get(Path(file).name, []) + list(keys or [])
    return by_file


@pytest.mark.parametrize("name", sorted(set(GRAPH) - {"fingerprint", "push"}))
def test_a_stage_depends_on_the_fingerprint_of_its_own_script(name: str) -> None:
    (key,) = parameters(name)["code.json"]
    assert key.partition(".")[0] == script(name)
    plugins = fingerprint.asks(script(name)) & {"methods", "pairings"}
    assert bool(key.partition(".")[2]) == bool(plugins)


def takes(stage: str, given: set[str]) -> bool:
    """Whether a stage script takes exactly these paths, but for those that it can do without."""
    calls = [node for node in ast.walk(ast.parse(STAGES[stage].read_text())) if isinstance(node, ast.Call)]
    (run,) = (call for call in calls if isinstance(call.func, ast.Name) and call.func.id == "run")
    paths = {path for word in run.keywords for path in ast.literal_eval(word.value)}
    return {path for path in paths if not path.endswith("?")} <= given <= {path.rstrip("?") for path in paths}


@pytest.mark.parametrize("name", sorted(GRAPH))
def test_a_stage_gives_its_script_every_path_that_it_must_have_and_no_other(name: str) -> None:
    assert takes(script(name), set(re.findall(r" --(\w+)", GRAPH[name]["cmd"])) - {"key", "params"})


def test_a_round_judged_again_gives_each_stage_the_paths_that_it_takes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: dict[str, set[str]] = {}
    numbers = {"content": "", "pairs": 0, "pooled": {"accuracy": 0.0, "accuracy_se": 0.0}}
    monkeypatch.setattr(judged_rounds, "staged", lambda name, folder, key, **paths: calls.update({name: set(paths)}))
    monkeypatch.setattr(judged_rounds, "trees", lambda path: iter(()))
    monkeypatch.setattr(judged_rounds, "beyond", lambda own, answers: {})
    monkeypatch.setattr(judged_rounds.files, "read_json", lambda path: numbers)
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(profile("tiny")))
    judged_rounds.trained(tmp_path, tmp_path / "again", {}, through=1)
    assert set(calls) == {"search", "pairs", "dpo", "evaluate"}
    assert all(takes(stage, given) for stage, given in calls.items())


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The library, the stages and the prompts beside a params.yaml with both methods and a variant."""
    folder = tmp_path_factory.mktemp("copy")
    for name in ("pipeline", "stages", "prompts", "extensions"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__", "shipped"))
    (folder / "pipeline/domains/arithmetic/shipped").mkdir()
    call = [sys.executable, "-m", "pipeline.cli", "profile", "tiny-srlm"]
    subprocess.run(call, cwd=folder, check=True, capture_output=True)
    return folder


def fingerprints(folder: Path) -> dict[str, str]:
    """code.json, flat: `pairs.srlm` is the fingerprint of `pairs` for the method srlm."""
    done = subprocess.run([sys.executable, "-c", PRINTED], cwd=folder, capture_output=True, text=True, check=True)
    stages: dict[str, Any] = json.loads(done.stdout)
    nested = {
        f"{name}.{key}": one for name, value in stages.items() if isinstance(value, dict) for key, one in value.items()
    }
    return {name: value for name, value in stages.items() if isinstance(value, str)} | nested


@pytest.fixture(scope="module")
def before(copy: Path) -> dict[str, str]:
    return fingerprints(copy)


def changed(copy: Path, before: dict[str, str], path: str, old: str, new: str) -> set[str]:
    """The stages whose fingerprints an edit of one file changes; the file is put back."""
    file = copy / path
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new, 1))
    try:
        after = fingerprints(copy)
    finally:
        file.write_text(text)
    return {name for name in before if before[name] != after[name]}


@pytest.mark.parametrize(
    ("path", "old", "new"),
    [
        ("pipeline/inference/loop.py", "One event loop over any number", "An event loop for any number"),
        ("pipeline/inference/endpoint.py", "Work off the queue;", "Empty the queue;"),  # of an async function
        ("pipeline/methods/psrlm/search.py", "def _judged(", "# A comment.\ndef _judged("),
        ("pipeline/methods/psrlm/settings.py", "candidates a step", "how many candidates a step"),
    ],
)
def test_docstrings_comments_and_descriptions_rerun_nothing(
    copy: Path, before: dict[str, str], path: str, old: str, new: str
) -> None:
    assert changed(copy, before, path, old, new) == set()


ORACLE = {"problems", "base", "prm_data", "eft.psrlm", "eft.srlm", "gates", "control_pairs", "layer_judging"}
SAMPLED = {"variant.scpo", "variant.correct"}  # of whole solutions, sampled as SRLM does


@pytest.mark.parametrize(
    ("path", "old", "new", "stages"),
    [
        ("pipeline/report/style.css", ":root", ":root, main", {"report"}),
        ("pipeline/report/template.html", "<h1>", "<h1>Our ", {"report"}),
        ("pipeline/data/known.yaml", "gsm8k:", "gsm8k-2:", {"problems", "prm_data", "eft.psrlm", "eft.srlm"}),
        ("pipeline/methods/psrlm/pairs.py", '"gap"', '"small_gap"', {"pairs.psrlm"}),
        ("pipeline/methods/srlm/pairs.py", '"gap"', '"small_gap"', {"pairs.srlm", *SAMPLED}),
        ("pipeline/methods/pairings/outcome.py", '"unfinished"', '"no_end"', {"variant.outcome"}),
        ("pipeline/methods/srlm/search.py", '"no_answer"', '"none"', {"search.srlm", "eft_search.srlm", *SAMPLED}),
        ("pipeline/training/preference.py", '"consistency"', '"weight"', {"dpo"}),
        ("pipeline/domains/arithmetic/exact.py", "The answer is", "It is", ORACLE),
    ],
)  # fmt: skip
def test_a_changed_line_reruns_exactly_the_stages_that_import_it(
    copy: Path, before: dict[str, str], path: str, old: str, new: str, stages: set[str]
) -> None:
    assert changed(copy, before, path, old, new) == stages


def test_an_edited_template_reruns_the_stages_that_fill_prompts_of_its_family_alone(
    copy: Path, before: dict[str, str]
) -> None:
    assert changed(copy, before, "prompts/math/step_judge.txt", "impartial", "fair") == set()
    rerun = changed(copy, before, "prompts/arithmetic/step_judge.txt", "Which", "What")
    assert {"search.psrlm", "search.srlm", "sft.psrlm", "dpo", "judge_eval.psrlm", "evaluate", "prm"} <= rerun
    assert not rerun & {"problems", "pairs.psrlm", "inspect.psrlm", "report", "ledger"}


def test_a_users_own_family_and_method_count_as_the_librarys_do(copy: Path) -> None:
    shutil.copytree(copy / "prompts/arithmetic", copy / "prompts/mine")
    shutil.copy(ROOT / "tests/extensions/votes.py", copy / "extensions/votes.py")
    params = copy / "params.yaml"
    text = params.read_text()
    document = yaml.safe_load(text)
    document["prompts"]["family"] = "mine"
    document["votes"] = {**document["psrlm"], "pairs": {"min_gap": 1}}
    document["eft"]["votes"] = {"policy": "m0", "value": "prm"}
    params.write_text(yaml.safe_dump(document))
    mine = fingerprints(copy)
    assert {"search.votes", "pairs.votes", "eft.votes"} <= set(mine)
    assert changed(copy, mine, "extensions/votes.py", '"answer" if', '"done" if') == {"search.votes", "pairs.votes"}
    assert "search.psrlm" in changed(copy, mine, "prompts/mine/step_judge.txt", "Which", "What")
    params.write_text(text)


ORACLES = ("pipeline.domains.arithmetic.oracle", "pipeline.domains.arithmetic.exact", "pipeline.evaluation.gates")


@pytest.mark.parametrize("stage", ["search", "pairs", "dpo", "variant"])
def test_a_round_cannot_import_the_oracle(stage: str) -> None:
    for method in METHODS:
        for kind in PAIRINGS:
            chosen = {"domains": "arithmetic", "methods": method, "pairings": kind}
            assert not fingerprint.modules(stage, chosen) & set(ORACLES)
    assert set(ORACLES[:2]) <= fingerprint.modules("eft", {"domains": "arithmetic", "methods": "psrlm"})


def test_no_round_and_no_model_depends_on_a_diagnostic() -> None:
    for entry in yaml.safe_load(FILES[0].read_text())["stages"].values():
        assert not [d for d in entry.get("do", entry).get("deps", []) if "diagnostics" in d]


def test_every_stage_script_is_in_the_graph_and_says_what_it_reads_and_writes() -> None:
    assert set(STAGES) == {script(name) for name in GRAPH}
    for stage in ("ift", "pairs"):
        command = [sys.executable, "-m", f"stages.{stage}", "--help"]
        text = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
        assert "reads" in text and "writes" in text


def test_no_path_of_an_artifact_stands_in_the_library() -> None:
    for file in (ROOT / "pipeline").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value != "data/sources":
                assert not node.value.startswith(("data/", "reports/")), f"{file}: {node.value}"


def test_a_method_is_named_in_its_own_folder_alone() -> None:
    for file in [*(ROOT / "pipeline").rglob("*.py"), *STAGES.values()]:
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Compare) and "methods" not in file.parts:
                named = [c.value for c in (node.left, *node.comparators) if isinstance(c, ast.Constant)]
                assert not set(named) & {"srlm", "arithmetic", "deduction"}, f"{file}:{node.lineno}"


def test_text_becomes_ids_in_the_renderer_alone() -> None:
    for file in [*(ROOT / "pipeline").rglob("*.py"), *STAGES.values()]:
        calls = [n for n in ast.walk(ast.parse(file.read_text())) if isinstance(n, ast.Call)]
        tokenised = [n for n in calls if {k.arg for k in n.keywords} & {"add_special_tokens", "split_special_tokens"}]
        assert not tokenised or file.name == "renderer.py", file


def test_a_number_of_a_model_is_a_metric_once() -> None:
    metrics = [path for entry in GRAPH.values() for metric in entry.get("metrics", []) for path in metric]
    assert "reports/metrics.json" in metrics
    assert all(path == "reports/metrics.json" or path.startswith("reports/data/") for path in metrics)


def test_nothing_that_a_plain_run_leaves_out_is_needed_to_restore_it() -> None:
    for file in FILES[1:]:
        for entry in yaml.safe_load(file.read_text())["stages"].values():
            outs = entry.get("do", entry)["outs"]
            assert all(out == {path: {"cache": False}} for out in outs for path in out), file
