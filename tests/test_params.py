from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from pipeline.core import params, plan
from pipeline.core.errors import PipelineError

OUTCOME = {"of": "m3", "from": "m2", "by": "m2", "kind": "outcome"}


def changed(tmp_path: Path, change: Any) -> Path:
    document = yaml.safe_load(plan.profile_text("tiny"))
    change(document)
    path = tmp_path / "params.yaml"
    path.write_text(yaml.safe_dump(document))
    return path


@pytest.mark.parametrize("name", plan.profiles())
def test_every_profile_is_read_strictly(name: str, tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    path.write_text(plan.profile_text(name))
    assert plan.check(path).models[0] == "m0"


def test_the_repository_starts_with_the_tiny_profile() -> None:
    root = Path(__file__).parent.parent
    assert (root / "params.yaml").read_text() == plan.profile_text("tiny")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d["search"].update(widht=3), r"search\.widht: unknown key; did you mean `width`"),
        (lambda d: d["search"].pop("width"), r"search\.width: missing key"),
        (lambda d: d["search"].update(width="six"), r"search\.width: must be int, is 'six'"),
        (lambda d: d["search"].update(width=True), r"search\.width: must be int, is True"),
        (lambda d: d["rounds"]["m3"].update(solutions={}), r"rounds\.m3\.solutions: unknown key"),
        (lambda d: d.pop("dpo"), r"section `dpo` is missing"),
        (lambda d: d.update(dpoo={}), r"dpoo: unknown section"),
        (lambda d: d["rounds"]["m3"].update({"from": "m9"}), r"rounds\.m3\.from: no model 'm9'"),
        (lambda d: d["rounds"]["m2"].update({"from": "m4"}), r"are a circle"),
        (lambda d: d["rounds"]["m3"].update(method="magic"), r"rounds\.m3\.method: 'magic'"),
        (lambda d: d["rounds"]["m3"].update(serach={}), r"rounds\.m3\.serach: unknown key"),
        (lambda d: d["rounds"]["m3"].update(search={"widht": 2}), r"search\.widht: unknown key"),
        (lambda d: d["roots"]["m1"].update(method="srlm"), r"rounds\.m2: method psrlm cannot start from m1"),
        (lambda d: d["eft_scores"].update(policies=["m0"]), r"eft_scores\.policies: must be \[\]"),
        (lambda d: d["scale"].update(models=["m9"]), r"scale\.models: no model 'm9'"),
        (lambda d: d["reference"].update(models=["m1"]), r"reference\.models: 'm1' is a model of this run"),
        (
            lambda d: d["evaluate"]["average"].update(splits=["aime"]),
            r"average\.splits: no split 'aime'",
        ),
        (lambda d: d["variants"].update(o3=OUTCOME | {"of": "m9"}), r"variants\.o3\.of: no round 'm9'"),
        (lambda d: d["variants"].update(o3=OUTCOME | {"from": "m1"}), r"variants\.o3\.from: must be m2"),
        (lambda d: d["variants"].update(o3=OUTCOME | {"by": "m1"}), r"variants\.o3\.by: must be m2, which completes"),
        (
            lambda d: d["variants"].update(a3=OUTCOME | {"kind": "agreement"}),
            r"variants\.a3\.by: must be m1, before m2",
        ),
        (lambda d: d["variants"].update(c3=OUTCOME | {"kind": "cream"}), r"variants\.c3\.by: must be m1, before m2"),
        (lambda d: d["variants"].update(o3=OUTCOME | {"kind": "x"}), r"variants\.o3\.kind: 'x' is not one of"),
        (lambda d: d["variants"].update(o3=OUTCOME | {"search": {}}), r"variants\.o3\.search: unknown key"),
        (lambda d: d["models"].remove("m3"), r"models: must list .* m3"),
    ],
)
def test_a_wrong_key_is_one_line_that_names_it(change: Any, message: str, tmp_path: Path) -> None:
    with pytest.raises(PipelineError, match=message) as caught:
        plan.check(changed(tmp_path, change))
    assert "\n" not in str(caught.value)


def test_a_round_lays_its_own_keys_over_the_shared_section(tmp_path: Path) -> None:
    path = changed(tmp_path, lambda d: d["rounds"]["m3"].update(search={"width": 8, "judge": {"orders": "single"}}))
    settings = params.load(path, "search", params.Search, plan.load(path).override("m3", "search"))
    assert (settings.width, settings.judge.orders) == (8, "single")
    assert settings.judge.sampling == params.load(path, "search", params.Search).judge.sampling


def test_methods_are_compared_at_equal_problems_and_a_round_reads_its_methods_section(tmp_path: Path) -> None:
    def both_arms(document: Any) -> None:
        document["roots"]["s1"] = {"from": "m0", "method": "srlm"}
        document["rounds"]["s2"] = {"from": "s1", "method": "srlm", "solutions": {"samples": 9}}
        document["models"] += ["s1", "s2"]
        document["eft_scores"]["policies"] = ["m0"]

    found = plan.check(path := changed(tmp_path, both_arms))
    assert found.round_sizes(200)[2] == {"m2": 300, "s2": 200}
    assert found.round_sizes(200)[3] == {"m3": 300}
    settings = params.load(path, "solutions", params.SolutionSearch, found.override("s2", "solutions"))
    assert settings.samples == 9
