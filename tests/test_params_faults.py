"""Whatever is wrong in params.yaml is a line with file, key, value and what is allowed."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml
from conftest import ROOT
from test_params import changed

from pipeline import params
from pipeline.core.errors import PipelineError
from pipeline.core.plan import TAKEN

GONE = ...  # a key that is taken out
NAME = "must be a name of at most 64 letters, digits, `-` and `_` that begins with a letter and is no YAML word"
PLUGIN = "or the name of a module in extensions/"
MISSING = "missing key; add it (a profile has its default: `psr profile --help`)"
NO_FILE = "no such file 'no.jsonl'; give `generated`, a file, `hub:<dataset id>` or `known:<name>`"
SERVED = "'^[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9][A-Za-z0-9._-]*)*$'"
ADDRESS = "must be an http(s) address without user and password; key_variable names where a key is"
UNSEEN = "is not in data/sources; move it there (DVC sees no change behind a linked folder)"


def put(document: Any, key: str, value: Any) -> None:
    *sections, last = key.split("/")
    for section in sections:
        document = document[int(section) if isinstance(document, list) else section]
    if value is GONE:
        del document[last]
    else:
        document[int(last) if isinstance(document, list) else last] = value


def lines(path: Path) -> list[str]:
    """What the check says, without the file's name, which every line must begin with."""
    with pytest.raises(PipelineError) as caught:
        params.check(path)
    faults = str(caught.value).split("\n")
    assert all(line.startswith(f"{path}: ") for line in faults)
    return [line.removeprefix(f"{path}: ") for line in faults]


