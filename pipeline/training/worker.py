"""One process of a training: `python -m pipeline.training.worker FOLDER`, started once for each device.

The folder holds the job (launch.py writes it): `job.json` and the token rows. The first process writes the model and
`outcome.json`; a process that ends with one clear line leaves it in `error-<rank>.txt`, for the stage to say it.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
import zipfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.core import machine
from pipeline.core.command import die_with_parent, redact_tracebacks
from pipeline.core.errors import STORAGE, PipelineError
from pipeline.training.settings import Dpo, Training

# What torch says in a RuntimeError: on a CPU without memory, and where `torch.save` has no room.
_NO_MEMORY, _NO_ROOM = "DefaultCPUAllocator: can't allocate memory", "inline_container.cc"
_STATE, _TORCH = "trainer_state.json", (".pt", ".pth", ".bin")


@dataclass(frozen=True)
class Job:
    """What is trained, as plain values. kind: `sft` or `dpo`. settings, here: sections of params.yaml and machine.yaml.

    order: rows of each update; the row after the last is the blank one.
    distributed: what accelerate must have made of the launcher's configuration (`FSDP`, ...; "": anything).
    """

    kind: str
    start: str
    folder: str
    settings: dict[str, Any]
    here: dict[str, Any]
    seed: int
    order: list[list[int]]
    distributed: str = ""


def main() -> None:
    """Take part in the job of the folder that is given."""
    die_with_parent()
    redact_tracebacks()
    place = Path(sys.argv[1])
    try:
        train(place)
    except PipelineError as error:
        (place / f"error-{os.environ.get('RANK', 0)}.txt").write_text(str(error), encoding="utf-8")
        sys.exit(1)


def train(place: Path) -> None:
    """Run the job of a folder in this process, beside the others that the launcher has started.

    Raises PipelineError where memory or storage ends, the port at which ranks meet is in use, or the launcher made
    something else of the configuration.
    """
    import torch
    from safetensors import SafetensorError

    job = Job(**json.loads((place / "job.json").read_text(encoding="utf-8")))
    try:
        _train(job, place)
    except (RuntimeError, MemoryError) as error:  # torch.OutOfMemoryError and torch's DistNetworkError are the former
        if "EADDRINUSE" in str(error):
            raise PipelineError(
                f"port {os.environ.get('MASTER_PORT')} (MASTER_PORT), at which the ranks meet, is in use by another "
                "process; end that, or give another port in training.launcher (machine.yaml)"
            ) from error
        first_line = str(error).partition("\n")[0] or type(error).__name__
        if _NO_ROOM in first_line:
            raise PipelineError(_unwritten(f"{place}", first_line)) from error
        if not isinstance(error, torch.OutOfMemoryError | MemoryError) and _NO_MEMORY not in str(error):
            raise
        raise PipelineError(
            f"the device of rank {os.environ.get('RANK', 0)} has too little memory ({first_line}); "
            "lower training.micro_batch, turn on training.gradient_checkpointing (machine.yaml), or see docs/gpu.md"
        ) from error
    except (OSError, SafetensorError) as error:
        if isinstance(error, OSError) and error.errno not in STORAGE:
            raise
        raise PipelineError(_unwritten(f"{place} or {job.folder}", error)) from error


def _unwritten(where: str, error: object) -> str:
    return f"{where} cannot be written ({error}); make room or give the rights and run again, checkpoints are kept"


def _train(job: Job, place: Path) -> None:
    import datasets
    import torch
    from transformers import PrinterCallback

    from pipeline.training import common, weights
    from pipeline.training.order import filled

    here = machine.Training.model_validate(job.here, strict=False)
    settings = (Dpo if job.kind == "dpo" else Training).model_validate(job.settings, strict=False)
    datasets.disable_progress_bars()
    common.determined(job.seed, here.threads)
    ranks = int(os.environ.get("WORLD_SIZE", 1))
    # Before the model is read, so that ZeRO-3 knows that each rank is to hold a part of it alone.
    config = _configuration(settings, common.arguments(settings, here, job.seed, ranks, place))
    frozen_in_bf16 = settings.lora.rank > 0 and settings.bf16
    model, tokenizer = weights.load(Path(job.start), torch.bfloat16 if frozen_in_bf16 else torch.float32)
    names, rows = weights.own_names(model), datasets.load_from_disk(str(place / "rows"))
    trainer = _trainer(
        settings,
        job.order,
        args=config,
        model=model,
        train_dataset=rows,
        processing_class=tokenizer,
        peft_config=weights.adapters(settings.lora),
    )
    _refuse_another_kind(trainer.accelerator, job.distributed)
    # The rows in order of the updates; the reference's log-probabilities, if any, were added to each row once.
    trainer.train_dataset = trainer.train_dataset.select(filled(job.order, settings.batch_size, len(rows) - 1))
    trainer.remove_callback(PrinterCallback)
    trainer.add_callback(common.StageProgress())
    begun = time.monotonic()
    last, every = last_checkpoint(place, ranks), common.checkpoints(place)
    trainer.accelerator.wait_for_everyone()
    if trainer.accelerator.is_main_process:
        for torn in every[every.index(last) + 1 :] if last else every:
            print(f"{torn}: was not written to its end, and is left out", file=sys.stderr, flush=True)
            shutil.rmtree(torn)
    trainer.train(resume_from_checkpoint=str(last) if last else None)
    seconds = time.monotonic() - begun
    dtype = getattr(torch, settings.saved_dtype)
    weights.save_trained(trainer, Path(job.start), names, dtype, tokenizer, Path(job.folder))
    if trainer.accelerator.is_main_process:
        outcome = {
            "curve": common.curve(trainer.state.log_history),
            "ranks": trainer.accelerator.num_processes,
            "distributed": trainer.accelerator.distributed_type.value,
            "seconds": round(seconds, 1),
            "peak_mib": torch.cuda.max_memory_allocated() // 2**20 if torch.cuda.is_available() else 0,
        }
        (place / "outcome.json").write_text(json.dumps(outcome), encoding="utf-8")
    trainer.accelerator.wait_for_everyone()


def _configuration(settings: Training, shared: dict[str, Any]) -> Any:
    """TRL's, with the arguments that SFT and DPO share."""
    from trl import DPOConfig, SFTConfig

    if os.environ.get("FSDP_ACTIVATION_CHECKPOINTING", "").lower() == "true":
        shared["gradient_checkpointing"] = False  # FSDP2 does it itself; both at once fail
    if isinstance(settings, Dpo):
        return DPOConfig(**shared, beta=settings.beta, precompute_ref_log_probs=True, remove_unused_columns=False)
    return SFTConfig(**shared, dataset_kwargs={"skip_prepare_dataset": True})


