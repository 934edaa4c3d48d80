"""`psr plan`: what it counts against real models and settings; what it refuses."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from conftest import ROOT

from pipeline import params
from pipeline.cli import __main__ as psr
from pipeline.cli.plan import as_text
from pipeline.core import machine, memory
from pipeline.core.errors import PipelineError
from pipeline.core.machine import Inference, Machine, Training
from pipeline.core.memory import GIB
from pipeline.language import prompts
from pipeline.planning import hardware, needs
from pipeline.planning.assumptions import assumptions
from pipeline.planning.estimate import Rates, estimate
from pipeline.planning.hardware import Devices
from pipeline.planning.sizes import CONFIGS, Counted

ONE = Inference(replicas=1)
GPU_80 = 80 * GIB
SEVEN, SEVENTY_TWO = (memory.architecture(CONFIGS[f"Qwen/Qwen2.5-Math-{n}"], n) for n in ("7B", "72B"))


def read(name: str, tmp_path: Path) -> Any:
    path = tmp_path / f"{name}.yaml"
    path.write_text(params.text(name))
    return params.check(path)


def test_parameters_and_cache_are_those_of_the_published_models() -> None:
    assert (SEVEN.parameters, SEVENTY_TWO.parameters) == (7_615_616_512, 72_706_203_648)
    assert SEVEN.kv_token("bfloat16") * 4096 / GIB == pytest.approx(0.219, abs=1e-3)
    assert SEVENTY_TWO.kv_token("bfloat16") * 4096 / GIB == 1.25
    assert memory.serving(SEVENTY_TWO, "bfloat16", 0, 8).total / GIB == pytest.approx(135.4 / 8, rel=0.01)


@pytest.mark.parametrize(
    ("model", "devices", "rows", "gib"),
    [
        (SEVEN, 8, 2, 23),
        (SEVEN, 8, 8, 32),
        (SEVENTY_TWO, 16, 2, 96),
        (SEVENTY_TWO, 32, 2, 62),
        (SEVENTY_TWO, 64, 2, 45),
    ],
)
def test_sharded_training_takes_what_was_counted_on_meta_devices(model: Any, devices: int, rows: int, gib: int) -> None:
    need = memory.training(model, rows, 4096, bf16=True, processes=devices, sharded=True, checkpointing=True, gpu=True)
    assert (need.total - need.parts["head"]) / GIB == pytest.approx(gib, abs=0.6)


def test_the_plan_of_a_model_counts_each_of_its_parameters(tiny_model: Path) -> None:
    from safetensors import safe_open

    with safe_open(tiny_model / "model.safetensors", "pt") as file:
        sizes = [file.get_tensor(name).numel() for name in file.keys()]  # noqa: SIM118
    shape = memory.architecture(json.loads((tiny_model / "config.json").read_text()), "tiny")
    assert shape.parameters == sum(sizes)


@pytest.mark.parametrize("bf16", [False, True])
def test_what_a_layer_keeps_for_the_backward_pass_is_what_the_plan_counts(bf16: bool) -> None:
    import torch
    from transformers import Qwen2Config, Qwen2ForCausalLM

    def shape(layers: int) -> dict[str, Any]:
        return {"hidden_size": 64, "intermediate_size": 160, "num_attention_heads": 4, "num_key_value_heads": 2,
                "num_hidden_layers": layers, "vocab_size": 100}  # fmt: skip

    def kept(layers: int) -> float:
        """Bytes of all tensors that autograd saves of two rows of 64 tokens, parameters and their copies left out."""
        model = Qwen2ForCausalLM(Qwen2Config(**shape(layers))).train()
        parameters = {p.untyped_storage().data_ptr() for p in model.parameters()}
        widths = {p.shape for p in model.parameters() if p.ndim == 2} | {
            p.T.shape for p in model.parameters() if p.ndim == 2
        }
        saved: dict[int, Any] = {}

        def keep(tensor: Any) -> Any:
            storage = tensor.untyped_storage()
            if storage.data_ptr() not in parameters and tensor.shape not in widths:
                saved[storage.data_ptr()] = (storage.nbytes(), tensor)
            return tensor

        saving = torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor)
        with saving, torch.autocast("cpu", dtype=torch.bfloat16, enabled=bf16):
            model.model(input_ids=torch.randint(0, 100, (2, 64)), use_cache=False)
        return sum(size for size, _ in saved.values())

    one, two = (
        memory.training(memory.architecture({"model_type": "qwen2"} | shape(n), "x"), 2, 64, bf16=bf16).parts[
            "activations"
        ]
        for n in (1, 2)
    )
    assert kept(2) - kept(1) == pytest.approx(two - one, rel=0.05)


def test_every_stage_with_an_engine_or_a_training_is_in_the_plan(tmp_path: Path) -> None:
    settings = read("tiny-srlm", tmp_path)
    lines = estimate(settings, Machine(inference=ONE), Devices(0, GPU_80), Rates(), []).lines
    expected = {f"{stage}@{key}" for stage in ("search", "dpo") for key in settings.rounds}
    expected |= {f"sft@{key}" for key in settings.roots} | {f"evaluate@{key}" for key in settings.models}
    expected |= {f"judge_eval@{key}" for key in settings.judges} | {f"scale@{key}" for key in settings.scale.models}
    expected |= {f"{stage}@{key}" for stage in ("variant", "dpo_variant") for key in settings.variants}
    expected |= {f"{stage}@{key}" for stage in ("eft_search", "eft") for key in settings.eft} | {"prm", "prm_eval"}
    assert {line.planned.stage for line in lines} == expected


def test_a_plan_is_near_what_the_default_run_did(tmp_path: Path) -> None:
    """Requests, prompt, sampled and trained tokens of the default run (seed 1), but for dpo@m3 and dpo@m4, whose
    pairs a state fall from one to the other, and for what M0 writes where a verdict is due."""
    run = {
        "prm": (0, 0, 0, 383_740), "prm_eval": (813, 93_028, 813, 0),
        "eft_search@psrlm": (37_345, 4_203_772, 345_492, 0),
        "sft@m1": (0, 0, 0, 305_950), "search@m2": (4340, 537_943, 61_324, 0), "dpo@m2": (0, 0, 0, 57_647),
        "search@m3": (7925, 964_592, 109_486, 0), "search@m4": (10_770, 1_267_460, 144_688, 0),
        "evaluate@m0": (1200, 86_652, 97_647, 0), "evaluate@m4": (1200, 86_652, 97_552, 0),
        "judge_eval@m1": (797, 116_468, 7999, 0), "judge_eval@m4": (797, 116_468, 7999, 0),
        "scale@m1": (14_321, 1_628_708, 349_891, 0), "scale@m4": (12_605, 1_399_639, 298_301, 0),
    }  # fmt: skip
    lines = estimate(read("tiny", tmp_path), Machine(inference=ONE), Devices(0, GPU_80), Rates(), []).lines
    planned = {line.planned.stage: tuple(line.counts().values()) for line in lines}
    for stage, counts in run.items():
        assert planned[stage] == pytest.approx(counts, rel=0.2), stage


def test_words_digits_and_marks_are_nearly_the_tokens_of_a_text() -> None:
    """Against counts of SmolLM2's tokenizer."""
    judge = prompts.FIELD.sub("", prompts.template("math", "step_judge"))
    formula = r"So $(x^2-8x+16)-11-(2x)=0$, and \frac{1}{12} of 300 is 25."
    assert len(Counted("math").text(judge)) == pytest.approx(223, rel=0.1)
    assert len(Counted("math").text(formula)) == pytest.approx(39, rel=0.15)


