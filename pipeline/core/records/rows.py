"""Rows of data sets: problems, solutions, judged and preferred pairs, answers, and what was left out."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from hashlib import sha256


class Grade(StrEnum):
    """What can become of an answer. Only RIGHT scores; the others mean different things in a report."""

    RIGHT = "right"
    WRONG = "wrong"
    UNREADABLE = "unreadable"  # no answer, too long, outside the grammar, or its process died
    TIMEOUT = "timeout"


@dataclass(frozen=True)
class Problem:
    """One problem of one role. Rounds get neither answer nor solution, a variant that says so the answer.

    grader: compares with the gold answer, by its name ("": the domain's own). entry: what it compares with where the
    answer alone does not do (a row of reasoning-gym, as JSON).
    """

    problem_id: str
    prompt: str
    split: str
    answer: str | None = None
    solution: str | None = None
    grader: str = ""
    entry: str = ""

    def shown(self, gold: bool) -> Problem:
        """The problem as a round gets it, or with its answer."""
        return replace(self, solution=None) if gold else replace(self, answer=None, solution=None, entry="")


@dataclass(frozen=True)
class Solution:
    """IFT row: a problem and its solution, segmented into `Step n: ` form."""

    problem_id: str
    prompt: str
    steps: tuple[str, ...]


@dataclass(frozen=True)
class LabelledSolution:
    """PRM row (TRL's stepwise-supervision layout): the steps of a solution and whether each is right."""

    problem_id: str
    prompt: str
    completions: tuple[str, ...]
    labels: tuple[bool, ...]

    @property
    def solution_id(self) -> str:
        """The row's own key: a hash of problem and steps, as a problem can have several rated solutions."""
        return sha256("\0".join((self.prompt, *self.completions)).encode()).hexdigest()[:16]


@dataclass(frozen=True)
class JudgedPair:
    """EFT row: two candidate next steps, the annotator's explanation for the order shown, and the better one."""

    pair_id: str
    problem_id: str
    prompt: str
    steps: tuple[str, ...]
    a: str
    b: str
    judgment: str
    winner: str
    score_a: float
    score_b: float


@dataclass(frozen=True)
class ScoredSolution:
    """EFT row of SRLM: a whole solution, the annotator's explanation and its score, 0 to 5."""

    solution_id: str
    problem_id: str
    prompt: str
    solution: str
    judgment: str
    score: int


@dataclass(frozen=True)
class Preference:
    """PPD row: best and worst next step of one state, as step-wise DPO takes them (paper, section 3.4).

    A pair of whole solutions has no steps before it, step_index 1, and all steps in chosen and rejected.
    consistency: how surely chosen is the better one, 0 to 1; 1 where no second judge was asked. DPO gives the pair that
    share of its loss and the swapped pair the rest.
    """

    problem_id: str
    step_index: int
    prompt: str
    steps: tuple[str, ...]
    chosen: str
    rejected: str
    chosen_terminal: bool
    rejected_terminal: bool
    chosen_score: float
    rejected_score: float
    iteration: str
    consistency: float = 1.0


@dataclass(frozen=True)
class Answered:
    """One solution of an evaluation problem with its grade (`right`, `wrong`, `unreadable`, `timeout`)."""

    problem_id: str
    split: str
    prompt: str
    steps: tuple[str, ...]
    end: str
    answer: str | None
    gold: str
    grade: str
    tokens: int


@dataclass(frozen=True)
class Overlap:
    """A training prompt left out because of an evaluation problem: the rule, what they share, and both texts."""

    role: str
    problem_id: str
    rule: str
    shared: str
    prompt: str
    evaluation_id: str
    evaluation_prompt: str


@dataclass(frozen=True)
class Duplicate:
    """A training prompt left out because it was given already: for which role, its text, and the role that has it.

    near: the text that is kept, where this one is a near-copy of it and not the same.
    """

    role: str
    problem_id: str
    prompt: str
    kept_by: str
    near: str | None = None


@dataclass(frozen=True)
class UnusableRow:
    """A row of a source that could not be used: for which role, where it stands, why, and what is there."""

    role: str
    place: str
    reason: str
    text: str


@dataclass(frozen=True)
class Text:
    """Prompt and response of one training row, without the words of the templates. kind: `IFT`, `EFT` or `PPD`."""

    kind: str
    key: str
    prompt: str
    response: str


@dataclass(frozen=True)
class Dropped:
    """Something that was left out: where, which row, why, and a piece of it."""

    stage: str
    key: str
    reason: str
    text: str
