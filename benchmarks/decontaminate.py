"""Decontamination at scale: planted overlaps found, false hits, seconds and peak memory.

    python benchmarks/decontaminate.py --evaluation gsm8k.jsonl math.jsonl ... --clean gsm8k_train.jsonl --rows 860000

Prompts are generated from the clean file's own sentences; one in a thousand is a planted copy of an evaluation
problem: exact, in other case and spacing, with other numbers, or inside a longer text.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import resource
import time
from collections.abc import Iterator
from pathlib import Path

from pipeline.decontaminate import Index, hits

COLUMNS = ("question", "problem", "Question")


def prompts(path: Path) -> list[str]:
    """The problem texts of a JSONL file, whichever of the usual columns holds them."""
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    return [next(row[name] for name in COLUMNS if name in row) for row in rows]


def planted(text: str, kind: int, rng: random.Random) -> str:
    """A copy of an evaluation problem in one of four disguises."""
    if kind == 1:
        return "  ".join(text.upper().split())
    if kind == 2:
        return re.sub(r"\d+", lambda _: str(rng.randint(2, 999)), text)
    if kind == 3:
        return f"Here is a question for you. {text} Think before you answer."
    return text


def generated(clean: list[str], evaluation: list[str], rows: int) -> Iterator[tuple[str, str]]:
    """(key, prompt): sentences of the clean file shuffled together; key `planted-<kind>` for the copies."""
    rng = random.Random(1)
    sentences = [sentence for text in clean for sentence in re.split(r"(?<=[.?!])\s+", text)]
    for number in range(rows):
        if number % 1000 == 0:
            kind = number // 1000 % 4
            yield f"planted-{kind}", planted(rng.choice(evaluation), kind, rng)
        else:
            yield "generated", " ".join(rng.choice(sentences) for _ in range(4))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--evaluation", type=Path, nargs="+", required=True)
    parser.add_argument("--clean", type=Path, required=True)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--ngram", type=int, default=8)
    args = parser.parse_args()
    evaluation = {f"{path.stem}-{i}": text for path in args.evaluation for i, text in enumerate(prompts(path))}
    clean = prompts(args.clean)
    index = Index(evaluation, args.ngram)
    real = list(hits(((str(i), text) for i, text in enumerate(clean)), index))
    print(f"{len(evaluation)} evaluation problems, {len(index.grams)} n-grams of {args.ngram} words")
    print(f"real prompts: {len(real)} of {len(clean)} hit")
    for key, hit in real[:5]:
        print(f"  {hit.rule} with {hit.evaluation_id}: {hit.shared!r} in {clean[int(key)][:80]!r}")
    started, found = time.perf_counter(), {}
    for key, _ in hits(generated(clean, list(evaluation.values()), args.rows), index):
        found[key] = found.get(key, 0) + 1
    seconds = time.perf_counter() - started
    for kind in range(4):
        count = sum(number // 1000 % 4 == kind for number in range(0, args.rows, 1000))
        print(f"planted, kind {kind}: found {found.get(f'planted-{kind}', 0)} of {count}")
    print(f"other generated prompts hit: {found.get('generated', 0)} of {args.rows}")
    print(f"{args.rows} prompts in {seconds:.0f} s, one core, generation included")
    print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MiB")


if __name__ == "__main__":
    main()
