"""Rows a second and peak memory of what works over all pairs and trees of a round, each in a process of its own.

Generates a search whose every tree gives ten pairs, then runs on it what stages and `psr` run: pairs with their drops
and statistics, the content hash, the report's excerpts and diagnostics, `psr show`, what `psr push` makes and what
`psr pull` reads, and all of `psr verify`. Memory that is flat is the same for 100,000 pairs as for 1,000,000. Pairs a
second are those of CPU time, so that other work on the machine does not count. `push` turns every pair into token ids:
it is as fast as the tokenizer, which reads two new texts a pair.

    python -m benchmarks.memory                       # 1,000,000 pairs of 100,000 trees, 3 GB of disk
    python -m benchmarks.memory --pairs 100000
"""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from benchmarks.sides import alone
from pipeline.core import files
from pipeline.core.records import Candidate, Preference, Problem, State, Text, Tree, Verdict
from pipeline.params.profiles import profile

WORLD = Path("pipeline/domains/arithmetic/shipped").resolve()  # its tokenizer
STEPS = 10  # pairs of a tree
STATES = 12  # of a tree: every fifth is a tie that nothing takes back
SECTIONS = {
    "rounds.m2": {"from": "m1", "method": "psrlm"},
    "psrlm.search": profile("tiny")["psrlm"]["search"],
    "psrlm.pairs": {"min_gap": 1.0, "require_condorcet_winner": False},
}
SAID = ("Both steps go on from the one before; the first one adds up rightly. [[A]]", "The second one is right. [[B]]")
TIE = ("Both are right. [[C]]", "Neither is. [[C]]")
PAIRS, TREES, PROBLEMS = Path("pairs/train.parquet"), Path("trees/trees.parquet"), Path("problems/round-m2.parquet")


def problem(number: int) -> Problem:
    prompt = f"Ana has {number} keys and gets one, two, three more in each of ten years. How many has she then?"
    return Problem(f"round-m2-{number:06d}", prompt, "")


def trees(count: int) -> Iterator[Tree]:
    """Searches of ten states, each with two candidates judged in both orders, and of two ties."""
    for number in range(count):
        steps: tuple[str, ...] = ()
        states: list[State] = []
        for index in range(1, STATES + 1):
            good, bad = (f"Step {index}: {number} + {index} is {number + index + wrong} in all." for wrong in (0, 7))
            tied, last = index % 5 == 0, index == STATES
            candidates = (
                Candidate(good, 5, 0.0 if tied else 1.0, "step", last, 60),
                Candidate(bad, 1, 0.0, "step", last, 12),
            )
            verdicts = tuple(Verdict(a, 1 - a, words, words[-3], 20) for a, words in enumerate(TIE if tied else SAID))
            outcome, worst = ("forced", None) if tied else ("step", 1)
            states.append(State(steps, candidates, verdicts, outcome, 0, worst, False, in_full=True))
            steps = (*steps, good)
        of = problem(number)
        yield Tree(of.problem_id, of.prompt, tuple(states), steps, "answer")


