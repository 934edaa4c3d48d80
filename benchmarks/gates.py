"""The gates of the embedded world for runs of any number of seeds: one Markdown table.

    python -m benchmarks.gates RUN [RUN ...]          # folders of finished runs; `make gates RUNS="RUN RUN"`
    python -m benchmarks.gates RUN --ceiling FILE     # reports/ceiling.json of benchmarks.ceiling, for runs of its base

All is read from files that a run writes: answers, reports/metrics.json, .work/runs.jsonl. A run with
`dpo.loss_weights.sigmoid: 0` (the ablation `only-likelihood`) is the likelihood alone of the run with the same seed; a
run with models of both methods (the profile `tiny-srlm`) has SRLM's rows. What no file says is not measured.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pipeline.core import plan
from pipeline.core.command import fail
from pipeline.core.config import read_yaml
from pipeline.core.errors import PipelineError
from pipeline.core.files import read, read_json
from pipeline.core.means import mean_and_error, proportion
from pipeline.core.records import Answered
from pipeline.core.terminal import markdown
from pipeline.report import provenance
from pipeline.report.grid import NONE, Cell, measured, number, percent

NOTE = """\
Greedy accuracy in percent, differences in points ± one standard error, paired over the evaluation problems; in brackets
how many standard errors that is. All seeds: the mean over seeds of each problem, its error over problems, and so for
these seeds alone; SRLM's is the mean of the seeds with the error between them. A gate holds if it holds in every seed
that measured it, the rejected step if it does for all seeds. Minutes: the last run of every stage of M0 to the last
model."""

Changes = dict[str, int]  # by problem: 1 where it became right, -1 where it became wrong


class Run:
    """A finished run."""

    def __init__(self, folder: Path) -> None:
        self.folder, params = folder, folder / "params.yaml"
        self.plan = plan.load(params)
        self.metrics: dict[str, Any] = read_json(folder / "reports/metrics.json")
        self.likelihood_alone = read_yaml(params)["dpo"]["loss_weights"]["sigmoid"] == 0

    def chain(self, method: str) -> list[str]:
        """M1 and the models of the rounds after it; nothing if the run has no such method."""
        models = [model for model, root in self.plan.roots.items() if root.method == method][:1]
        for model, entry in self.plan.rounds.items():
            if models and entry.start == models[-1]:
                models.append(model)
        return models

    @property
    def minutes(self) -> float | None:
        """What the last run of each stage of dvc.yaml took, those of M0 to the last model and those that all share."""
        runs = provenance.runs(self.folder / ".work/runs.jsonl")
        ours = {"", plan.BASE, "psrlm", *self.chain("psrlm")}  # what stands behind the `@` of a stage
        stages = [stage for stage in runs if "/" not in stage and stage.partition("@")[2] in ours]
        seconds = [runs[stage]["seconds"] for stage in stages]
        return sum(seconds) / 60 if seconds else None

    def search(self, model: str) -> dict[str, Any]:
        """A model's step search at evaluation beside its greedy answers: of all problems after `make gates`."""
        of_all = self.folder / f"reports/diagnostics/search_gain-{model}.json"
        return read_json(of_all) if of_all.is_file() else dict(self.metrics[model].get("scale", {}))

    def answers(self, model: str) -> list[Answered]:
        """The greedy answers of a model."""
        return read(self.folder / f"data/{model}/evaluation/answers.parquet", Answered)


def changes(before: Sequence[Answered], after: Sequence[Answered]) -> Changes:
    """What became of each problem's answer. Raises PipelineError unless both answer the same problems."""
    right = {row.problem_id: row.grade == "right" for row in before}
    if right.keys() != {row.problem_id for row in after}:
        raise PipelineError("two models answer different problems; give runs with the same evaluation problems")
    return {row.problem_id: (row.grade == "right") - right[row.problem_id] for row in after}


