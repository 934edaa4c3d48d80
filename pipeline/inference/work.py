"""Run many generation tasks to the end: journaled, with a progress bar, resumable."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

from pipeline.core import fingerprint, journal
from pipeline.core.command import Progress, Stage, note
from pipeline.core.config import Prompts
from pipeline.core.errors import PipelineError
from pipeline.core.journal import Journal
from pipeline.inference.engines import open_engines
from pipeline.inference.loop import run
from pipeline.inference.requests import Task
from pipeline.inference.settings import Inference
from pipeline.language.renderer import Renderer, end_ids

Row = TypeVar("Row")


def results(
    stage: Stage,
    models: Mapping[str, Path],
    tasks: Callable[[Renderer], Mapping[str, Task[Row]]],
    row_type: type[Row],
    depends_on: Sequence[Any],
    final: ModuleType | None = None,
    too_long: Callable[[Row], bool] | None = None,
) -> dict[str, Row]:
    """Results of all tasks by key, in the order of the tasks.

    models: engine name (`policy`, `prm`) -> model folder. tasks: makes the tasks from the policy's renderer.
    depends_on: values and paths that, with models, code and prompts, decide the results. Tasks that an earlier, broken
    run finished are taken from its journal, which is removed when the whole stage has ended well. final: of the
    domain, where a final answer ends a search or a solution. too_long: whether a row says that its prompt did not fit
    the context; single ones are data, but raises PipelineError if all are.
    """
    how, here = stage.section("inference", Inference), stage.machine.inference
    prompts = stage.section("prompts", Prompts)
    mark = fingerprint.values(stage.code(), how, prompts, *models.values(), *depends_on)
    past = Journal(journal.FOLDER, stage.name, mark, row_type).__enter__()
    stage.at_end(past.remove)
    with open_engines(models, how, here) as engines:
        ends: dict[str, Any] = {"end_ids": end_ids(models["policy"])} | ({"answer_end": final.end} if final else {})
        waiting = tasks(Renderer(engines["policy"].tokenizer, prompts.family, prompts.chat, **ends))
        progress = Progress(stage.name, len(waiting), sum(key in past.done for key in waiting))

        def finished(key: str, row: Row) -> None:
            past.add(key, row)
            progress.advance()

        todo = ((key, task) for key, task in waiting.items() if key not in past.done)
        note(**asdict(run(engines, todo, here.concurrent_problems, finished)))
        progress.close()
    rows = {key: past.done[key] for key in waiting}
    if too_long is not None and rows and all(map(too_long, rows.values())):
        raise PipelineError(
            f"inference.max_model_len: {how.max_model_len} tokens are too few for all {len(rows)} prompts of "
            f"{stage.name}; raise it"
        )
    return rows
