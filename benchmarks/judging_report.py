"""The report of `benchmarks.judging` as Markdown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from benchmarks.judged_rounds import WAYS
from pipeline.core.terminal import markdown

NOTE = """\
Each way judges the same states: of every run those of its first and its last round, drawn by hash, judged by the model
that searched them. Best and worst agree: share of the states where the paper's way (every pair explained in both
orders) names a best and a worst, percent with one standard error. Right pairs: share of a way's pairs that are a right
step against a wrong one by the domain's oracle, which no way of judging sees; undisputed pairs are those whose best
wins all of its comparisons. Sampled and prompt tokens are of the judging alone. All ways but the first leave out
verdicts that can change neither best nor worst; their questions follow one another, so with few states at once the
first way, which asks everything at once, may take fewer seconds. The cores were shared with other work.

The small world's judge was trained to rewrite the right step before it names it: it learns what is right by writing it.
`logprob` reads its letters without that, and `explain-short` cuts it off. There they show what a judge is worth that
cannot think first, and say little of a large model, which may know before it explains."""

COLUMNS = {
    "calls": "calls", "sampled": "sampled tokens", "prompt": "prompt tokens", "seconds": "seconds",
    "unreadable": "unreadable", "best": "best agrees", "worst": "worst agrees", "pairs": "pairs",
    "right": "right pairs", "condorcet_pairs": "undisputed pairs", "condorcet_right": "right of these",
}  # fmt: skip


def cell(numbers: Mapping[str, Any], name: str) -> str:
    """A number as the table has it; shares in percent, with their error where there is one."""
    value = numbers.get(name)
    if value is None:
        return ""
    if name in ("unreadable", "best", "worst", "right", "condorcet_right"):
        error = f" ± {100 * numbers[f'{name}_se']:.1f}" if f"{name}_se" in numbers else ""
        return f"{100 * value:.1f}{error}"
    return f"{value:.1f}" if name == "seconds" else f"{value:,}"


def document(report: Mapping[str, Any]) -> str:
    """The whole report."""
    parts = ["# Ways of judging", NOTE]
    for name, tables in report["states"].items():
        for model, ways in tables.items():
            states_of = next(iter(ways.values()))["states"]
            parts.append(f"## {name}: {states_of} states, judged by {model}")
            rows = [[way, *(cell(ways[way], column) for column in COLUMNS)] for way in WAYS if way in ways]
            parts.append(markdown(["way", *COLUMNS.values()], rows))
    if report["rounds"]:
        parts.append("## Rounds searched again with the savings\n")
        header = ["run", "round", "verdict tokens before", "after", "saved", "calls before", "after", "pairs"]
        rows = []
        for name, numbers in report["rounds"].items():
            for key, one in numbers.items():
                before, after = one["before"], one["after"]
                row = [name, key, f"{before['verdicts']:,}", f"{after['verdicts']:,}", f"{100 * one['saved']:.1f}%"]
                same = "the same" if one["same"] else "others"
                rows.append([*row, f"{before['calls']:,}", f"{after['calls']:,}", f"{same} ({after['content']})"])
        parts.append(markdown(header, rows))
    if report["trained"]:
        parts.append("## M2 trained on the pairs of each way\n")
        header = ["run", "way", "candidate tokens", "verdict tokens", "calls", "pairs", "accuracy"]
        rows = []
        for name, by_way in report["trained"].items():
            for way, one in by_way.items():
                accuracy = f"{100 * one['accuracy']:.1f} ± {100 * one['accuracy_se']:.1f}"
                costs = [f"{one[column]:,}" for column in ("candidates", "verdicts", "calls", "pairs")]
                rows.append([name, way, *costs, accuracy])
        parts.append(markdown(header, rows))
    return "\n\n".join(parts) + "\n"