def difference(each: Sequence[Changes]) -> Cell:
    """The mean change of the problems in points; of several seeds, of the mean over seeds of each problem."""
    shared = set.intersection(*(set(one) for one in each)) if each else set()
    if not shared:
        return NONE
    return in_errors(percent(*mean_and_error([sum(one[key] for one in each) / len(each) for key in shared]), "+"))


def ratio(cell: Cell) -> float:
    """A difference in its standard errors."""
    return cell.value / cell.error if cell.value is not None and cell.error else 0.0


def in_errors(cell: Cell) -> Cell:
    """A difference with how many standard errors it is."""
    return cell if cell.value is None else replace(cell, text=f"{cell.text} ({ratio(cell):.1f})")


@dataclass(frozen=True)
class Gate:
    """One row: what is measured in every run, what must hold of it ("": nothing), and all seeds together.

    pooled: whether the bar is for all seeds together.
    """

    name: str
    bar: str
    cells: Sequence[Cell]
    holds: Callable[[Cell], bool]
    together: Cell = NONE
    pooled: bool = False

    def row(self) -> list[str]:
        """The row of the table."""
        known = [cell for cell in ([self.together] if self.pooled else self.cells) if cell.value is not None]
        verdict = "not measured" if not known else "holds" if all(map(self.holds, known)) else "fails"
        cells = [cell.text for cell in (*self.cells, self.together)]
        return [self.name, self.bar or "–", *cells, verdict if self.bar or not known else "–"]


def least(name: str, bar: float, unit: str, cells: Sequence[Cell]) -> Gate:
    """A gate of values that may not be below `bar`."""
    return Gate(name, f"at least {bar:g}{unit}", cells, lambda cell: cell.value is not None and cell.value >= bar)


def paired(name: str, bar: int, each: Sequence[Changes], pooled: bool = False) -> Gate:
    """A gate of paired differences above `bar` standard errors; a run without one has no changes."""
    cells, known = [difference([one]) for one in each], [one for one in each if one]
    together = difference(known) if len(known) > 1 or pooled else NONE
    meaning = f"above {bar} errors{', all seeds' if pooled else ''}"
    return Gate(name, meaning, cells, lambda cell: ratio(cell) > bar, together, pooled)


def rounds(runs: Sequence[Run]) -> list[Gate]:
    """Each round, and all rounds together."""
    chains = [(run, run.chain("psrlm")) for run in runs]
    count = min(len(chain) for _, chain in chains)

    def between(first: int, last: int) -> list[Changes]:
        return [changes(run.answers(chain[first]), run.answers(chain[last])) for run, chain in chains]

    falls = [fallen(run.answers(chain[0]), run.answers(chain[-1])) for run, chain in chains]
    ended = [[[row.end == "answer" for row in run.answers(model)] for model in chain] for run, chain in chains]
    boxed = [[100 * proportion(one)[0] for one in each] for each in ended]
    return [
        *(paired(f"M{i + 2} − M{i + 1}", 2, between(i, i + 1)) for i in range(count - 1)),
        paired(f"M{count} − M1", 3, between(0, count - 1)),
        Gate(f"splits that fall, M1 to M{count}", "none", falls, lambda cell: cell.value == 0),
        least(f"boxed, M{count} − M1", 0, "", [number(one[-1] - one[0], 2, sign="+") for one in boxed]),
        least(f"boxed, least of M1 to M{count}", 99.5, "%", [number(min(one), 2) for one in boxed]),
    ]


def fallen(before: Sequence[Answered], after: Sequence[Answered]) -> Cell:
    """How many splits have fewer right answers, and which."""
    change, sums = changes(before, after), dict[str, int]()
    for row in before:
        sums[row.split] = sums.get(row.split, 0) + change[row.problem_id]
    names = [split for split, total in sums.items() if total < 0]
    return Cell(", ".join(names) or "none", len(names))


