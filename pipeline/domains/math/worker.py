"""The process that compares answers by algebra: `python -m pipeline.domains.math CPU_SECONDS MEMORY_MB`.

It imports the algebra once, prints READY, and forks a child for every pair that arrives on standard input
(one JSON line: answer, gold). The child exits with its verdict as exit code. So nothing that an answer does
lasts: what it allocates, breaks or raises ends with its child, and an uncaught exception is a child that died
without a verdict. Limits are the kernel's: an alarm whose default action kills, and the address space.
"""

from __future__ import annotations

import json
import logging
import os
import resource
import signal
import sys

from pipeline.core.records.grade import Grade

READY = "ready"
_VERDICTS = [Grade.RIGHT, Grade.WRONG, Grade.UNREADABLE]  # by exit code
_WALL_PER_CPU = 4  # a child that waits instead of computing ends too


def main() -> None:
    """Serve until standard input ends."""
    cpu_seconds, memory_mb = float(sys.argv[1]), int(sys.argv[2])
    resource.setrlimit(resource.RLIMIT_AS, (memory_mb << 20, memory_mb << 20))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    from pipeline.domains.math import algebra  # here, so that the parent can import this module and stay small

    logging.getLogger("math_verify").setLevel(logging.ERROR)  # it warns that its own time limit is off
    algebra.warm_up()
    print(READY, flush=True)
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            _judge(line, cpu_seconds)
        _, status = os.waitpid(child, 0)
        print(_grade(os.waitstatus_to_exitcode(status)), flush=True)


def _judge(line: str, cpu_seconds: float) -> None:
    """Compare one pair and leave the process. Never returns."""
    verdict = Grade.UNREADABLE
    try:
        signal.setitimer(signal.ITIMER_PROF, cpu_seconds)
        signal.setitimer(signal.ITIMER_REAL, cpu_seconds * _WALL_PER_CPU)
        from pipeline.domains.math.algebra import equal
        from pipeline.domains.math.compare import same

        answer, gold = json.loads(line)
        verdict = Grade.RIGHT if same(answer, gold, equal) else Grade.WRONG
    finally:  # whatever was raised, the verdict is the one reached by then
        os._exit(_VERDICTS.index(verdict))


def _grade(exit_code: int) -> Grade:
    if exit_code in (-signal.SIGPROF, -signal.SIGALRM):
        return Grade.TIMEOUT
    return _VERDICTS[exit_code] if 0 <= exit_code < len(_VERDICTS) else Grade.UNREADABLE