def make_trees(count: int) -> None:
    files.write(PROBLEMS, Problem, map(problem, range(count // STEPS)))
    files.write(Path("problems/evaluation.parquet"), Problem, [Problem("e-1", "What is one and one?", "easy")])
    files.write(TREES, Tree, trees(count // STEPS))


def make_pairs(count: int) -> None:
    from pipeline.methods import preferences
    from pipeline.methods.psrlm import pairs
    from pipeline.methods.psrlm.settings import Pairs

    made = pairs.preferences(TREES.parent, Pairs(**SECTIONS["psrlm.pairs"]), "m2")
    files.write_json(Path("pairs.json"), preferences.write("pairs", made, PAIRS.parent, Path("dropped.parquet")))


def content(count: int) -> None:
    files.content(rows())


def statistics(count: int) -> None:
    from pipeline.methods import preferences

    preferences.statistics(rows())


def excerpts(count: int) -> None:
    from pipeline.methods.psrlm import inspect
    from pipeline.report import excerpt

    texts = excerpt.by_hash(excerpt.texts_of_preferences(rows()), lambda text: text.key, 300)
    files.write(Path("excerpt/texts.parquet"), Text, texts)
    shown = excerpt.by_hash(inspect.trees(TREES.parent), lambda tree: tree.problem_id, 20)
    files.write(Path("excerpt/trees.parquet"), Tree, shown)


def diagnostics(count: int) -> None:
    from pipeline.methods import verdicts
    from pipeline.methods.psrlm import inspect

    verdicts.diagnostics(inspect.trees(TREES.parent))


def show(count: int) -> None:
    from pipeline.cli import __main__ as psr

    for more in (["--skip", str(count - 9)], ["--step", "3"], ["--text", "Ana has 77 keys"]):
        sys.argv = ["psr", "show", str(PAIRS), *more]
        with contextlib.redirect_stdout(io.StringIO()):
            psr.main()


def push(count: int) -> None:
    from huggingface_hub.hf_api import RepoFile
    from transformers import AutoTokenizer

    from pipeline.language.renderer import Renderer
    from pipeline.publish import configs, hub

    renderer, path = Renderer(AutoTokenizer.from_pretrained(str(WORLD)), "arithmetic"), Path("ppd.parquet")
    files.write(path, configs.StepPreference, (configs.published(row, renderer) for row in rows()))
    made = [configs.Config("ppd-m2", {"train": path}), configs.Config("trees-m2", {"train": TREES})]
    configs.manifest(made)
    large = {"size": 1, "oid": "0", "pointerSize": 1}
    there = RepoFile(path="ppd-m2/train.parquet", size=1, oid="0", lfs=large)
    changes = hub.State("head", {there.path: there}).differences(made[0].files | made[1].files)
    assert list(changes.values()) == ["changed", "new"]


def pull(count: int) -> None:
    from pipeline.publish import configs
    from pipeline.publish.pull import own, require_rows

    require_rows(path := Path("ppd.parquet"), configs.StepPreference, count, "the Hub")
    own(path, "ppd", Path("pulled"))


def verify(count: int) -> None:
    from pipeline.cli import verify
    from pipeline.publish import lock

    def stage(deps: list[str], outs: list[str]) -> dict[str, Any]:
        made = [{"path": path, "md5": lock.md5(Path(path))} for path in outs]
        return {"deps": [{"path": path} for path in deps], "outs": made, "params": {"params.yaml": SECTIONS}}

    stages = {
        "problems": stage([], ["problems"]),
        "search@m2": stage([str(PROBLEMS)], ["trees"]),
        "pairs@m2": stage(["trees"], ["pairs", "dropped.parquet", "pairs.json"]),
    }
    wrong = list(verify.faults(stages, Path(".dvc/cache")))
    assert not wrong, wrong[:3]


def rows() -> Iterable[Preference]:
    return files.rows(PAIRS, Preference)


PARTS = (make_trees, make_pairs, content, statistics, excerpts, diagnostics, show, push, pull, verify)


def measured(part: Callable[[int], None], count: int, folder: str) -> tuple[float, float]:
    """Seconds and CPU seconds of one part in this process."""
    os.chdir(folder)
    started, before = time.perf_counter(), time.process_time()
    part(count)
    return time.perf_counter() - started, time.process_time() - before


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=1_000_000)
    count = parser.parse_args().pairs
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "prompts").symlink_to(Path("prompts").resolve())
        print(f"| {count} pairs, {count // STEPS} trees | s | CPU s | pairs a CPU second | peak MiB |")
        print("|---|---|---|---|---|")
        for part in PARTS:
            (seconds, busy), peak = alone(measured, part, count, folder)
            print(f"| {part.__name__} | {seconds:.0f} | {busy:.0f} | {count / busy:.0f} | {peak:.0f} |", flush=True)


if __name__ == "__main__":
    main()
