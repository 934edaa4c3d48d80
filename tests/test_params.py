from __future__ import annotations

from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import yaml
from conftest import ROOT

from pipeline import params
from pipeline.core import config, plan
from pipeline.core.errors import PipelineError
from pipeline.methods.psrlm import settings as psrlm
from pipeline.methods.srlm import settings as srlm

TINY = yaml.safe_load(params.text("tiny"))
OUTCOME = {"of": "m3", "from": "m2", "by": "m2", "kind": "outcome"}


def changed(tmp_path: Path, change: Any) -> Path:
    document = deepcopy(TINY)
    change(document)
    path = tmp_path / "params.yaml"
    path.write_text(yaml.safe_dump(document))
    return path


def variant(**entry: str) -> Any:
    """A change that adds a variant of m3, whose states are all judged in full."""

    def change(document: Any) -> None:
        document["variants"]["v3"] = OUTCOME | {key.rstrip("_"): value for key, value in entry.items()}
        document["models"].append("v3")
        document["rounds"]["m3"]["search"] = {"judge": {"full": 1.0}}

    return change


def srlm_root(document: Any) -> None:
    document["roots"]["m1"]["method"] = "srlm"
    document["eft"]["srlm"] = {"policy": "m0", "value": "m0"}
    document["judges"] = {}


@pytest.mark.parametrize("name", params.profiles())
def test_every_profile_has_a_hash_for_each_stage(name: str, tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text(params.text(name))
    assert {"base", "search", "dpo", "report"} <= params.fingerprints(tmp_path / "params.yaml").keys()


@pytest.mark.parametrize("name", params.profiles())
def test_every_profile_is_read_strictly(name: str, tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    path.write_text(params.text(name))
    assert params.check(path).models[0] == "m0"
    assert yaml.safe_load(params.text(name)) == params.profile(name)


def test_a_profile_of_ones_own_is_a_file_over_another(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("over: smoke\nproblems: {rounds: {rows: 7}}\n")
    mine, smoke = params.profile(str(file)), params.profile("smoke")
    assert mine["problems"].pop("rounds") == {"path": "generated", "rows": 7}
    assert smoke["problems"].pop("rounds") and mine == smoke
    assert yaml.safe_load(params.text(str(file))) == params.profile(str(file))
    for name, line in (("mine", "profile 'mine' does not exist; give a file or one of"), ("no.yaml", "no such file")):
        with pytest.raises(PipelineError, match=line):
            params.profile(name)


def test_the_repository_starts_with_the_tiny_profile() -> None:
    assert (ROOT / "params.yaml").read_text() == params.text("tiny")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d["psrlm"]["search"].update(widht=3), "psrlm.search.widht: unknown key; did you mean `width`?"),
        (lambda d: d["psrlm"]["search"].pop("width"), "psrlm.search.width: missing key; add it"),
        (lambda d: d["psrlm"]["search"].update(width="six"), "psrlm.search.width: must be an integer, is 'six'"),
        (lambda d: d["psrlm"]["search"].update(width=True), "psrlm.search.width: must be an integer, is True"),
        (lambda d: d["rounds"]["m3"].update(solutions={}), "rounds.m3.solutions: unknown key; known keys: from"),
        (lambda d: d.pop("dpo"), "dpo: missing key; add it"),
        (lambda d: d.update(dpoo={}), "dpoo: unknown key; did you mean `dpo`?"),
        (lambda d: d["rounds"]["m3"].update({"from": "m9"}), "rounds.m3.from: no model 'm9'; give one of m0, m1"),
        (lambda d: d["rounds"]["m2"].update({"from": "m4"}), "rounds.m2.from: the models m2 -> m4 -> m3 -> m2"),
        (lambda d: d["rounds"]["m3"].update(method="magic"), "rounds.m3.method: must be one of psrlm, srlm, or"),
        (lambda d: d["rounds"]["m3"].update(serach={}), "rounds.m3.serach: unknown key; did you mean `search`?"),
        (lambda d: d["rounds"]["m3"].update(search={"widht": 2}), "rounds.m3.search.widht: unknown key; did "),
        (srlm_root, "rounds.m2.method: psrlm cannot start from m1, which learned to judge as srlm"),
        (lambda d: d["eft"]["psrlm"].update(policy="m9"), "eft.psrlm.policy: no model 'm9'; give one of m0, m1"),
        (lambda d: d["scale"].update(models=["m9"]), "scale.models: no model 'm9'; give some of m0, m1"),
        (lambda d: d["reference"].update(url="http://x", models=["m1"]), "reference.models: 'm1' is a model of "),
        (lambda d: d["evaluate"]["average"].update(splits=["aime"]), "evaluate.average.splits: no split 'aime'; "),
        (variant(of="m9"), "variants.v3.of: no round 'm9'; give one of m2, m3, m4"),
        (variant(from_="m1"), "variants.v3.from: must be m2, from which the round m3 starts"),
        (variant(by="m1"), "variants.v3.by: must be m2, the model that m3 starts from"),
        (variant(kind="agreement"), "variants.v3.by: must be m1, before m2"),
        (variant(kind="cream"), "variants.v3.by: must be m1, before m2"),
        (variant(kind="x"), "variants.v3.kind: must be one of outcome, agreement, cream, scpo, correct, expert, or"),
        (lambda d: d["variants"].update(o3=OUTCOME | {"search": {}}), "variants.o3.search: unknown key; known keys: "),
        (lambda d: d["models"].remove("m3"), "models: must list m0, every root, round and variant once; differs in m3"),
    ],
)  # fmt: skip
def test_a_wrong_key_is_one_line_that_names_it(change: Any, message: str, tmp_path: Path) -> None:
    with pytest.raises(PipelineError) as caught:
        params.check(path := changed(tmp_path, change))
    assert str(caught.value).startswith(f"{path}: {message}") and "\n" not in str(caught.value)


def test_a_round_lays_its_own_keys_over_the_shared_section(tmp_path: Path) -> None:
    path = changed(tmp_path, lambda d: d["rounds"]["m3"].update(search={"width": 8, "judge": {"orders": "single"}}))
    params.check(path)
    over = plan.load(path).override("m3", "search")
    settings = config.load(path, "psrlm.search", psrlm.Search, over)
    assert (settings.width, settings.judge.orders) == (8, "single")
    assert settings.judge.sampling == config.load(path, "psrlm.search", psrlm.Search).judge.sampling


def both_arms(document: Any) -> None:
    document["roots"]["s1"] = {"from": "m0", "method": "srlm"}
    document["rounds"]["s2"] = {"from": "s1", "method": "srlm", "search": {"samples": 9}}
    document["models"] += ["s1", "s2"]
    document["eft"]["srlm"] = {"policy": "m0", "value": "m0"}


def test_methods_are_compared_at_equal_problems_and_a_round_reads_its_methods_section(tmp_path: Path) -> None:
    plan = params.check(path := changed(tmp_path, both_arms))
    assert plan.round_sizes(200)[2] == {"m2": 100, "s2": 200}
    assert plan.round_sizes(200)[3] == {"m3": 200}
    assert config.load(path, "srlm.search", srlm.Search, plan.override("s2", "search")).samples == 9


def test_the_eft_data_of_a_root_must_be_made(tmp_path: Path) -> None:
    def without(document: Any) -> None:
        both_arms(document)
        del document["eft"]["srlm"]

    with pytest.raises(PipelineError) as caught:
        params.check(path := changed(tmp_path, without))
    assert str(caught.value) == f"{path}: roots.s1.method: there are no EFT data of srlm; add it to `eft`"