def _trainer(settings: Training, order: list[list[int]], **parts: Any) -> Any:
    """TRL's trainer of its own arguments `parts`."""
    from trl import SFTTrainer

    from pipeline.training.dpo import PairCollator, StepDPOTrainer

    if not isinstance(settings, Dpo):
        return SFTTrainer(**parts)
    end, multiple = parts["processing_class"].eos_token_id, parts["args"].pad_to_multiple_of
    chosen = [len(ids) for ids in parts["train_dataset"]["chosen_ids"]]
    return StepDPOTrainer(
        data_collator=PairCollator(pad_token_id=end, pad_to_multiple_of=multiple),
        sizes=[(len(update), sum(chosen[row] for row in update)) for update in order],
        weights=settings.loss_weights.model_dump(),
        **parts,
    )


def _refuse_another_kind(accelerator: Any, wanted: str) -> None:
    """Launchers fall back silently: to one process, or to DDP in the place of FSDP."""
    kind = accelerator.distributed_type.value
    if wanted and kind != wanted:
        raise PipelineError(
            f"training.config (machine.yaml): it asks for {wanted}, but accelerate runs {kind} on "
            f"{accelerator.num_processes} processes here; correct it or training.launcher"
        )
    if accelerator.is_main_process and accelerator.num_processes > 1:
        print(f"train: {accelerator.num_processes} processes, {kind}", file=sys.stderr, flush=True)


def last_checkpoint(folder: Path, ranks: int) -> Path | None:
    """The newest whole checkpoint of an earlier, broken run, with each rank's state; none where there is none."""
    from pipeline.training.common import checkpoints

    for place in reversed(checkpoints(folder)):
        files = [path for path in place.rglob("*") if path.is_file()]
        ranked = [path for path in files if path.match("rng_state*.pth")]
        if len(ranked) == ranks and place / _STATE in files and all(map(_is_whole, files)):
            return place
    return None


def _is_whole(path: Path) -> bool:
    """Whether a file of a checkpoint has its beginning and its end; after a power cut its name alone may be there."""
    from safetensors import SafetensorError, safe_open

    if path.suffix == ".safetensors":
        with suppress(SafetensorError), safe_open(str(path), framework="numpy"):
            return True
        return False
    if path.name == _STATE:
        with suppress(ValueError):
            return "global_step" in json.loads(path.read_text(encoding="utf-8"))
        return False
    return zipfile.is_zipfile(path) if path.suffix in _TORCH else path.stat().st_size > 0


if __name__ == "__main__":
    main()
