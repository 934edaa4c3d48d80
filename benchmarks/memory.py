"""Rows a second and peak memory of what works over all pairs and trees of a round, each in a process of its own.

Generates a search whose every tree gives ten pairs, then runs on it what stages and `psr` run: pairs with their drops
and statistics, the content hash, the report's excerpts and diagnostics, `psr show`, the conversions of `psr push` and
`psr pull`, and the checks of `psr verify`. Memory that is flat is the same for 100,000 pairs as for 1,000,000.

    python -m benchmarks.memory                       # 1,000,000 pairs of 100,000 trees, 3 GB of disk
    python -m benchmarks.memory --pairs 100000
"""

from __future__ import annotations

import argparse
import contextlib
import io
import multiprocessing
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any

from pipeline.core import files
from pipeline.core.records import Candidate, Preference, State, Text, Tree, Verdict

STEPS = 10  # pairs of a tree
SAID = ("Both steps go on from the one before; the first one adds up rightly. [[A]]", "The second one is right. [[B]]")
PAIRS = Path("pairs/train.parquet")


def trees(count: int) -> Iterator[Tree]:
    """Searches of ten states, each with two candidates judged in both orders and a tie now and then."""
    for number in range(count):
        steps: tuple[str, ...] = ()
        states: list[State] = []
        for index in range(1, STEPS + 1):
            good, bad = (f"Step {index}: {number} + {index} is {number + index + wrong} in all." for wrong in (0, 7))
            last = index == STEPS
            found = (Candidate(good, 5, 1.0, "step", last, 60), Candidate(bad, 1, 0.0, "step", last, 12))
            said = (Verdict(0, 1, SAID[0], "A", 20), Verdict(1, 0, SAID[1], "B", 12))
            states.append(State(steps, found, said, "step", 0, 1, False))
            if index % 4 == 0:
                tied = (Candidate(good, 5, 0.0, "step", False, 60), Candidate(bad, 1, 0.0, "step", False, 12))
                states.append(State((*steps, good), tied, (), "forced", 0, None, False))
            steps = (*steps, good)
        prompt = f"Ana has {number} keys and gets one, two, three more in each of ten years. How many has she then?"
        yield Tree(f"round-m2-{number:06d}", prompt, tuple(states), steps, "answer")


def make_trees(count: int) -> None:
    files.write(Path("trees/trees.parquet"), Tree, trees(count // STEPS))


def make_pairs(count: int) -> None:
    from pipeline.methods import preferences
    from pipeline.methods.psrlm import pairs
    from pipeline.methods.psrlm.settings import Pairs

    found = pairs.preferences(Path("trees"), Pairs(min_gap=1.0, require_condorcet_winner=False), "m2")
    preferences.write("pairs", found, Path("pairs"), Path("dropped.parquet"))


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
    shown = excerpt.by_hash(inspect.trees(Path("trees")), lambda tree: tree.problem_id, 20)
    files.write(Path("excerpt/trees.parquet"), Tree, shown)


def diagnostics(count: int) -> None:
    from pipeline.methods import verdicts
    from pipeline.methods.psrlm import inspect

    verdicts.diagnostics(inspect.trees(Path("trees")))


def show(count: int) -> None:
    from pipeline.cli import __main__ as psr

    for more in (["--skip", str(count - 9)], ["--step", "3"], ["--text", "Ana has 77 keys"]):
        sys.argv = ["psr", "show", str(PAIRS), *more]
        with contextlib.redirect_stdout(io.StringIO()):
            psr.main()


def push(count: int) -> None:
    from pipeline.publish import configs, hub

    files.write(Path("ppd.parquet"), configs.StepPreference, (configs.published(row, "math") for row in rows()))
    hub.sha256(Path("ppd.parquet"))


def pull(count: int) -> None:
    from pipeline.publish import configs

    found = chain.from_iterable(files.batches(Path("ppd.parquet"), configs.StepPreference))
    files.write(Path("pulled.parquet"), Preference, map(configs.record, found))


def verify(count: int) -> None:
    from pipeline.cli.verify import rounds
    from pipeline.methods.psrlm import pairs
    from pipeline.methods.psrlm.settings import Pairs

    found = pairs.preferences(Path("trees"), Pairs(min_gap=1.0, require_condorcet_winner=False), "m2")
    assert list(rounds.faults(found, PAIRS, Path("dropped.parquet"))) == []


def rows() -> Iterable[Preference]:
    return chain.from_iterable(files.batches(PAIRS, Preference))


PARTS = (make_trees, make_pairs, content, statistics, excerpts, diagnostics, show, push, pull, verify)


def measured(part: Callable[[int], None], count: int, folder: str, answer: Any) -> None:
    """Run one part in this process and send seconds, CPU seconds and peak memory."""
    import os

    os.chdir(folder)
    started, before = time.perf_counter(), time.process_time()
    part(count)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    answer.send((time.perf_counter() - started, time.process_time() - before, peak))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=1_000_000)
    count = parser.parse_args().pairs
    prompts = Path("prompts").resolve()
    context = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "prompts").symlink_to(prompts)
        print(f"| {count} pairs, {count // STEPS} trees | s | CPU s | pairs/s | peak MiB |\n|---|---|---|---|---|")
        for part in PARTS:
            ours, theirs = context.Pipe()
            process = context.Process(target=measured, args=(part, count, folder, theirs))
            process.start()
            theirs.close()
            seconds, busy, peak = ours.recv()
            process.join()
            print(f"| {part.__name__} | {seconds:.0f} | {busy:.0f} | {count / seconds:.0f} | {peak:.0f} |", flush=True)


if __name__ == "__main__":
    main()
