"""Step labels from rollouts beside the oracle's, in the embedded world: labels by k, the PRM, and the EFT pairs.

    python -m benchmarks.rollouts --run FOLDER --seeds 1 2 3 --problems 150 --output reports/rollouts

run: a finished run of the arithmetic domain, of which M0 and the oracle's held-out steps are read. For each seed M0
solves fresh problems and continues from each step; labels from the first k continuations are compared with the
oracle's, and PRMs trained on the same solutions with labels of either kind rate the same held-out steps and search.
Writes a table (.md) and the numbers (.json) after each seed.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from pipeline.core import files, machine
from pipeline.core.config import load
from pipeline.core.means import mean_and_error
from pipeline.core.records import LabelledSolution
from pipeline.core.terminal import markdown
from pipeline.data import rollouts
from pipeline.domains.arithmetic import oracle, problems
from pipeline.domains.arithmetic.settings import Settings
from pipeline.domains.graders.pool import Graders
from pipeline.domains.math import final, grading
from pipeline.evaluation.gates import layers
from pipeline.inference.engines import open_engines
from pipeline.inference.loop import run
from pipeline.inference.settings import Inference
from pipeline.language.renderer import Renderer
from pipeline.methods.psrlm import eft_search, prm
from pipeline.methods.psrlm.settings import Eft, EftSearch
from pipeline.training.settings import Prm
from pipeline.training.supervised import train_supervised

BY = (1, 2, 4, 8, 16)
FAMILY = "arithmetic"


class Bench:
    """One seed of it: fresh problems, their rollouts, and what the oracle says of each step."""

    def __init__(self, options: argparse.Namespace, seed: int) -> None:
        self.folder, self.seed = options.run, seed
        params = self.folder / "params.yaml"
        self.prm, self.inference = load(params, "prm", Prm), load(params, "inference", Inference)
        self.world, self.search = load(params, FAMILY, Settings), load(params, "psrlm.eft_search", EftSearch)
        self.margin = load(params, "psrlm.eft", Eft).margin
        most = self.prm.rollouts.model_copy(update={"continuations": max(BY)})
        self.prm = self.prm.model_copy(update={"rollouts": most, "epochs": options.epochs or self.prm.epochs})
        drawn = problems.training(self.world, seed, "prm", options.problems + options.search, set())
        self.solved, self.searched = drawn[: options.problems], drawn[options.problems :]

    def results(self, models: dict[str, Path], tasks: Any) -> dict[str, Any]:
        """Results of the tasks that `tasks` makes of a renderer."""
        results: dict[str, Any] = {}
        with open_engines(models, self.inference, machine.load().inference) as engines:
            renderer = Renderer(engines["policy"].tokenizer, FAMILY, answer_end=final.end)
            run(engines, tasks(renderer).items(), machine.load().inference.concurrent_problems, results.__setitem__)
        return results

    def label(self, rolled: dict[str, rollouts.RolledOut], k: int, estimate: str) -> list[LabelledSolution]:
        """PRM rows from the first k continuations of each step."""
        how = self.prm.rollouts.model_copy(update={"estimate": estimate})
        less = {
            key: replace(row, paths=tuple(replace(path, answers=path.answers[:k]) for path in row.paths))
            for key, row in rolled.items()
        }
        with Graders(grading) as graders:
            return rollouts.labelled(self.solved, less, graders, how, self.seed)[0]

    def by_oracle(self, rows: Sequence[LabelledSolution]) -> list[LabelledSolution]:
        """The same solutions with the oracle's labels."""
        return [
            replace(
                row,
                labels=tuple(oracle.right(row.prompt, row.completions[:n], s) for n, s in enumerate(row.completions)),
            )
            for row in rows
        ]

    def trained(self, rows: Sequence[LabelledSolution], place: Path) -> dict[str, float]:
        """Quality of a PRM trained on rows: on the run's held-out steps, and of the pairs that its search finds."""
        from transformers import AutoTokenizer

        base = self.folder / "data/m0/model"
        renderer = Renderer(AutoTokenizer.from_pretrained(base), FAMILY)
        tokens = [prm.training_row(renderer, row) for row in rows]
        train_supervised(base, tokens, self.prm.training(), machine.load().training, self.seed, place)
        test = files.read(self.folder / "data/prm/steps/test.parquet", LabelledSolution)
        rated = self.results({"policy": place}, lambda r: prm.rating_tasks(r, test))
        labels = [label for row in test for label in row.labels]
        quality = prm.quality([one.plus for one in (rated[key] for key in prm.rating_tasks(renderer, test))], labels)
        models = eft_search.models(base, place)
        trees = self.results(models, lambda r: eft_search.tasks(r, self.searched, self.search, self.seed, place))
        right, picked = 0, 0
        for layer in layers(trees.values()):
            order = sorted(range(len(layer.scores)), key=lambda i: layer.scores[i])
            worst, best = (layer.candidates[i] for i in (order[0], order[-1]))
            if layer.scores[order[-1]] - layer.scores[order[0]] >= self.margin:
                picked += 1
                pair = [oracle.right(layer.prompt, layer.steps, text) for text in (best, worst)]
                right += pair == [True, False]
        precision = right / max(picked, 1)
        return {"accuracy": quality["accuracy"], "f1": quality["f1"], "pairs": picked, "precision": precision}

    def measure(self) -> dict[str, Any]:
        """All of it: label accuracy by k and estimate, and PRMs on the oracle's labels, hard and soft ones at k = 8."""
        models, how = {"policy": self.folder / "data/m0/model"}, self.prm.rollouts
        rolled = self.results(models, lambda r: rollouts.tasks(r, self.solved, final, how, self.seed))
        rolled = {problem.problem_id: rolled[problem.problem_id] for problem in self.solved}
        arms = {f"{how} {k}": self.label(rolled, k, how) for how in ("hard", "soft") for k in BY}
        truth = self.by_oracle(arms["hard 1"])
        measured = {name: _agreement(rows, truth) for name, rows in arms.items()}
        with tempfile.TemporaryDirectory() as place:
            for name, rows in {"oracle": truth, "hard 8": arms["hard 8"], "soft 8": arms["soft 8"]}.items():
                trained = self.trained(rows, Path(place) / name.replace(" ", "-"))
                measured[name] = measured.get(name, {}) | trained
        return measured