def test_a_round_s_own_settings_and_another_assumption_change_its_stage_alone(tmp_path: Path) -> None:
    settings = read("smoke", tmp_path)
    wide = settings.rounds["m2"].model_copy(update={"search": {"width": 12}})

    def requests(changed: Any, given: list[str]) -> dict[str, float]:
        lines = estimate(changed, Machine(inference=ONE), Devices(0, GPU_80), Rates(), given).lines
        return {line.planned.stage: line.planned.work.requests for line in lines}

    before, after = requests(settings, []), requests(settings.model_copy(update={"rounds": {"m2": wide}}), [])
    assert {stage for stage in before if before[stage] != after[stage]} == {"search@m2"}
    assert requests(settings, ["compared=1"])["search@m2"] > before["search@m2"]
    waves = settings.rounds["m2"].model_copy(update={"search": {"first_wave": 3}})
    settings = settings.model_copy(update={"rounds": {"m2": waves}})
    assert requests(settings, [])["search@m2"] < requests(settings, ["varied=1"])["search@m2"] == before["search@m2"]


def test_cheaper_ways_of_judging_are_planned_with_fewer_tokens_and_calls(tmp_path: Path) -> None:
    settings = read("paper-7b", tmp_path)

    def search(**way: Any) -> tuple[float, float]:
        changed = settings.rounds["m2"].model_copy(update={"search": {"judge": way}})
        changed = settings.model_copy(update={"rounds": settings.rounds | {"m2": changed}})
        lines = estimate(changed, Machine(inference=Inference(replicas=8)), Devices(8, GPU_80), Rates(), []).lines
        work = next(line.planned.work for line in lines if line.planned.stage == "search@m2")
        return work.sampled_tokens, work.judge_calls

    ways = [{"full": 1.0}, {"full": 0.1}, {"full": 0.0}, {"verdict": "explain-short"}, {"verdict": "logprob"}]
    sampled = [search(**way)[0] for way in ways]
    assert sampled == sorted(sampled, reverse=True) and sampled[-1] < sampled[0] / 10
    calls = [search(**way)[1] for way in (*ways[:3], {"schedule": "tournament"}, {"schedule": "listwise"})]
    assert calls == sorted(calls, reverse=True) and calls[-1] < calls[0] / 5


