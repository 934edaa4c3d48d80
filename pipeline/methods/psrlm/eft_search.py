"""Monte-Carlo tree search on a policy with a process reward model as value (paper, section 3.2).

Selection by PUCT: value + exploration * prior * sqrt(visits of the parent) / (1 + visits), prior = the child's
P("+") over the sum of its siblings'. Expansion samples `width` next steps and merges equal ones. Simulation
continues the best new child by `depth` - 1 single samples; its value is the mean P("+") of the steps on the way.
"""

from __future__ import annotations

import math
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipeline.core.files import counts
from pipeline.core.records import Candidate, Node, Problem, SearchTree
from pipeline.inference.requests import Completion, Request, Task, seed_of
from pipeline.language.renderer import Renderer
from pipeline.methods.psrlm import candidates, prm, published
from pipeline.methods.psrlm.settings import FILE as FILE
from pipeline.methods.psrlm.settings import EftSearch

Row = SearchTree


def models(policy: Path, value: Path) -> dict[str, Path]:
    """The engines of a search: the policy, and the PRM as value model."""
    return {"policy": policy, "prm": value}


@dataclass
class _Branch:
    index: int
    steps: tuple[str, ...]
    score: float = 1.0
    terminal: bool = False
    visits: int = 0
    total: float = 0.0
    expanded: bool = False
    children: list[_Branch] = field(default_factory=list)
    parent: _Branch | None = None

    @property
    def value(self) -> float:
        return self.total / self.visits if self.visits else self.score


def tasks(
    renderer: Renderer, problems: Sequence[Problem], settings: EftSearch, seed: int, value: Path
) -> dict[str, Task[SearchTree]]:
    """The search of each problem, by its id. value: folder of the PRM, which says how to ask it."""
    ask = published.asker(value)
    return {problem.problem_id: search(renderer, problem, settings, seed, ask) for problem in problems}


def search(
    renderer: Renderer, problem: Problem, settings: EftSearch, seed: int, ask: prm.Ask = prm.request
) -> Task[SearchTree]:
    """Search one problem; requests go to the engines `policy` and `prm`, the latter's made by `ask`.

    A problem that does not fit the engine's context has no nodes and ends as `context`.
    """
    root = _Branch(0, ())
    branches = [root]
    unusable: list[Candidate] = []
    for iteration in range(settings.iterations):
        leaf = _select(root, settings.exploration)
        own_seed = seed_of(seed, problem.problem_id, iteration)
        if leaf.terminal or len(leaf.steps) >= settings.max_steps:
            _back_up(leaf, leaf.score)
            continue
        samples = candidates.sample(renderer, problem.prompt, leaf.steps, settings.width, settings.sampling, own_seed)
        distinct = candidates.merge(renderer, (yield samples), number=len(leaf.steps) + 1)
        if leaf is root and all(candidate.finish == "context" for candidate in distinct):
            return SearchTree(problem.problem_id, problem.prompt, (), "context", distinct)
        leaf.expanded = True
        usable = [candidate for candidate in distinct if candidate.usable]
        unusable += [candidate for candidate in distinct if not candidate.usable]
        rated = yield [ask(renderer, problem.prompt, leaf.steps, candidate.text, "prm") for candidate in usable]
        for candidate, rating in zip(usable, rated, strict=True):
            steps = (*leaf.steps, candidate.text)
            child = _Branch(len(branches), steps, prm.probability(rating), candidate.terminal, parent=leaf)
            leaf.children.append(child)
            branches.append(child)
        if not leaf.children:
            leaf.terminal = True
            _back_up(leaf, 0.0)
            continue
        best = max(leaf.children, key=lambda child: child.score)
        value = yield from _simulate(renderer, problem, best, settings, own_seed, ask)
        _back_up(best, value)
    nodes = tuple(
        Node(b.parent.index if b.parent else -1, b.steps[-1] if b.steps else "", b.score, b.visits, b.value, b.terminal)
        for b in branches
    )
    return SearchTree(problem.problem_id, problem.prompt, nodes, "searched", tuple(unusable))


def _select(root: _Branch, exploration: float) -> _Branch:
    """Walk down by PUCT to a branch that was not expanded yet."""
    branch = root
    while branch.expanded and branch.children:
        mass = sum(child.score for child in branch.children) or 1.0
        scale = exploration * math.sqrt(max(branch.visits, 1)) / mass
        branch = max(branch.children, key=lambda c: (c.value + scale * c.score / (1 + c.visits), -c.index))
    return branch


def _simulate(
    renderer: Renderer, problem: Problem, start: _Branch, settings: EftSearch, seed: int, ask: prm.Ask
) -> Generator[list[Request], list[Completion], float]:
    """Mean P("+") over `start` and up to `depth` - 1 further single-sample steps."""
    done, ratings, terminal = start.steps, [start.score], start.terminal
    for depth in range(1, settings.depth):
        if terminal or len(done) >= settings.max_steps:
            break
        own_seed = seed_of(seed, "simulate", depth)
        sample = candidates.sample(renderer, problem.prompt, done, 1, settings.sampling, own_seed)
        (candidate,) = candidates.merge(renderer, (yield sample), number=len(done) + 1)
        if not candidate.usable:
            ratings.append(0.0)
            break
        (rating,) = yield [ask(renderer, problem.prompt, done, candidate.text, "prm")]
        ratings.append(prm.probability(rating))
        done, terminal = (*done, candidate.text), candidate.terminal
    return sum(ratings) / len(ratings)


def _back_up(branch: _Branch | None, value: float) -> None:
    while branch is not None:
        branch.visits += 1
        branch.total += value
        branch = branch.parent


def too_long(tree: SearchTree) -> bool:
    """Whether the bare prompt did not fit the engine's context."""
    return tree.end == "context"


def statistics(trees: Sequence[SearchTree]) -> dict[str, Any]:
    """Problems, nodes without the roots, and distinct candidates with why some are unusable."""
    nodes = sum(len(tree.nodes[1:]) for tree in trees)
    unusable = counts([candidate.finish for tree in trees for candidate in tree.unusable])
    return {"problems": len(trees), "nodes": nodes, "candidates": nodes + sum(unusable.values()), "unusable": unusable}