FAULTS = [
    # filed
    ("psrlm/search/judge/orders", "boht", "must be 'both' or 'single', is 'boht'"),
    ("ift/segmenter", "rules", "must be 'rule' or 'annotator', is 'rules'"),
    ("annotator/kind", "wolrd", "must be 'oracle', 'endpoint' or 'model', is 'wolrd'"),
    ("annotator/api", "Chat", "must be 'chat' or 'completions', is 'Chat'"),
    ("dpo/beta", -1, "must be greater than 0, is -1"),
    ("psrlm/search/width", 0, "must be greater than or equal to 1, is 0"),
    ("psrlm/search/sampling/temperature", -3, "must be greater than or equal to 0, is -3"),
    ("psrlm/eft/ties", 1.0, "must be less than 1, is 1.0"),
    ("inference/dtype", "floot32", "must be 'float32', 'bfloat16' or 'float16', is 'floot32'"),
    ("seed", "one", "must be an integer, is 'one'"),
    ("sft/batch_size", 0, "must be greater than or equal to 1, is 0"),
    # numbers
    ("seed", -1, "must be greater than or equal to 0, is -1"),
    ("seed", 2**32, "must be less than 4294967296, is 4294967296"),
    ("seed", "1", "must be an integer, is '1'"),
    ("seed", None, "must be an integer, is None"),
    ("inference/max_model_len", 1024.0, "must be an integer, is 1024.0"),
    ("dpo/beta", float("nan"), "must be a finite number, is nan"),
    ("dpo/learning_rate", float("inf"), "must be a finite number, is inf"),
    ("sft/learning_rate", "small", "must be a number, is 'small'"),
    ("sft/warmup_ratio", 1.5, "must be less than or equal to 1, is 1.5"),
    ("prm/bf16", "yes", "must be a boolean, is 'yes'"),
    ("evaluate/average/sampling/top_p", 0, "must be greater than 0, is 0"),
    ("dpo/loss_weights", {"sft": 0, "sigmoid": 0}, "one of sigmoid and sft must be above 0, is "),
    ("arithmetic/recipe/width", 48, "must be a multiple of 32, is 48"),
    ("annotator/max_requests", -1, "must be greater than or equal to 0, is -1"),
    (
        "psrlm/search/first_wave", 1,
        "psrlm.search: first_wave: 1 has none to differ from; give sure above 0, or 2 or more, is ",
    ),
    ("scale/search/first_wave", 6, "scale.search: first_wave must be 0, or below width (6), is "),
    ("scale/search/sure", 0.9, "scale.search: sure is a rule of the first wave; give first_wave 1 or more, is "),
    ("psrlm/search/sure", 90, "must be less than or equal to 1, is 90"),
    # other shapes
    ("psrlm/search", [1, 2], "must be a section with keys, is [1, 2]"),
    ("psrlm", None, "must be a section with keys, is None"),
    ("rounds", [], "must be a mapping, is []"),
    ("rounds/m3/search", [1], "must be a mapping, is [1]"),
    ("models", "m0", "must be a list, is 'm0'"),
    ("reference/models", "gpt-4o", "must be a list, is 'gpt-4o'"),
    ("problems/evaluation", {}, "must have at least 1 item, is {}"),
    ("arithmetic/splits/easy", [3, 2, 4], "must be [fewest steps, at least 2; most steps; problems], is [3, 2, 4]"),
    ("arithmetic/splits/easy", [2, 3], "arithmetic.splits.easy[2]: missing; the list is too short"),
    ("arithmetic/recipe/phases/0/cheks", 1, "arithmetic.recipe.phases[0].cheks: unknown key; did you mean "),
    ("arithmetic/recipe/phases/1/checks", GONE, f"arithmetic.recipe.phases[1].checks: {MISSING}"),
    ("problems/rounds/path", GONE, MISSING),
    ("problems/ift/path", "", "must have at least 1 character, is ''"),
    ("psrlm.search.width", 3, "psrlm.search.width: unknown key; known keys: seed, domain, models, "),
    # overrides of rounds and variants
    ("rounds/m3/search", {"judge": {"orders": 2}}, "rounds.m3.search.judge.orders: must be 'both' or 'single', is 2"),
    ("rounds/m4/dpo", {"loss_weights": {"sft": "x"}}, "rounds.m4.dpo.loss_weights.sft: must be a number, is 'x'"),
    ("rounds/m2/pairs", {"min_gap": -1}, "rounds.m2.pairs.min_gap: must be greater than or equal to 0, is -1"),
    # names of other things
    ("domain", "arithmetics", f"must be one of math, text, arithmetic, deduction, {PLUGIN}, is 'arithmetics'"),
    ("domain", "../math", f"{NAME}, is '../math'"),
    ("domain", GONE, MISSING),
    ("eft/magic", {"policy": "m0", "value": "prm"}, f"must be one of psrlm, srlm, {PLUGIN}, is 'magic'"),
    ("eft/psrlm/policy", "prm", "no model 'prm'; give one of m0, m1, m2, m3, m4"),
    ("eft/psrlm/value", "prn", "no model 'prn'; give prm or one of m0, m1, m2, m3, m4"),
    ("eft/psrlm/policy", "m2", "eft.psrlm: eft.psrlm -> m2 -> m1 -> eft.psrlm are a circle; give a policy and a "),
    ("judges/m0/model", "m9", "no model 'm9'; give one of m0, m1, m2, m3, m4"),
    ("judges/m0/method", "pslrm", f"must be one of psrlm, srlm, {PLUGIN}, is 'pslrm'"),
    ("roots/m1/from", "m1", "the models m1 -> m1 are a circle"),
    ("prompts/family", "nope", "there is no folder prompts/nope; give one of arithmetic, deduction, math, text"),
    ("prompts/family", "../x", f"{NAME}, is '../x'"),
    ("problems/evaluation/on", {"path": "generated"}, f"{NAME}, is 'on'"),
    ("problems/eft/path", "no.jsonl", NO_FILE),
    ("problems/ratings", "no.jsonl", NO_FILE),
    ("problems/ift/path", "known:gms8k", "problems.ift.path: known:gms8k: unknown data set; known are "),
    ("problems/ift/path", "README.md", f"README.md {UNSEEN}"),
    ("problems/ift/path", "data/sources/../../README.md", f"data/sources/../../README.md {UNSEEN}"),
    ("models/1", 2, "models[1]: must be a string, is 2"),
    # servers
    ("reference/models", ["../x"], f"reference.models[0]: must match pattern {SERVED}, is '../x'"),
    ("annotator/url", "api.openai.com", f"{ADDRESS}, is 'api.openai.com'"),
    ("annotator/key_variable", "A B", "must match pattern '^([A-Za-z_][A-Za-z0-9_]*)?$', is 'A B'"),
    ("annotator/kind", "model", "annotator.model: must be the model that annotator.kind: model asks, is ''"),
    ("ift/segmenter", "annotator", "the oracle writes no text; give rule, or annotator.kind: endpoint or model"),
]  # fmt: skip


