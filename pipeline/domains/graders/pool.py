"""Grade many answers, each by its problem's grader: plain ones here, the rest in processes that can be killed."""

from __future__ import annotations

import json
import os
import selectors
import signal
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack, suppress
from importlib import import_module
from operator import eq
from pathlib import Path
from types import ModuleType
from typing import Self

from pipeline.core.errors import PipelineError
from pipeline.core.records import Grade, Problem
from pipeline.domains.graders import LISTED, worker

_ROOT = Path(__file__).parents[3]
_MAX_CHARACTERS = 100_000  # of an answer; a grader may draw a narrower line
Pair = tuple[str | None, str]  # (model answer, gold)


class _Worker:
    """One running worker process; it answers one pair at a time."""

    def __init__(self, command: Sequence[str]) -> None:
        self.grader = " ".join(command[:2]).strip()
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-m", __package__, *command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"PYTHONPATH": os.pathsep.join([str(_ROOT), str(Path.cwd()), *sys.path[1:]])},
            start_new_session=True,  # Ctrl-C is the parent's to handle; and the group dies as one
        )
        assert self.process.stdin and self.process.stdout
        self.requests, self.replies = self.process.stdin, self.process.stdout

    def await_ready(self) -> None:
        """Raises PipelineError if the process ends before it is ready."""
        if self.replies.readline().strip() != worker.READY:
            code = self.process.wait()
            raise PipelineError(
                f"grading worker of {self.grader} ended with exit code {code} before its first answer (its error is "
                "above): is what it imports installed, does it import by itself, and is memory_mb at least 256?"
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

    grader: a name with what follows it, as `graders.checked` allows, or a module (a domain's part `grading`).
    `workers` processes at most, started when the first answer needs one; `seconds` of CPU time for one
    answer (four times that by the clock), so that a verdict does not depend on the machine's load;
    `memory_mb` of address space for a worker (0: what the grader says, else 1024); an answer that needs more is
    unreadable, or wrong where SymPy catches the failure itself.
    """

    def __init__(
        self, grader: str | ModuleType = "math", workers: int = 2, seconds: float = 5.0, memory_mb: int = 0
    ) -> None:
        name, _, argument = grader.partition(":") if isinstance(grader, str) else ("", "", "")
        module = import_module(LISTED[name]) if isinstance(grader, str) else grader
        self._plain: Callable[[str, str], Grade | None] = getattr(module, "plain", lambda *_: None)
        memory_mb = memory_mb or getattr(module, "MEMORY_MB", 1024)
        self._command = (module.__name__, argument, str(seconds), str(memory_mb))
        self._most = workers
        self._workers: list[_Worker] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        """End the workers; the next pair that needs one starts them anew."""
        while self._workers:
            self._workers.pop().close()

    def grade(self, pairs: Iterable[Pair]) -> list[Grade]:
        """Grades of (answer, gold), in the same order. A pair that occurs twice is compared once.

        Raises PipelineError if a worker cannot start. No answer makes it raise.
        """
        ordered = list(pairs)
        plain = {pair: self._grade_plain(*pair) for pair in dict.fromkeys(ordered)}
        hard = deque(pair for pair, grade in plain.items() if grade is None)
        try:
            self._start(min(self._most, len(hard)))
            solved = self._run(hard)
        except BaseException:  # a reply still under way would be taken for the next pair's
            self.__exit__()
            raise
        return [plain[pair] or solved[pair] for pair in ordered]

    def _grade_plain(self, answer: str | None, gold: str) -> Grade | None:
        """The grade, or None if it takes a worker."""
        if answer is None or not answer.strip() or len(answer) > _MAX_CHARACTERS:
            return Grade.UNREADABLE
        return self._plain(answer, gold)

    def _start(self, number: int) -> None:
        """Bring the workers up to `number`, those that are new starting side by side."""
        fresh = [_Worker(self._command) for _ in range(number - len(self._workers))]
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
                    free, pair = idle.pop(), waiting.popleft()
                    free.send(pair)
                    busy.register(free.replies, selectors.EVENT_READ, (free, pair))
                for key, _ in busy.select():
                    replying, pair = key.data
                    busy.unregister(key.fileobj)
                    grade = replying.receive()
                    grades[pair] = grade or Grade.UNREADABLE
                    idle.append(replying if grade else self._replace(replying))
        return grades

    def _replace(self, dead: _Worker) -> _Worker:
        self._workers.remove(dead)
        dead.close()
        self._start(len(self._workers) + 1)
        return self._workers[-1]


class Graders(ExitStack):
    """Grades answers to problems, each by the grader that its problem names, else by the domain's (its part `grading`).

    A context manager, as Grader, whose limits these have.
    """

    def __init__(self, domain: ModuleType) -> None:
        super().__init__()
        self._domain = domain
        self._graders: dict[str, Grader] = {}

    def grade(self, problems: Sequence[Problem], answers: Sequence[str | None]) -> list[Grade]:
        """The grade of each problem's answer, in their order. Raises PipelineError if a worker cannot start."""
        grades: dict[int, Grade] = {}
        for name in dict.fromkeys(problem.grader for problem in problems):
            if name not in self._graders:
                self._graders[name] = self.enter_context(Grader(name or self._domain))
            places = [place for place, problem in enumerate(problems) if problem.grader == name]
            pairs = [(answers[place], problems[place].entry or problems[place].answer or "") for place in places]
            grades |= zip(places, self._graders[name].grade(pairs), strict=True)
        return [grades[place] for place in range(len(problems))]

    def alike(self, problem: Problem) -> Callable[[str, str], bool]:
        """Whether two answers to a problem count as one in a vote."""
        grader = import_module(LISTED[problem.grader.partition(":")[0]]) if problem.grader else self._domain
        return getattr(grader, "alike", eq)