def ceilings(runs: Sequence[Run], ceiling: float | None) -> list[Gate]:
    """How far M1 and M2 stand below what exact solutions teach."""

    def below(run: Run, model: str) -> Cell:
        accuracy = 100 * run.metrics[model]["evaluation"]["pooled"]["accuracy"]
        return NONE if ceiling is None else number(ceiling - accuracy, 1)

    return [
        least(f"ceiling − M{place + 1}", bar, " points", [below(run, run.chain("psrlm")[place]) for run in runs])
        for place, bar in ((0, 20), (1, 10))
    ]


def searches(runs: Sequence[Run]) -> list[Gate]:
    """Search with a model's own judgments against its greedy answers."""
    first, last = (
        [in_errors(measured(run.search(run.chain("psrlm")[place]), "gain", "+")) for run in runs] for place in (0, -1)
    )
    return [
        Gate("search − greedy, M1", "above 2 errors", first, lambda cell: ratio(cell) > 2),
        least("search − greedy, last model", 0, "", last),
    ]


def likelihood(runs: Sequence[Run], alone: Sequence[Run]) -> Gate:
    """M2 by both terms against M2 by the likelihood term alone, of the same seed."""
    of_seed = {run.plan.seed: run for run in alone}

    def second(run: Run) -> list[Answered]:
        return run.answers(run.chain("psrlm")[1])

    each = [changes(second(of_seed[s]), second(run)) if (s := run.plan.seed) in of_seed else {} for run in runs]
    return paired("M2 by both terms − by the likelihood alone", 2, each, pooled=True)


def srlm(runs: Sequence[Run]) -> list[Gate]:
    """SRLM's scorer, and its gain beside PSRLM's."""
    orders, gains = [], list[Cell]()
    for run in runs:
        ours, theirs = run.chain("psrlm"), run.chain("srlm")
        scorer = run.metrics[theirs[0]].get("judge-srlm", {}) if theirs else {}
        orders.append(measured(scorer, "order_accuracy"))
        pair = [changes(run.answers(chain[0]), run.answers(chain[-1])) for chain in (ours, theirs) if chain]
        gains.append(difference([{key: pair[0][key] - pair[1][key] for key in pair[0]}]) if theirs else NONE)
    known = [gain.value / 100 for gain in gains if gain.value is not None]
    over_seeds = percent(*mean_and_error(known), "+") if len(known) > 1 else NONE
    return [
        least("SRLM's first scorer: right order", 70, "%", orders),
        Gate("gain of PSRLM − gain of SRLM", "", gains, lambda cell: True, over_seeds),
    ]


def document(runs: Sequence[Run], ceiling: float | None) -> str:
    """The table of all gates under what its numbers mean."""
    both, alone = ([run for run in runs if run.likelihood_alone is is_alone] for is_alone in (False, True))
    if not both or any(len(run.chain("psrlm")) < 2 for run in both):
        raise PipelineError("give runs with a round of psrlm that trains on both terms")
    table = [
        *ceilings(both, ceiling),
        *rounds(both),
        likelihood(both, alone),
        *searches(both),
        *srlm(both),
        Gate("minutes", "at most 20", [number(run.minutes, 1) for run in both], lambda cell: (cell.value or 0) <= 20),
    ]
    header = ["gate", "bar", *(f"seed {run.plan.seed}" for run in both), "all seeds", ""]
    return f"# Gates\n\n{NOTE}\n\n{markdown(header, [gate.row() for gate in table])}\n"


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", type=Path, nargs="+", help="folders of finished runs")
    parser.add_argument(
        "--ceiling", type=Path, help="what M0 reaches after SFT on exact solutions, from benchmarks.ceiling"
    )
    options = parser.parse_args(arguments)
    try:
        taught = options.ceiling and 100 * read_json(options.ceiling)["taught"]["all"]["accuracy"]
        print(document([Run(folder) for folder in options.runs], taught), end="")
    except PipelineError as error:
        fail(error)


if __name__ == "__main__":
    main()
