"""What this machine makes of each part of the pipeline, beside the simplest way to do the same (`make bench`).

    python -m benchmarks                        # all parts, about half an hour on two quiet cores, `loops` half of it
    python -m benchmarks --parts loops training --problems 10 --rounds 1

Ways of one thing are measured in turn, several times; a ratio (x) is of one round. A part is printed as a table and
written with all values to `--output` (.md and .json) when it ends; parts of earlier runs are kept there. Parts:
`loops` (the event loop beside flat replay, lockstep and one problem at a time; prefix cache; start), `training` (SFT
and DPO beside a bare PyTorch loop), `grading`, `graph` (`dvc repro` of a finished run), `rows` (memory.py and
decontaminate.py at two sizes, which print their own tables).
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path
from typing import Any

from benchmarks import bare, graph, loops
from benchmarks.sides import HEADER, Line
from pipeline.core import config, files, machine
from pipeline.core.records import Problem
from pipeline.core.terminal import markdown
from pipeline.domains.arithmetic import problems
from pipeline.domains.arithmetic.settings import Settings
from pipeline.domains.graders.pool import Grader
from pipeline.inference.settings import Inference
from pipeline.methods.psrlm.settings import Search
from pipeline.params.profiles import profile
from pipeline.report.provenance import hardware

PARTS = ("loops", "training", "grading", "graph", "rows")


def generated(name: str, count: int) -> list[Problem]:
    """Problems of two to seven steps."""
    settings = config.build(Settings, profile("tiny")["arithmetic"], "tiny: arithmetic")
    return problems.training(settings, 1, name, count, set())


def searches(options: argparse.Namespace) -> list[Line]:
    """The loops on a pool and on a server, each taking more sequences than there are, and full."""
    lines: list[Line] = []
    search = config.build(Search, profile("tiny")["psrlm"]["search"], "tiny: psrlm.search")
    params = Inference(dtype="float32", max_model_len=1024)
    for sequences, server in ((128, False), (8, False), (128, True), (8, True)):
        served = {"replicas": 1, "serve": loops.SERVE} if server else {"serve": ""}
        here = machine.load().inference.model_copy(update={"max_num_seqs": sequences, "endpoints": (), **served})
        setting = loops.Setting(options.model, generated("round", options.problems), params, here, search)
        lines += loops.lines(setting, options.rounds, server)
    return lines


def trainings(options: argparse.Namespace) -> list[Line]:
    """SFT and DPO on rows of up to 256 tokens."""
    return bare.lines(options.model, options.rounds, options.rows, threads=len(os.sched_getaffinity(0)))


def grading(options: argparse.Namespace) -> list[Line]:
    """Answers a second, half of them right, in the forms that models give; the workers' start is a line of its own."""
    rng, speeds, starts = random.Random(1), list[float](), list[float]()
    for _ in range(options.rounds):
        answers = []
        for _ in range(options.answers):
            gold = Fraction(rng.randrange(1, 9999), rng.randrange(2, 99))
            value = gold + rng.randrange(2)
            forms = (f"\\frac{{{value.numerator}}}{{{value.denominator}}}", f"{float(value):.6f}", f"x = {value}")
            answers.append((rng.choice(forms), str(gold)))
        with Grader() as grader:
            begun = time.perf_counter()
            grader.grade([("x^2+1", "1+x^2")])
            starts.append(time.perf_counter() - begun)
            begun = time.perf_counter()
            grader.grade(answers)
            speeds.append(len(answers) / (time.perf_counter() - begun))
    return [Line("grading", tuple(speeds), "answers/s"), Line("grading: start", tuple(starts), "s")]


def rows(options: argparse.Namespace) -> str:
    """What memory.py and decontaminate.py print, at the smaller and the larger of two sizes."""
    printed = []
    with tempfile.TemporaryDirectory() as folder:
        for name, count in (("evaluation", 1000), ("clean", 7000)):
            texts = [json.dumps({"question": problem.prompt}) for problem in generated(name, count)]
            Path(folder, f"{name}.jsonl").write_text("\n".join(texts), encoding="utf-8")
        paths = ["--evaluation", f"{folder}/evaluation.jsonl", "--clean", f"{folder}/clean.jsonl"]
        for size in (options.size // 10, options.size):
            few = ["--chosen", str(size // 20)]  # nine in ten of these prompts share a sentence with the evaluation
            clean = ("decontaminate", [*paths, "--rows", str(size), *few])
            for module, more in (("memory", ["--pairs", str(size)]), clean):
                command = [sys.executable, "-m", f"benchmarks.{module}", *more]
                done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
                printed.append(f"`python -m benchmarks.{module}`, {size:,} rows:\n\n{done.stdout}")
    return "\n".join(printed)


def document(report: Mapping[str, Any]) -> str:
    """The report of all parts that have been measured, as Markdown."""
    texts = ["# Benchmarks"]
    for name in (name for name in PARTS if name in report):
        part = report[name]
        texts.append(f"## {name}\n\n{part['machine']}; {part['seconds']:.0f} s")
        if part["lines"]:
            texts.append(markdown(HEADER, [Line(**line).cells() for line in part["lines"]]))
        if part["tables"]:
            texts.append(part["tables"].strip())
    return "\n\n".join(texts) + "\n"


def main() -> None:
    """Run the chosen parts; each is written when it ends, beside those of earlier runs that were not run again."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--model", type=Path, default=Path("pipeline/domains/arithmetic/shipped"))
    parser.add_argument("--rounds", type=int, default=3, help="how often each way is measured")
    parser.add_argument("--problems", type=int, default=30, help="searched by each way")
    parser.add_argument("--rows", type=int, default=640, help="of a training")
    parser.add_argument("--answers", type=int, default=2000, help="graded")
    parser.add_argument("--size", type=int, default=1_000_000, help="rows of the larger data set; the other: a tenth")
    parser.add_argument("--output", type=Path, default=Path("reports/bench"), help="without .md and .json")
    options = parser.parse_args()
    made = {"loops": searches, "training": trainings, "grading": grading, "graph": lambda o: graph.lines(o.rounds)}
    file = options.output.with_suffix(".json")
    report: dict[str, Any] = files.read_json(file) if file.is_file() else {}
    here = hardware()
    for part in options.parts:
        begun = time.perf_counter()
        lines = made[part](options) if part in made else []
        tables = rows(options) if part == "rows" else ""
        where = f"{here['processor']}, {here['cores']} cores, {datetime.now(UTC):%Y-%m-%d}"
        measured = {"lines": [asdict(line) for line in lines], "tables": tables}
        report[part] = {"machine": where, "seconds": time.perf_counter() - begun} | measured
        files.write_json(file, report)
        with files.replacing(options.output.with_suffix(".md")) as path:
            path.write_text(document(report), encoding="utf-8")
        print(document({part: report[part]}), flush=True)


if __name__ == "__main__":
    main()
