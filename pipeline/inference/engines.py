"""Which engine runs a model: replicas in processes of this machine, servers that the stage starts, or given ones."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

from pipeline.core import machine
from pipeline.core.files import require_weights
from pipeline.core.lease import hold_gpus
from pipeline.inference import devices, servers
from pipeline.inference.pool import PooledEngine
from pipeline.inference.requests import Engine
from pipeline.inference.served import ServedEngine
from pipeline.inference.settings import Inference


@contextmanager
def open_engines(models: Mapping[str, Path], params: Inference, here: machine.Inference) -> Iterator[dict[str, Engine]]:
    """Engines of a stage by name, ready to work, closed at the end of the block; waits for GPUs that another stage has.

    Models that share GPUs start one after the other, since vLLM measures what is free. Raises PipelineError for what
    cannot be placed, a server that does not start, and endpoints of which none serves a model.
    """
    for model in models.values():
        require_weights(model)
    if here.serve or not here.endpoints:
        devices.require_divisible(models.values(), here.tensor_parallel)
        hold_gpus()
    share, engines = devices.shared(here, len(models)), dict[str, Engine]()
    with ExitStack() as stack:
        for index, (name, model) in enumerate(models.items()):
            if here.serve or here.endpoints:
                given = [servers.Server(url, here.timeout) for url in here.endpoints if not here.serve]
                running = given or stack.enter_context(servers.started(name, index, model, params, share))
                engines[name] = stack.enter_context(closing(ServedEngine(model, params, share, running)))
            else:
                pool = stack.enter_context(closing(PooledEngine(model, params, share, devices.places(here))))
                if devices.gpus():
                    pool.wait_until_ready()
                engines[name] = pool
        for engine in engines.values():
            if isinstance(engine, PooledEngine):
                engine.wait_until_ready()  # so that whoever counts work counts no start
        yield engines
