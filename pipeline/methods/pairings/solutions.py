"""The whole solutions that a pairing compares by their final answers: those of an SRLM round, or sampled anew.

To the problems of a round of steps the model that searched samples as many whole solutions as its search has candidates
a step, at the same temperature. Their seeds come from the problem alone, so that all pairings see the same ones.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from types import ModuleType

from pipeline.core import files
from pipeline.core.command import Stage
from pipeline.core.config import Section
from pipeline.core.records import Dropped, Preference, Problem, SampledSolution, SampleSet
from pipeline.core.workload import Sizes, Work
from pipeline.inference import work
from pipeline.inference.settings import Evaluate
from pipeline.methods.psrlm.settings import Search, Settings
from pipeline.methods.srlm import pairs
from pipeline.methods.srlm.search import sample, too_long
from pipeline.methods.srlm.settings import FILE as FILE
from pipeline.methods.srlm.settings import Pairs


def cost(settings: Section, sizes: Sizes) -> Work:
    """What is asked for one problem: its whole solutions; nothing where the round has sampled them."""
    return sizes.whole(settings.search.width) if isinstance(settings, Settings) else Work()


def sampled(stage: Stage, final: ModuleType, problems: Iterable[Problem]) -> list[SampleSet]:
    """The whole solutions to each of the round's problems. final: of the domain."""
    if (made := stage.trees / FILE).is_file():
        return files.read(made, SampleSet)
    of = stage.plan.variants[stage.key].of
    search = stage.section("psrlm.search", Search, **stage.plan.override(of, "search"))
    cap = stage.section("evaluate", Evaluate).max_tokens
    width, how = search.width, search.sampling.model_copy(update={"max_tokens": cap})
    solved = work.results(
        stage,
        {"policy": stage.second},
        lambda r: {p.problem_id: sample(r, p, width, how, stage.seed) for p in problems},
        SampleSet,
        depends_on=(width, how, stage.seed, stage.problems),
        final=final,
        too_long=too_long,
    )
    return list(solved.values())


def scored(one: SampleSet, scores: Iterable[float | None]) -> SampleSet:
    """The same solutions with other scores."""
    both = zip(one.solutions, scores, strict=True)
    return replace(one, solutions=tuple(replace(solution, score=score) for solution, score in both))


def answer(final: ModuleType, solution: SampledSolution) -> str | None:
    """The final answer of a solution that ends in one."""
    return final.read(solution.text) if solution.finish == "answer" else None


def of_scores(samples: Iterable[SampleSet], iteration: str) -> tuple[list[Preference], list[Dropped]]:
    """Highest against lowest score of each problem, as in an SRLM round, and what gave no pair (its reasons)."""
    rows = list(pairs.of_samples(samples, Pairs(min_gap=0), iteration))
    return [row for row in rows if isinstance(row, Preference)], [row for row in rows if isinstance(row, Dropped)]
