"""Grade many answers: plain ones here, the rest in worker processes that can be killed."""

from __future__ import annotations

import json
import os
import selectors
import signal
import subprocess
import sys
from collections import deque
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from pipeline.core.errors import PipelineError
from pipeline.core.records.grade import Grade
from pipeline.domains.math import worker
from pipeline.domains.math.compare import MAX_CHARACTERS, same

_ROOT = Path(__file__).parents[3]
Pair = tuple[str | None, str]  # (model answer, gold)


class _NeedsAlgebra(Exception):
    """Raised out of a comparison that plain means cannot finish."""


def _defer(answer: str, gold: str) -> bool:
    raise _NeedsAlgebra


def _grade_plain(answer: str | None, gold: str) -> Grade | None:
    """The grade, or None if it takes algebra."""
    if answer is None or not answer.strip() or max(len(answer), len(gold)) > MAX_CHARACTERS:
        return Grade.UNREADABLE
    try:
        return Grade.RIGHT if same(answer, gold, _defer) else Grade.WRONG
    except _NeedsAlgebra:
        return None


class _Worker:
    """One running worker process; it answers one pair at a time."""

    def __init__(self, seconds: float, memory_mb: int) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-m", __package__, str(seconds), str(memory_mb)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"PYTHONPATH": os.pathsep.join([str(_ROOT), *sys.path[1:]])},
            start_new_session=True,  # Ctrl-C is the parent's to handle; and the group dies as one
        )
        assert self.process.stdin and self.process.stdout
        self.requests, self.replies = self.process.stdin, self.process.stdout

    def await_ready(self) -> None:
        """Raises PipelineError if the process ends before it is ready."""
        if self.replies.readline().strip() != worker.READY:
            code = self.process.wait()
            raise PipelineError(
                f"grading worker ended with exit code {code} before its first answer (its error is above): "
                "is math-verify installed, and memory_mb at least 256?"
            )

    def send(self, pair: Pair) -> None:
        """Hand over a pair; that the process died meanwhile shows in the reply."""
        with suppress(BrokenPipeError):
            self.requests.write(json.dumps(pair) + "\n")
            self.requests.flush()

    def receive(self) -> Grade | None:
        """The grade of the pair sent last, or None if the process died."""
        reply = self.replies.readline().strip()
        return Grade(reply) if reply else None

    def close(self) -> None:
        """End the process and the child it may have at work."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.replies.close()
        with suppress(BrokenPipeError):
            self.requests.close()


class Grader:
    """Grades pairs of answer and gold; a context manager, because its workers must be ended.

    `workers` processes at most, started when the first answer needs algebra; `seconds` of CPU time for one
    answer (four times that by the clock), so that a verdict does not depend on the machine's load;
    `memory_mb` of address space for a worker; an answer that needs more is unreadable, or wrong where SymPy
    catches the failure itself.
    """

    def __init__(self, workers: int = 2, seconds: float = 5.0, memory_mb: int = 1024) -> None:
        self._most, self._seconds, self._memory_mb = workers, seconds, memory_mb
        self._workers: list[_Worker] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the workers; the next pair that needs one starts them anew."""
        while self._workers:
            self._workers.pop().close()

    def grade(self, pairs: Iterable[Pair]) -> list[Grade]:
        """Grades of (answer, gold), in the same order. A pair that occurs twice is compared once.

        Raises PipelineError if a worker cannot start. No answer makes it raise.
        """
        ordered = list(pairs)
        plain = {pair: _grade_plain(*pair) for pair in dict.fromkeys(ordered)}
        hard = [pair for pair, grade in plain.items() if grade is None]
        solved = self._grade_by_algebra(hard) if hard else {}
        return [plain[pair] or solved[pair] for pair in ordered]

    def _grade_by_algebra(self, pairs: list[Pair]) -> dict[Pair, Grade]:
        try:
            self._start(min(self._most, len(pairs)))
            return self._run(deque(pairs))
        except BaseException:  # a reply still under way would be taken for the next pair's
            self.close()
            raise

    def _start(self, number: int) -> None:
        """Bring the workers up to `number`, those that are new starting side by side."""
        fresh = [_Worker(self._seconds, self._memory_mb) for _ in range(number - len(self._workers))]
        self._workers += fresh
        for started in fresh:
            started.await_ready()

    def _run(self, waiting: deque[Pair]) -> dict[Pair, Grade]:
        """Hand each idle worker the next pair until all have a grade."""
        grades: dict[Pair, Grade] = {}
        idle = list(self._workers)
        with selectors.DefaultSelector() as busy:
            while waiting or busy.get_map():
                while waiting and idle:
                    self._ask(idle.pop(), waiting.popleft(), busy)
                for key, _ in busy.select():
                    asked, pair = key.data
                    busy.unregister(key.fileobj)
                    grade = asked.receive()
                    grades[pair] = grade or Grade.UNREADABLE
                    idle.append(asked if grade else self._replace(asked))
        return grades

    @staticmethod
    def _ask(idle: _Worker, pair: Pair, busy: selectors.BaseSelector) -> None:
        idle.send(pair)
        busy.register(idle.replies, selectors.EVENT_READ, (idle, pair))

    def _replace(self, dead: _Worker) -> _Worker:
        self._workers.remove(dead)
        dead.close()
        self._start(len(self._workers) + 1)
        return self._workers[-1]
