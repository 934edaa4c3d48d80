"""Run many engine tasks to the end: journaled, with a progress bar, resumable."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

from pipeline.core import journal
from pipeline.core.command import Progress, note
from pipeline.core.errors import PipelineError
from pipeline.core.journal import Journal, fingerprint
from pipeline.core.params import Engine as EngineParams
from pipeline.inference import Engine, Task, open_engine, run

Row = TypeVar("Row")


@contextmanager
def results(
    name: str,
    models: Mapping[str, Path],
    engine: EngineParams,
    tasks: Callable[[Any], Mapping[str, Task[Row]]],
    row_type: type[Row],
    depends_on: tuple[Any, ...],
    window: int,
    too_long: Callable[[Row], bool] | None = None,
) -> Iterator[dict[str, Row]]:
    """Results of all tasks by key, in the order of the tasks; write them inside the `with` block.

    models: engine name (`policy`, `prm`) -> model folder. tasks: makes the tasks from the policy's tokenizer.
    depends_on: values and paths that, with models and code, decide the results. Tasks that an earlier, broken
    run finished are taken from its journal, which is deleted when the block ends well. too_long: whether a row
    says that its prompt did not fit the context; single ones are data, but raises PipelineError if all are.
    """
    mark = fingerprint(name, engine, *models.values(), *depends_on)
    with Journal(journal.FOLDER, name, mark, row_type) as past:
        engines: dict[str, Engine] = {key: open_engine(model, engine) for key, model in models.items()}
        waiting = tasks(engines["policy"].tokenizer)
        progress = Progress(name, len(waiting), sum(key in past.done for key in waiting))

        def finished(key: str, row: Row) -> None:
            past.add(key, row)
            progress.advance()

        usage = run(
            engines,
            ((key, task) for key, task in waiting.items() if key not in past.done),
            window,
            finished,
        )
        note(**asdict(usage))
        progress.close()
        for served in engines.values():
            served.close()
        found = {key: past.done[key] for key in waiting}
        if too_long is not None and found and all(map(too_long, found.values())):
            raise PipelineError(
                f"engine.context: {engine.context} tokens are too few for all {len(found)} prompts of {name}; raise it"
            )
        yield found
        past.path.unlink()