def test_the_paper_s_model_fits_eight_gpus_shared_and_one_alone_is_refused(tmp_path: Path) -> None:
    settings = read("paper-7b", tmp_path)
    here = Machine(
        inference=Inference(replicas=8), training=Training(launcher="accelerate", processes=8, micro_batch=2)
    )
    plan = estimate(settings, here, Devices(8, GPU_80), Rates(price_in=15.0, price_out=60.0), [])
    assert not plan.unfit() and plan.spending and plan.paid.requests < settings.annotator.max_requests
    assert 16 * SEVEN.parameters < plan.disk < 24 * SEVEN.parameters and plan.unfinished == 0
    table = as_text(plan, {}).splitlines()
    assert all(line.endswith("server") for line in table if line.startswith(("ift ", "eft@")))
    assert any(re.match(r"GiB of a device, prm, ...: weights and optimizer 14.19, .* of 74.0", line) for line in table)
    assert plan.paid.prompt_tokens + plan.paid.sampled_tokens < settings.annotator.max_tokens_spent
    settings = settings.model_copy(update={"annotator": settings.annotator.model_copy(update={"max_requests": 50_000})})
    (line,) = estimate(settings, here, Devices(8, GPU_80), Rates(), []).capped
    assert line == "annotator.max_requests: 50,000 end before the 56,889 that are counted"
    with pytest.raises(PipelineError, match=r"training \(sft\) does not fit: .*processes: 8, micro_batch: 4.*fits"):
        needs.refuse(settings, Machine(inference=ONE), Devices(8, GPU_80))
    needs.refuse(settings, here, Devices(8, GPU_80))


def test_a_wrong_assumption_or_machine_is_one_line() -> None:
    with pytest.raises(PipelineError, match="no assumption 'compare'; give one of"):
        assumptions("math", ["compare=1"])
    with pytest.raises(PipelineError, match="'x' is no number"):
        assumptions("math", ["pairs=x"])
    with pytest.raises(PipelineError, match="--gpu-memory given in GiB"):
        hardware.devices(gpus=8)
    with pytest.raises(PipelineError, match="no number hidden_size"):
        memory.architecture({"model_type": "t5"}, "config.json")
    with pytest.raises(PipelineError, match=r"lora.targets: no matrix 'q'"):
        SEVEN.adapters(8, ["q"])


def test_psr_plan_prints_a_table_and_json(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (path := tmp_path / "smoke.yaml").write_text(params.text("smoke"))
    runs = tmp_path / "runs.jsonl"
    runs.write_text(json.dumps({"stage": "search@m2", "seconds": 2.0, "requests": 100, "prompt_tokens": 1000,
                                "sampled_tokens": 500}) + "\n")  # fmt: skip
    monkeypatch.setattr(sys, "argv", ["psr", "plan", "--params", str(path), "--measured", str(runs)])
    psr.main()
    text = capsys.readouterr().out
    assert "sampled run" in text and "assumptions:" in text
    monkeypatch.setattr(sys, "argv", [*sys.argv, "--json", "--tflops", "1"])
    psr.main()
    plan = json.loads(capsys.readouterr().out)
    stages = {stage["stage"]: stage for stage in plan["stages"]}
    assert stages["search@m2"]["measured"]["requests"] == 100 and stages["search@m2"]["hours"] > 0
    assert stages["sft@m1"]["hours"] == pytest.approx(stages["sft@m1"]["flops"] / 1e12 / 3600)
    assert plan["sums"]["requests"] == pytest.approx(sum(stage["requests"] for stage in plan["stages"]))


def test_the_repository_s_machine_file_has_every_key() -> None:
    assert set(machine.load(ROOT / "machine.yaml").inference.model_fields_set) == set(Inference.model_fields)
    assert set(machine.load(ROOT / "machine.yaml").training.model_fields_set) == set(Training.model_fields)


@pytest.mark.parametrize(
    ("gpu", "seen", "lock"), [("", "GPU 0", "gpu"), ("", "", "cpu"), ("1", "", "gpu"), ("0", "GPU 0", "cpu")]
)
def test_make_install_takes_the_lock_of_the_gpu_that_is_there_or_asked_for(
    gpu: str, seen: str, lock: str, tmp_path: Path
) -> None:
    (smi := tmp_path / "nvidia-smi").write_text(f"#!/bin/sh\nprintf '{seen}'\n")
    smi.chmod(0o755)
    environment = {**os.environ, "GPU": gpu, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    command = [str(ROOT / "requirements/install.sh"), "--lock"]
    chosen = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
    assert chosen == f"requirements/{lock}.lock\n"


@pytest.mark.parametrize(
    "script", ["requirements/install.sh", *(str(path) for path in sorted((ROOT / "docs/slurm").iterdir()))]
)
def test_shell_scripts_are_read_without_fault(script: str) -> None:
    subprocess.run([shutil.which("shellcheck") or "bash", *([] if shutil.which("shellcheck") else ["-n"]), script],
                   cwd=ROOT, check=True)  # fmt: skip
