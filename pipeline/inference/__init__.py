"""The one package that imports vLLM: engines behind one small protocol, and the event loop that drives them."""

from pipeline.inference.loop import Task, run
from pipeline.inference.pool import open_engine
from pipeline.inference.requests import Completion, Engine, Request, Usage, sampled, seed_of

__all__ = ["Completion", "Engine", "Request", "Task", "Usage", "open_engine", "run", "sampled", "seed_of"]
