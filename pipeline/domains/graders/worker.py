"""The process that grades: `python -m pipeline.domains.graders MODULE ARGUMENT CPU_SECONDS MEMORY_MB`.

It imports the grader once, prints READY, and forks a child for every pair that arrives on standard input (one JSON
line: answer, gold). The child exits with its verdict as exit code. So nothing that an answer or a user's function does
lasts: what it allocates, breaks, prints or raises ends with its child, and an uncaught exception is a child that died
without a verdict. Limits are the kernel's: an alarm whose default action kills, and the address space.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import sys
from collections.abc import Callable
from importlib import import_module
from typing import Any

from pipeline.core.records import Grade

READY = "ready"
# By exit code, none of which a function that leaves the process by itself would choose.
_VERDICTS = {101: Grade.RIGHT, 102: Grade.WRONG, 103: Grade.UNREADABLE}
_CODES = {grade: code for code, grade in _VERDICTS.items()}
_WALL_PER_CPU = 4  # a child that waits instead of computing ends too
_START_SECONDS = 120  # to import the grader, which may be anybody's code


def main() -> None:
    """Serve until standard input ends."""
    module, argument, cpu_seconds, memory_mb = sys.argv[1], sys.argv[2], float(sys.argv[3]), int(sys.argv[4])
    resource.setrlimit(resource.RLIMIT_AS, (memory_mb << 20, memory_mb << 20))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    pairs, replies = os.fdopen(os.dup(0)), os.fdopen(os.dup(1), "w")
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)  # what a grader reads and prints is none of the pairs and replies
    os.dup2(2, 1)
    signal.alarm(_START_SECONDS)
    arguments = [argument] if argument else []
    grader = import_module(module)
    if hasattr(grader, "warm_up"):
        grader.warm_up(*arguments)
    signal.alarm(0)
    print(READY, file=replies, flush=True)
    for line in pairs:
        child = os.fork()
        if child == 0:
            _judge(grader.right, line, arguments, cpu_seconds)
        _, status = os.waitpid(child, 0)
        print(_grade(os.waitstatus_to_exitcode(status)), file=replies, flush=True)


def _judge(right: Callable[..., Any], line: str, arguments: list[str], cpu_seconds: float) -> None:
    """Compare one pair and leave the process. Never returns."""
    verdict = Grade.UNREADABLE
    try:
        signal.setitimer(signal.ITIMER_PROF, cpu_seconds)
        signal.setitimer(signal.ITIMER_REAL, cpu_seconds * _WALL_PER_CPU)
        verdict = {True: Grade.RIGHT, False: Grade.WRONG}[right(*json.loads(line), *arguments)]
    finally:  # whatever was raised, the verdict is the one reached by then
        os._exit(_CODES[verdict])


def _grade(exit_code: int) -> Grade:
    if exit_code in (-signal.SIGPROF, -signal.SIGALRM):
        return Grade.TIMEOUT
    return _VERDICTS.get(exit_code, Grade.UNREADABLE)