@pytest.mark.parametrize(("key", "value", "line"), FAULTS, ids=[f"{key} {value!r:.30}" for key, value, _ in FAULTS])
def test_a_fault_is_one_line_with_its_key_and_its_value(key: str, value: Any, line: str, tmp_path: Path) -> None:
    (fault,) = lines(changed(tmp_path, lambda d: put(d, key, value)))
    expected = (line, f"{key.replace('/', '.')}: {line}")
    assert fault in expected or (line.endswith(" ") and fault.startswith(expected))


def test_a_template_that_is_not_utf_8_is_told_before_any_stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(ROOT / "prompts" / "arithmetic", tmp_path / "prompts" / "own")
    (tmp_path / "prompts" / "own" / "step_judge.txt").write_bytes("Qué paso".encode("latin-1"))
    path = changed(tmp_path, lambda document: put(document, "prompts/family", "own"))
    monkeypatch.chdir(tmp_path)
    assert lines(path) == ["prompts.family: prompts/own/step_judge.txt: not UTF-8 (byte 2); save the template as UTF-8"]


@pytest.mark.parametrize(
    "name",
    ["2", "on", "null", "True", "~", "", "../../x", "m5;touch X;#", "$HOME", "m 5", "-x", "é", "m\n5", "m" * 65],
)  # fmt: skip
def test_a_name_that_reaches_paths_and_the_shell_is_an_identifier(name: str, tmp_path: Path) -> None:
    def named(document: Any) -> None:
        document["models"].append(name)
        document["rounds"][name] = {"from": "m4", "method": "psrlm"}

    shown = repr(name) if len(name) < 78 else repr(name)[:77] + "..."
    key = name.replace("\n", "\\n")
    assert lines(changed(tmp_path, named)) == [f"models[5]: {NAME}, is {shown}", f"rounds.{key}: {NAME}, is {shown}"]


@pytest.mark.parametrize("name", ["2", "on", "null", "1.5", "true"])
def test_a_name_that_yaml_reads_as_another_type_is_refused(name: str, tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    path.write_text(params.text("tiny").replace("  m2: {from", f"  {name}: {{from"))
    assert lines(path) == [f"rounds.{name}: {NAME}, is '{name}'"]


@pytest.mark.parametrize("name", sorted(TAKEN))
def test_a_model_is_not_called_as_a_folder_beside_the_models(name: str, tmp_path: Path) -> None:
    def named(document: Any) -> None:
        document["models"].append(name)
        document["rounds"][name] = {"from": "m4", "method": "psrlm"}

    assert lines(changed(tmp_path, named)) == [f"{name}: another folder of data/ is called so; rename the model"]


def test_every_folder_beside_the_models_is_known() -> None:
    document = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
    stages = [stage.get("do", stage) for stage in document.values()]
    written = [out if isinstance(out, str) else next(iter(out)) for stage in stages for out in stage.get("outs", [])]
    folders = {Path(out).parts[1] for out in written if out.startswith("data/")}
    assert {name for name in folders if "$" not in name} <= TAKEN | {"m0"}
