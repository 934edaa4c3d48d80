"""The report of `benchmarks.judging` as Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.judged_rounds import WAYS
from pipeline.core.means import named, proportion
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

TRAINED = """\
Each round of a run searched again in one way, from the model that the way made in the round before; the first from the
run's M1. Beyond the run's: accuracy beyond that of the run's own model (judged by "explain") on the same problems, in
points with its paired standard error. `explain, warmer` samples candidates at temperature 1.2 in the place of 0.8; in
two waves the second half of the candidates is sampled only where the first are not all equal; one if sure: all but the
first only where the model gives the first a probability below 0.9."""
SPENT = """\
As the runs were made, share of all sampled tokens. Equal: all usable candidates are one text, so nothing is judged. Of
the decided states those are kept as pairs whose best wins all comparisons and that no earlier pair repeats. Tokens
outside decided states are the most that sampling less there can save."""
SPENT_HEADER = [
    "run", "round", "states equal / tied / decided", "sampled tokens", "equal", "tied: candidates", "tied: verdicts",
    "decided: candidates", "decided: verdicts", "pairs", "tokens a pair",
]  # fmt: skip
TRAINED_HEADER = [
    "run", "way", "model", "candidate tokens", "verdict tokens", "calls", "pairs", "tokens a pair", "accuracy",
    "beyond the run's",
]  # fmt: skip

SUMS = ("states", "decided", "calls", "verdicts", "sampled", "prompt", "seconds", "pairs", "condorcet_pairs")
WHOLES = {  # what each share is a share of
    "unreadable": "verdicts", "best": "decided", "worst": "decided", "right": "pairs",
    "condorcet_right": "condorcet_pairs",
}  # fmt: skip
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


def section(title: str, ways: Mapping[str, Any]) -> str:
    """The table of the ways on the same states; `{states}` of the title is their number."""
    rows = [[way, *(cell(ways[way], column) for column in COLUMNS)] for way in WAYS if way in ways]
    heading = title.replace("{states}", str(next(iter(ways.values()))["states"]))
    return f"## {heading}\n\n{markdown(['way', *COLUMNS.values()], rows)}"


def document(report: Mapping[str, Any]) -> str:
    """The whole report."""
    parts = ["# Ways of judging", NOTE]
    for name, tables in report["states"].items():
        for model, ways in tables.items():
            parts.append(section(f"{name}: {{states}} states, judged by {model}", ways))
    if len(tables := [one for tables in report["states"].values() for one in tables.values()]) > 1:
        parts.insert(2, section("All of them together: {states} states", together(tables)))
    if report["rounds"]:
        parts.append("## Rounds searched again with every verdict\n")
        header = ["run", "round", "verdict tokens", "of the run", "saved", "calls", "of the run", "pairs"]
        rows = []
        for name, numbers in report["rounds"].items():
            for key, one in numbers.items():
                every, own = one["every"], one["own"]
                row = [name, key, f"{every['verdicts']:,}", f"{own['verdicts']:,}", f"{100 * one['saved']:.1f}%"]
                same = "the same" if one["same"] else "others"
                rows.append([*row, f"{every['calls']:,}", f"{own['calls']:,}", f"{same} ({own['content']})"])
        parts.append(markdown(header, rows))
    if report.get("spent"):
        parts += ["## Where the sampled tokens of a round go", SPENT, markdown(SPENT_HEADER, spent_rows(report))]
    if report["trained"]:
        parts += ["## Models trained on the pairs of each way", TRAINED, markdown(TRAINED_HEADER, trained_rows(report))]
    return "\n\n".join(parts) + "\n"


def together(tables: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Numbers of every way over all states: sums, and shares of all that each is a share of, where it was measured."""
    numbers: dict[str, dict[str, Any]] = {}
    for way in tables[0]:
        each = [table[way] for table in tables]
        numbers[way] = {name: sum(one[name] for one in each) for name in SUMS}
        for name, whole in WHOLES.items():
            known = [one for one in each if name in one]
            count, hits = sum(one[whole] for one in known), round(sum(one[name] * one[whole] for one in known))
            if count:
                numbers[way] |= named(name, proportion([number < hits for number in range(count)]))
        numbers[way].pop("unreadable_se", None)  # verdicts on one state are no independent units
    return numbers


def spent_rows(report: Mapping[str, Any]) -> list[list[str]]:
    """A row a round: states and shares of the sampled tokens by what the judge made of the state."""
    rows = []
    for run, of_run in report["spent"].items():
        for key, one in of_run.items():
            total = sum(value for name, value in one.items() if name.endswith(("candidates", "verdicts")))
            kinds = ["equal candidates", "tied candidates", "tied verdicts", "decided candidates", "decided verdicts"]
            shares = [f"{100 * one.get(name, 0) / total:.0f}%" for name in kinds]
            states = " / ".join(f"{one.get(name, 0):,}" for name in ("equal", "tied", "decided"))
            rows.append([run, key, states, f"{total:,}", *shares, f"{one['pairs']:,}", f"{total / one['pairs']:,.0f}"])
    return rows


def trained_rows(report: Mapping[str, Any]) -> list[list[str]]:
    """A row a model; where a way went through several rounds, one for all of them."""
    rows = []
    for name, by_way in report["trained"].items():
        for way, rounds in by_way.items():
            for model, one in rounds.items():
                measured = [points(one, "accuracy", ".1f"), points(one, "beyond", "+.1f")]
                rows.append([name, way, model, *costs([one]), *measured])
            if len(rounds) > 1:
                rows.append([name, way, "all", *costs(list(rounds.values())), "", ""])
    return rows


def points(numbers: Mapping[str, Any], name: str, form: str) -> str:
    """A number in percent and its error; nothing where it was not measured."""
    return f"{100 * numbers[name]:{form}} ± {100 * numbers[f'{name}_se']:.1f}" if name in numbers else ""


def costs(rounds: Sequence[Mapping[str, Any]]) -> list[str]:
    """Sampled tokens of candidates and of verdicts, calls, pairs, and sampled tokens a pair, of rounds."""
    summed = {name: sum(one[name] for one in rounds) for name in ("candidates", "verdicts", "calls", "pairs")}
    a_pair = (summed["candidates"] + summed["verdicts"]) / summed["pairs"] if summed["pairs"] else None
    return [*(f"{value:,}" for value in summed.values()), "" if a_pair is None else f"{a_pair:,.0f}"]
