"""A toy method in one file: candidate steps are ranked by how often they were sampled; a round asks no judge."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from pipeline.core import files
from pipeline.core.config import Positive, Section
from pipeline.core.records import Dropped, Preference, Problem, State, Tree
from pipeline.inference.requests import Task, seed_of
from pipeline.language.renderer import Renderer
from pipeline.methods.psrlm import settings as psrlm
from pipeline.methods.psrlm.candidates import merge, sample

PARTS = {role: f"pipeline.methods.psrlm.{role}" for role in ("eft_search", "eft", "rows", "measure", "inspect")}
Row, FILE = Tree, "trees.parquet"


class Search(psrlm.Search):
    """As psrlm's, whose judge is measured, with another rule for the best step."""


class Pairs(Section):
    """Most votes against fewest."""

    min_gap: Positive


class Settings(Section):
    """Steps, ranked by votes."""

    eft_search: psrlm.EftSearch
    eft: psrlm.Eft
    search: Search
    pairs: Pairs


def search(renderer: Renderer, problem: Problem, settings: Search, seed: int) -> Task[Tree]:
    """Append the step with the most votes until one answers."""
    states: list[State] = []
    done: tuple[str, ...] = ()
    end = "max_steps"
    while len(states) < settings.max_steps and end == "max_steps":
        place = seed_of(seed, problem.problem_id, len(done))
        answers = yield sample(renderer, problem.prompt, done, settings.width, settings.sampling, place)
        distinct = tuple(replace(c, score=float(c.votes)) for c in merge(renderer, answers, len(done) + 1))
        usable = sorted((i for i, c in enumerate(distinct) if c.finish == "step"), key=lambda i: distinct[i].score)
        if not usable:
            end = distinct[0].finish
            continue
        worst, best = distinct[usable[0]], distinct[usable[-1]]
        outcome = "step" if worst.score < best.score else "single"
        states.append(State(done, distinct, (), outcome, usable[-1], usable[0], False))
        done, end = (*done, best.text), "answer" if best.terminal else end
    return Tree(problem.problem_id, problem.prompt, tuple(states), done, end)


def statistics(trees: Sequence[Tree]) -> dict[str, Any]:
    return {"problems": len(trees), "states": sum(len(tree.states) for tree in trees), "verdicts": 0}


def too_long(tree: Tree) -> bool:
    return tree.end == "context"


def preferences(folder: Path, settings: Pairs, iteration: str) -> Iterator[Preference | Dropped]:
    for tree in files.read(folder / FILE, Tree):
        for state in tree.states:
            best, worst = (state.candidates[index or 0] for index in (state.best, state.worst))
            if state.outcome != "step" or best.score - worst.score < settings.min_gap:
                yield Dropped("pairs", f"{tree.problem_id}/{len(state.steps)}", state.outcome, best.text)
                continue
            where = (tree.problem_id, len(state.steps) + 1, tree.prompt, state.steps, best.text, worst.text)
            yield Preference(*where, best.terminal, worst.terminal, best.score, worst.score, iteration)
