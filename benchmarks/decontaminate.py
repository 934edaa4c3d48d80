"""Decontamination at scale: planted overlaps found, hits of clean prompts, seconds and peak memory.

    python benchmarks/decontaminate.py --evaluation gsm8k.jsonl math.jsonl ... --clean gsm8k_train.jsonl --rows 860000

Prompts are generated from the clean file's own sentences; one in two hundred is a planted copy of an evaluation
problem in one of the disguises of `planted`. The same prompts as a Parquet file then go through the stage's own
selection. Hits of the clean file's prompts are counted by evaluation file, and some are shown with both texts.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import resource
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.core.records import Problem
from pipeline.data.decontaminate import Index, signs, words
from pipeline.data.problems import Selection
from pipeline.data.settings import Source

COLUMNS = ("question", "problem", "Question")
KINDS = ("as it is", "other case and spacing", "other numbers", "inside a longer text", "one word changed")
EVERY = 200


def prompts(path: Path) -> list[str]:
    """The problem texts of a JSONL file, whichever of the usual columns holds them."""
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    return [next(row[name] for name in COLUMNS if name in row) for row in rows]


def planted(text: str, kind: str, rng: random.Random) -> str:
    """A copy of an evaluation problem in one of five disguises."""
    match kind:
        case "other case and spacing":
            return "  ".join(text.upper().split())
        case "other numbers":
            return re.sub(r"\d+", lambda _: str(rng.randint(2, 999)), text)
        case "inside a longer text":
            return f"Here is a question for you. {text} Think before you answer."
        case "one word changed":
            word = rng.choice(list(re.finditer(r"[^\W\d_]+", text)))
            return text[: word.start()] + "changed" + text[word.end() :]
    return text


def generated(clean: list[str], evaluation: list[str], rows: int, ngram: int) -> Iterator[tuple[str, str]]:
    """(key, prompt): sentences of the clean file shuffled together; the disguise is the key of the planted copies.

    A word is changed only in problems of at least 2 n words, of which one half then still has n words in a row.
    """
    rng = random.Random(1)
    sentences = [sentence for text in clean for sentence in re.split(r"(?<=[.?!])\s+", text)]
    long = [text for text in evaluation if len(words(signs(text))) >= 2 * ngram]
    for number in range(rows):
        if number % EVERY == 0:
            kind = KINDS[number // EVERY % len(KINDS)]
            yield kind, planted(rng.choice(long if kind == "one word changed" else evaluation), kind, rng)
        else:
            yield "generated", " ".join(rng.choice(sentences) for _ in range(4))


def peak() -> str:
    """The most memory that this process has held so far."""
    return f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MiB"


def show_hits(clean: list[str], evaluation: dict[str, str], index: Index, shown: int) -> None:
    """Count the clean prompts that are hit, by evaluation file, and print a sample with both texts."""
    hits = [(text, hit) for text in clean if (hit := index.hit(text))]
    by_file = Counter(hit.evaluation_id.rpartition("-")[0] for _, hit in hits)
    print(f"clean prompts hit: {len(hits)} of {len(clean)}; by evaluation file: {dict(sorted(by_file.items()))}")
    for text, hit in random.Random(1).sample(hits, min(shown, len(hits))):
        print(f"  {hit.rule}, {hit.evaluation_id}: {hit.shared!r}\n    {text!r}")
        print(f"    {evaluation[hit.evaluation_id]!r}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--evaluation", type=Path, nargs="+", required=True)
    parser.add_argument("--clean", type=Path, required=True)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--ngram", type=int, default=8)
    parser.add_argument("--chosen", type=int, default=28_889, help="problems that the selection takes of all rows")
    parser.add_argument("--show", type=int, default=0, help="so many of the clean prompts that are hit")
    args = parser.parse_args()
    evaluation = {f"{path.stem}-{i}": text for path in args.evaluation for i, text in enumerate(prompts(path))}
    clean = prompts(args.clean)
    index = Index(evaluation, args.ngram)
    print(f"{len(evaluation)} evaluation problems, {len(index.grams)} n-grams of {args.ngram} words; {peak()}")
    show_hits(clean, evaluation, index, args.show)

    started = time.perf_counter()
    made = generated(clean, list(evaluation.values()), args.rows, args.ngram)
    hits = Counter(key for key, text in made if index.hit(text))
    print(f"{args.rows} prompts in {time.perf_counter() - started:.0f} s, one core, generation included; {peak()}")
    for place, kind in enumerate(KINDS):
        count = len(range(place * EVERY, args.rows, EVERY * len(KINDS)))
        print(f"planted, {kind}: found {hits[kind]} of {count}")
    print(f"other generated prompts hit: {hits['generated']}")

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "prompts.parquet"
        with pq.ParquetWriter(path, pa.schema([("q", pa.string())])) as writer:
            made = generated(clean, list(evaluation.values()), args.rows, args.ngram)
            while rows := list(islice(made, 8192)):
                writer.write(pa.table({"q": [prompt for _, prompt in rows]}))
        started = time.perf_counter()
        selection = Selection([Problem(key, text, "") for key, text in evaluation.items()], args.ngram, seed=1)
        taken = selection.take(Source(path=str(path), rows=min(args.chosen, args.rows // 2), prompt="q"), "ift")
        print(f"{len(taken)} chosen of the file in {time.perf_counter() - started:.0f} s; {peak()}")
        print(f"left out among them: {len(selection.overlaps)} overlaps, {len(selection.duplicates)} duplicates")


if __name__ == "__main__":
    main()
