"""What searches leave: candidates, verdicts and scores of every state, trees and sets of whole solutions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Candidate:
    """One distinct candidate next step at a state.

    votes: how many of the samples had this text. score: pairwise wins (search; where judging stopped early those that
    were counted: exact for best and worst, at least as many for the others) or P("+") (EFT search).
    finish: `step` for a usable step, else why it is none (`length`, `empty`, `marker`, `context`). terminal: it boxes
    an answer or the model ended the sequence after it. tokens: sampled for it, in all of its votes together.
    """

    text: str
    votes: int
    score: float
    finish: str
    terminal: bool
    tokens: int = 0

    @property
    def usable(self) -> bool:
        """Whether it is a step that can be judged and appended."""
        return self.finish == "step"


@dataclass(frozen=True)
class Verdict:
    """One judge call: candidates shown as A and B, the judge's words and their number of tokens, and A, B, C (a tie) or
    None (unreadable).

    log_odds: of A against B (natural), where these decided and no words. reused: the answer to the same greedy question
    earlier in the search, so that nothing was sampled. shown: of a ranking, all candidates in the order shown; a and b
    are then its first and its last.
    """

    a: int
    b: int
    text: str
    winner: str | None
    tokens: int = 0
    log_odds: float | None = None
    reused: bool = False
    shown: tuple[int, ...] = ()


@dataclass(frozen=True)
class State:
    """One visit to a state of a search: its candidates, the verdicts on them and what came of it.

    outcome: `step` (best appended, best/worst a pair), `single` (one distinct candidate, appended, no pair),
    `tie` (max = min, rolled back), `forced` (a tie with no rollback left: most votes appended, no pair),
    `none` (no usable candidate).
    discarded: a later rollback took this state's step and its pair back. in_full: drawn to be judged in full, whatever
    its verdicts come to. not_needed: verdicts that were left out (each pair counts in each of its orders).
    """

    steps: tuple[str, ...]
    candidates: tuple[Candidate, ...]
    verdicts: tuple[Verdict, ...]
    outcome: str
    best: int | None
    worst: int | None
    discarded: bool
    in_full: bool = False
    not_needed: int = 0


@dataclass(frozen=True)
class Tree:
    """A whole search of one problem.

    end: `answer`, `no_answer` (sequence ended without a box), `repeat`, `max_steps`, or why no candidate was
    usable (`length`, `empty`, `marker`, `context`).
    """

    problem_id: str
    prompt: str
    states: tuple[State, ...]
    steps: tuple[str, ...]
    end: str

    def spent(self) -> tuple[int, int]:
        """Tokens sampled for candidate steps and for judgments, also at states that were rolled back."""
        candidates = sum(candidate.tokens for state in self.states for candidate in state.candidates)
        return candidates, sum(verdict.tokens for state in self.states for verdict in state.verdicts)


@dataclass(frozen=True)
class Scoring:
    """One scoring call (SRLM): the model's words and their number of tokens, and its score, 0 to 5, or None where none
    can be read."""

    text: str
    score: int | None
    tokens: int = 0


@dataclass(frozen=True)
class SampledSolution:
    """One distinct whole solution. votes: how many of the samples had this text.

    finish: `answer` (a final answer, then the sequence ended), `no_answer` (ended without one), `length` (the cap came
    first) or `context`; only ended ones are scored. score: mean of the readable scores, None if there is none. tokens:
    sampled for it, in all of its votes together.
    """

    text: str
    votes: int
    finish: str
    scorings: tuple[Scoring, ...]
    score: float | None
    tokens: int = 0

    @property
    def ended(self) -> bool:
        """Whether the model ended it, so that it is a whole solution."""
        return self.finish in ("answer", "no_answer")


@dataclass(frozen=True)
class SampleSet:
    """The whole solutions sampled to one problem, in order of first appearance."""

    problem_id: str
    prompt: str
    solutions: tuple[SampledSolution, ...]


@dataclass(frozen=True)
class Node:
    """One node of the EFT tree search: its step, its parent's index (-1 at the root) and its statistics."""

    parent: int
    step: str
    score: float
    visits: int
    value: float
    terminal: bool


@dataclass(frozen=True)
class SearchTree:
    """The whole Monte-Carlo tree of one problem; node 0 is the empty solution. end: `searched` or `context`.

    unusable: the distinct candidates of its expansions that are no steps.
    """

    problem_id: str
    prompt: str
    nodes: tuple[Node, ...]
    end: str
    unusable: tuple[Candidate, ...] = ()

    def siblings(self) -> Iterator[tuple[str, tuple[str, ...], list[Node]]]:
        """A key, the steps before and the candidates of every parent with at least two, in the order of the parents."""
        paths: list[tuple[str, ...]] = []
        children: dict[int, list[Node]] = {}
        for node in self.nodes:
            paths.append(() if node.parent < 0 else (*paths[node.parent], node.step))
            children.setdefault(node.parent, []).append(node)
        for parent, members in sorted(children.items()):
            if parent >= 0 and len(members) > 1:
                yield f"{self.problem_id}/{parent}", paths[parent], members


@dataclass(frozen=True)
class SecondRanking:
    """The candidates of a pair's state as two judges rank them: the one that searched, and another (CREAM).

    scores, second_scores: pairwise wins of each candidate by each judge; verdicts: the second judge's, by index into
    candidates. consistency: agreement of the two rankings, 0 to 1.
    """

    problem_id: str
    step_index: int
    candidates: tuple[str, ...]
    scores: tuple[float, ...]
    second_scores: tuple[float, ...]
    verdicts: tuple[Verdict, ...]
    consistency: float
