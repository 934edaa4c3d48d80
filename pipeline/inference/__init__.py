"""The only room that knows vLLM: engines behind one small protocol, and the event loop that drives them."""

from pipeline.core.lease import hold_gpus
from pipeline.inference.loop import Task, run
from pipeline.inference.pool import open_engine
from pipeline.inference.requests import Completion, Engine, Request, Usage, seed_of

__all__ = ["Completion", "Engine", "Request", "Task", "Usage", "hold_gpus", "open_engine", "run", "seed_of"]
