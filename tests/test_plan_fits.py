"""`psr plan`: whether a run fits is counted as it will run, and what is advised makes it fit."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipeline import params
from pipeline.cli import __main__ as psr
from pipeline.core import machine, memory
from pipeline.core.config import build
from pipeline.core.errors import PipelineError
from pipeline.core.machine import Inference, Machine, Training
from pipeline.core.memory import GIB
from pipeline.planning import needs
from pipeline.planning.estimate import Estimate, Rates, estimate
from pipeline.planning.hardware import Devices
from pipeline.planning.sizes import shape_of

ROOT = Path(__file__).parent.parent
ONE = Inference(replicas=1)
PAPER = Machine(inference=ONE, training=Training(launcher="accelerate", processes=8, micro_batch=2))


def read(name: str, folder: Path, **changed: Any) -> Any:
    """A profile with other values, checked."""
    (path := folder / "params.yaml").write_text(yaml.safe_dump(params.profile(name) | changed))
    return params.check(path)


def plan(settings: Any, here: Machine, gpus: int = 8, gib: float = 80) -> Estimate:
    return estimate(settings, here, Devices(gpus, gib * GIB), Rates(), [])


def followed(here: Machine, line: str) -> Machine:
    """machine.yaml with what a line of the plan advises."""
    values = here.model_dump(mode="json")
    for section, change in re.findall(r"(training|inference): ({.*?}) in machine.yaml fits", line):
        values[section] |= yaml.safe_load(change)
    return build(Machine, values, "machine.yaml: ")


@pytest.mark.parametrize("gib", [24, 40, 80])
@pytest.mark.parametrize("gpus", [1, 2, 6, 8, 32])
@pytest.mark.parametrize("profile", ["qwen-1.5b-1gpu", "paper-7b", "paper-72b"])
def test_what_a_line_advises_to_change_in_machine_yaml_makes_that_stage_fit(
    profile: str, gpus: int, gib: int, tmp_path: Path
) -> None:
    settings, here, advised = read(profile, tmp_path), Machine(inference=ONE), 0
    for _ in range(3):  # trainings, then engines
        if not (lines := [line for line in plan(settings, here, gpus, gib).unfit() if "machine.yaml fits" in line]):
            break
        here, advised = followed(here, lines[0]), advised + 1
    left = [line for line in plan(settings, here, gpus, gib).unfit() if "machine.yaml fits" in line]
    assert not left and advised < 3
    assert not (profile == "paper-7b" and (gpus, gib) == (8, 80) and plan(settings, here, gpus, gib).unfit())


def test_adapters_fit_one_gpu_of_24_gb_as_the_plan_says(tmp_path: Path) -> None:
    whole = plan(read("qwen-1.5b-1gpu", tmp_path), Machine(inference=ONE), 1, 24).unfit()
    assert all("train adapters" in line and "gradient_checkpointing: true, micro_batch: 1" in line for line in whole)
    profile = params.profile("qwen-1.5b-1gpu")
    lora = {name: profile[name] | {"lora": {"rank": 16}} for name in ("prm", "sft", "dpo")}
    here = Machine(inference=ONE, training=Training(gradient_checkpointing=True, micro_batch=1))
    settings = read("qwen-1.5b-1gpu", tmp_path, **lora)
    assert not plan(settings, here, 1, 24).unfit()
    flops = [{line.planned.stage: line.flops for line in plan(read("qwen-1.5b-1gpu", tmp_path, **more), here).lines}
             for more in ({}, lora)]  # fmt: skip
    assert flops[1]["sft@m1"] == pytest.approx(flops[0]["sft@m1"] * 4 / 6)  # frozen weights have no gradient


@pytest.mark.parametrize(("config", "on"), [("fsdp2", True), ("ddp", False), ("zero3", False)])
def test_activations_are_computed_again_where_the_launcher_s_configuration_says_so(
    config: str, on: bool, tmp_path: Path
) -> None:
    """fsdp2.yaml says it; with the others training.gradient_checkpointing does."""
    text = (Path(needs.__file__).parents[1] / f"training/launchers/{config}.yaml").read_text()
    assert ("fsdp_activation_checkpointing: true" in text) is on
    settings, kept = read("paper-7b", tmp_path), {}
    for again in (False, True):
        way = Training(
            launcher="accelerate", config=config, processes=8, micro_batch=1, gradient_checkpointing=again
        )  # fmt: skip
        lines = plan(settings, Machine(inference=ONE, training=way)).lines
        kept[again] = next(line.need for line in lines if line.planned.stage == "sft@m1").memory.parts["activations"]
    assert (kept[False] == kept[True]) is on


def test_the_batch_must_be_spread_over_the_devices_before_the_first_stage(tmp_path: Path) -> None:
    here = Machine(inference=ONE, training=Training(launcher="accelerate", processes=6, micro_batch=2))
    for refuse in (needs.refuse, plan):
        with pytest.raises(PipelineError, match=r"^prm.batch_size .*128 rows cannot be spread over 6 devices by 2"):
            refuse(read("paper-7b", tmp_path), here, *([Devices(6, 80 * GIB)] if refuse is needs.refuse else [6]))
    with pytest.raises(ValueError, match="processes must be 1 with launcher: none"):
        Training(processes=8)


@pytest.mark.parametrize(
    ("how", "line"),
    [
        ({"tensor_parallel": 8}, "tensor_parallel: 28 heads cannot be split over 8; give one of 1, 2, 4"),
        ({"tensor_parallel": 4, "replicas": 3}, r"replicas: 3 of 4 GPU\(s\) each need 12, 8 are there"),
    ],
)
def test_engines_that_cannot_be_placed_are_refused_at_the_first_stage(
    how: dict[str, int], line: str, tmp_path: Path
) -> None:
    with pytest.raises(PipelineError, match=line):
        needs.refuse(read("paper-7b", tmp_path), PAPER.model_copy(update={"inference": ONE.model_copy(update=how)}),
                     Devices(8, 80 * GIB))  # fmt: skip


def test_a_cache_on_a_cpu_must_hold_a_whole_request(tmp_path: Path) -> None:
    settings = read("smoke", tmp_path)  # of 1024 tokens; vLLM takes 480 of a cache of 512, 1024 of 1056
    needs.refuse(settings, Machine(inference=Inference(replicas=1, kv_cache_tokens=1056)), Devices(0, 24 * GIB))
    for tokens in (512, 1055):
        with pytest.raises(
            PipelineError, match=f"kv_cache_tokens: {tokens} hold no request of 1024 .*give 1056 or more"
        ):
            needs.refuse(
                settings, Machine(inference=Inference(replicas=1, kv_cache_tokens=tokens)), Devices(0, 24 * GIB)
            )


def test_two_models_of_a_stage_share_each_gpu_and_the_larger_must_fit_its_share(tmp_path: Path) -> None:
    """Engines of one stage lie on the same GPUs, however many are free (`devices.places`)."""
    here = PAPER.model_copy(update={"inference": Inference(replicas=4)})
    needed = {line.planned.stage: line.need for line in plan(read("paper-7b", tmp_path), here).lines}
    one, two = needed["search@m2"], needed["eft_search@psrlm"]
    assert two.memory.total == 2 * one.memory.total and two.available == one.available - 2 * GIB
    rates = params.profile("paper-7b")["prm"] | {"published": {"model": "Qwen/Qwen2.5-Math-72B", "mark": "+"}}
    lines = plan(read("paper-7b", tmp_path, prm=rates), here).lines
    large = next(line.need for line in lines if line.planned.stage == "eft_search@psrlm")
    assert large.memory.parts["weights"] / GIB == pytest.approx(2 * 135.4, rel=0.01)
    assert "prm" not in {line.planned.stage for line in lines}
    with pytest.raises(PipelineError, match=r"Qwen2.5-Math-72B: a search with another model that rates does not fit"):
        needs.refuse(read("paper-7b", tmp_path, prm=rates), here, Devices(8, 80 * GIB))


def test_an_annotator_that_is_served_here_needs_memory_of_its_own(tmp_path: Path) -> None:
    annotator = params.profile("paper-7b")["annotator"] | {"kind": "model", "model": "Qwen/Qwen2.5-Math-72B"}
    settings = read("paper-7b", tmp_path, annotator=annotator)
    needed = {line.planned.stage: line.need for line in plan(settings, PAPER).lines}
    assert needed["eft@psrlm"].memory.parts["weights"] / GIB == pytest.approx(135.4, rel=0.01)
    assert needed["search@m2"].memory.parts["weights"] / GIB == pytest.approx(14.2, rel=0.01)
    line = r"Qwen2.5-Math-72B: a search does not fit: .*tensor_parallel: 2, replicas: 4"  # 28 and 64 heads divide
    with pytest.raises(PipelineError, match=line):
        needs.refuse(settings, PAPER, Devices(8, 80 * GIB))
    assert not plan(settings, followed(PAPER, plan(settings, PAPER).unfit()[0])).unfit()


def test_a_round_s_own_training_settings_count(tmp_path: Path) -> None:
    profile = params.profile("paper-7b")
    rounds = profile["rounds"] | {
        "m3": profile["rounds"]["m3"] | {"dpo": {"lora": {"rank": 8}, "saved_dtype": "float32"}}
    }
    lines = {line.planned.stage: line for line in plan(read("paper-7b", tmp_path, rounds=rounds), PAPER).lines}
    assert lines["dpo@m3"].need.memory.total < lines["dpo@m2"].need.memory.total
    assert lines["dpo@m3"].disk == 2 * lines["dpo@m2"].disk


def test_averaged_splits_of_generated_problems_are_sampled(tmp_path: Path) -> None:
    evaluate = params.profile("tiny")["evaluate"]
    average = {"average": evaluate["average"] | {"splits": ["hard"], "samples": 16}}
    lines = plan(read("tiny", tmp_path, evaluate=evaluate | average), Machine(inference=ONE)).lines
    assert next(line.planned.work.requests for line in lines if line.planned.stage == "evaluate@m1") == 1200 + 16 * 400


def test_a_base_that_is_trained_first_where_none_is_shipped_has_a_plan_without_its_shape(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.domains.deduction.base.SHIPPED", tmp_path / "none")
    settings = read("deduction", tmp_path, base={"model": "train"})
    made = plan(settings, Machine(inference=ONE), 0, 24)
    assert "the base model's own training: not counted" in made.notes and made.model is None
    needs.refuse(settings, Machine(inference=ONE), Devices(0, GIB))


@pytest.mark.parametrize("kind", ["qwen2_moe", "mixtral", "gpt_neox"])
def test_a_model_of_another_kind_has_no_counted_memory(kind: str, tmp_path: Path) -> None:
    config = {"model_type": "qwen2", "hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 2,
              "num_attention_heads": 4, "vocab_size": 100}  # fmt: skip
    (tmp_path / "config.json").write_text(json.dumps(config))
    settings = read("paper-7b", tmp_path)
    assert shape_of(settings, str(tmp_path)) and shape_of(settings, "no/such/model/at all") is None
    (tmp_path / "config.json").write_text(json.dumps(config | {"model_type": kind}))
    assert shape_of(settings, str(tmp_path)) is None
    with pytest.raises(PipelineError, match=f"model_type '{kind}', so its memory cannot be counted"):
        memory.architecture(config | {"model_type": kind}, "config.json")


def test_as_many_replicas_as_fit_whether_0_is_written_or_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (path := tmp_path / "machine.yaml").write_text("inference: {replicas: 0, tensor_parallel: 4}\n")
    assert machine.load(path, 8).inference.replicas == 2 and machine.load(path, 2).inference.replicas == 1
    monkeypatch.chdir(tmp_path)
    path.unlink()
    monkeypatch.setattr(machine, "visible_gpus", lambda: list("0123"))
    without, shipped = machine.load().inference, machine.load(ROOT / "machine.yaml").inference
    path.write_text("training: {threads: 1}\n")
    assert without == shipped == machine.load(path).inference and shipped.replicas == 4
    with pytest.raises(PipelineError, match="no such file"):
        machine.load(tmp_path / "mine.yaml")


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ("--gpu-memory nan", "must be above 0"),
        ("--gpus 0 --gpu-memory 24", "must be above 0"),
        ("--gpu-memory -1", "must be above 0"),
        ("--tflops nan", "--tflops: must be a number above 0, is nan"),
        ("--tokens-per-second inf", "--tokens-per-second: must be a number above 0, is inf"),
        ("--price-in -1 --price-out 1", "--price-in: must be a number 0 or more, is -1"),
        ("--price-in 3", "give both, or none"),
        ("--machine mine.yaml", "mine.yaml: no such file"),
        ("--config mine.json", "--config: no such file mine.json"),
        ("--measured {runs}", "no list of runs (no counts and seconds of stages)"),
    ],
)
def test_an_odd_option_of_psr_plan_is_one_line(
    options: str, line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (path := tmp_path / "params.yaml").write_text(params.text("smoke"))
    (runs := tmp_path / "runs.jsonl").write_text('{"stage": "search@m2", "requests": 5}\n')
    words = options.format(runs=runs).split()
    monkeypatch.setattr(sys, "argv", ["psr", "plan", "--params", str(path), *words])
    with pytest.raises(SystemExit) as ended:
        psr.main()
    error = capsys.readouterr().err
    assert ended.value.code == 1 and line in error and error.count("\n") == 1


def test_sums_are_those_of_the_table_and_say_nothing_that_is_not_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (path := tmp_path / "params.yaml").write_text(params.text("qwen-1.5b-1gpu"))
    free = ["--price-in", "0", "--price-out", "0", "--gpus", "1", "--gpu-memory", "24"]
    both = ["--tokens-per-second", "2000", "--tflops", "60"]
    for options, known in (([], False), (both[:2], False), (both, True)):
        monkeypatch.setattr(sys, "argv", ["psr", "plan", "--params", str(path), *free, *options])
        psr.main()
        row = next(line.split() for line in capsys.readouterr().out.splitlines() if line.startswith("this machine"))
        monkeypatch.setattr(sys, "argv", [*sys.argv, "--json"])
        psr.main()
        made = json.loads(capsys.readouterr().out)
        sums, stages = made["sums"], made["stages"]
        assert (sums["hours"] is not None) is known and row[-1] == (f"{sums['hours']:.2f}" if known else "-")
        assert sums["spending"] == 0 and sums["judge_calls"] == sum(stage["judge_calls"] for stage in stages)
        assert row[2:4] == ["495k", "163k"] and sums["requests"] == pytest.approx(495_000, rel=0.01)
