from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from pipeline.cli import ablate
from pipeline.core.errors import PipelineError

ROOT = Path(__file__).parent.parent
FILE, PARAMS = ROOT / "ablations.yaml", ROOT / "params.yaml"


def test_every_shipped_ablation_gives_a_sound_params_file_and_leaves_the_workspace_alone() -> None:
    before = PARAMS.read_bytes()
    for name, overrides in ablate.choose(FILE, ["*"]).items():
        ablate.check(PARAMS, overrides, name)
    assert PARAMS.read_bytes() == before


def test_names_and_patterns_choose_in_the_order_of_the_file() -> None:
    assert list(ablate.choose(FILE, ["one-order", "width-*"])) == ["width-2", "width-4", "width-8", "one-order"]


def test_the_command_survives_a_shell() -> None:
    command = ablate.queue_command("more", ["+rounds.m5={from: m4, method: psrlm}"])
    assert shlex.split(shlex.join(command)) == command
    assert command[:6] == ["dvc", "exp", "run", "--queue", "--name", "more"]


@pytest.mark.parametrize(
    ("overrides", "messages"),
    [
        (["psrlm.search.widht=4"], [r".*psrlm.search.widht"]),
        (["psrlm.search.width=wide"], ["params.yaml: psrlm.search.width: must be an? .*integer"]),
        (
            ["+rounds.m9={from: m7, method: psrlm}"],
            ["params.yaml: rounds.m9.from: no model 'm7'", "params.yaml: models: must list m0"],
        ),
        (["+rounds.m5={from: m4, method: psrlm}"], ["params.yaml: models: must list m0"]),
    ],
)
def test_an_ablation_that_cannot_run_is_refused_before_it_is_queued(overrides: list[str], messages: list[str]) -> None:
    """One line a fault."""
    with pytest.raises(PipelineError) as error:
        ablate.check(PARAMS, overrides, "ablations.yaml: more")
    for line, message in zip(str(error.value).splitlines(), messages, strict=True):
        assert re.match(rf"ablations\.yaml: more: .*{message}", line)


def test_unknown_names_and_other_shapes_are_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(PipelineError, match="no ablation 'nope'; give one of width-2"):
        ablate.choose(FILE, ["nope"])
    (tmp_path / "a.yaml").write_text("width: {search.width: 4}")
    with pytest.raises(PipelineError, match="width: must be a list of overrides"):
        ablate.choose(tmp_path / "a.yaml", ["*"])