def _agreement(rows: Sequence[LabelledSolution], truth: Sequence[LabelledSolution]) -> dict[str, float]:
    """Share of steps labelled as the oracle does, of all steps, and of its right and its wrong ones."""
    pairs = [(a, b) for x, y in zip(rows, truth, strict=True) for a, b in zip(x.labels, y.labels, strict=True)]
    of = {known: [a == b for a, b in pairs if b == known] for known in (True, False)}
    return {
        "label_accuracy": sum(a == b for a, b in pairs) / len(pairs),
        "of_right": sum(of[True]) / max(len(of[True]), 1),
        "of_wrong": sum(of[False]) / max(len(of[False]), 1),
        "steps": len(pairs),
    }


def table(seeds: Sequence[dict[str, Any]]) -> str:
    """Means over seeds with their standard errors, percent."""
    names = ("label_accuracy", "of_right", "of_wrong", "accuracy", "f1", "precision", "pairs")
    rows = []
    for arm in ["oracle", *(name for name in seeds[0] if name != "oracle")]:
        cells = []
        for name in names:
            values = [one[arm][name] for one in seeds if name in one[arm]]
            scale = 1 if name == "pairs" else 100
            mean, error = mean_and_error([scale * value for value in values]) if values else (None, None)
            cells.append("" if mean is None else f"{mean:.1f}" + (f" ± {error:.1f}" if error is not None else ""))
        rows.append([arm, *cells])
    return markdown(["labels", *names], rows)


def document(options: argparse.Namespace, seeds: Sequence[dict[str, Any]]) -> str:
    """The report: what was run, what the columns are, the table."""
    sizes = f"--problems {options.problems} --search {options.search} --epochs {options.epochs}"
    numbers = " ".join(str(seed) for seed in options.seeds[: len(seeds)])
    return f"""# Step labels from rollouts beside the oracle's

`python -m benchmarks.rollouts --run RUN --seeds {numbers} {sizes}`

M0 solves {options.problems} problems several times and goes on from every step. `hard k`, `soft k`: labels from the
first k continuations. label_accuracy: share of steps labelled as the oracle does, of its right and of its wrong ones;
accuracy, f1: of a PRM trained on these labels, on the run's held-out steps; precision: share of the pairs that its
tree search gives ({options.search} problems, the run's margin) with the better step right and the worse one wrong.
Percent, mean over {len(seeds)} seeds with the error between them.

{table(seeds)}
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", type=Path, required=True)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--problems", type=int, default=150, help="solved and continued")
    parser.add_argument("--search", type=int, default=80, help="problems of the tree search with each PRM")
    parser.add_argument("--epochs", type=int, default=0, help="of a PRM's training; 0: the run's own")
    parser.add_argument("--output", type=Path, default=Path("reports/rollouts"), help="without its ending")
    options = parser.parse_args()
    measured = []
    for seed in options.seeds:
        measured.append(Bench(options, seed).measure())
        files.write_json(options.output.with_suffix(".json"), measured)
        with files.replacing(options.output.with_suffix(".md")) as path:
            path.write_text(document(options, measured), encoding="utf-8")
    print(table(measured))


if __name__ == "__main__":
    main()
