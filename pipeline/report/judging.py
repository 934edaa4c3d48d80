"""What a report says of the judges: Tables 3 and 6 of the paper, and what our run adds to them."""

from __future__ import annotations

from typing import Any

from pipeline.report.chart import SERIES, Chart, Point, Series
from pipeline.report.grid import Grid, Table, amount, counted, grid, measured, number, percent, words
from pipeline.report.metrics import PAIRS, SCORES, Lineage, Metrics, judged


def accuracy(metrics: Metrics, paper: Grid) -> Table:
    """Every model that judged the held-out pairs, and beside it the verdicts of its own search."""
    searches = [stats["verdicts"] for stats in metrics.values() if stats.get("verdicts", {}).get("verdicts")]
    shares = ("consistency", "ties", "unreadable")
    rows = []
    for model, stats in metrics.items():
        if judge := judged(stats, PAIRS):
            pairs = judge["pairs"]
            own: dict[str, Any] = next((search for search in searches if search["judge"] == model), {})
            row = [words(model), number(judge["shots"]), number(pairs), measured(judge, "judge_accuracy")]
            row += [counted(judge["judge_accuracy_swapped"], pairs), measured(judge, "consistency")]
            row += [counted(judge.get("ties"), pairs), counted(judge["unreadable"], pairs)]
            rows.append([*row, number(own.get("verdicts")), *(measured(own, name) for name in shares)])
    header = ["model", "shots", "pairs", "accuracy", "accuracy, swapped", *shares]
    header += [f"on policy: {name}" for name in ("verdicts", *shares)]
    note = (
        "Each model as a judge of held-out pairs of steps, percent with one standard error. A tie and an unreadable "
        "verdict count as wrong. Consistency: the same verdict when the two candidates change places. The paper's M0 "
        "is measured 3-shot, as ours where shots says so. On policy: the verdicts of the round it searched. Of a "
        "held-out pair one step is right; a search asks where its model wavers, often about two wrong ones."
    ) + _too_long(metrics, PAIRS)
    return Table("3-judge", "Table 3. Accuracy of the judge", note, grid(header, rows), paper)


def _too_long(metrics: Metrics, measure: str) -> str:
    """What of its held-out rows a model was not asked, where that was any."""
    judges = {model: judged(stats, measure) for model, stats in metrics.items()}
    shares = {model: judge["too_long"] for model, judge in judges.items() if judge.get("too_long")}
    each = ", ".join(f"{words(model)} {share:.0%}" for model, share in shares.items())
    return f" Not asked, and wrong, because the prompt is longer than the context: {each}." if each else ""


def ways(metrics: Metrics, lineage: Lineage, paper: Grid) -> Table:
    """Pairs of steps against scores of whole solutions, and people's labels where there are any."""
    rows = []
    for chain in lineage.chains().values():
        pairs, scores = (judged(metrics[chain[-1]], measure) for measure in (PAIRS, SCORES))
        for way, quality, agreement in (
            ("step-wise pairwise comparison", pairs, PAIRS),
            ("step-wise pairwise comparison, people’s labels", pairs.get("human"), PAIRS),
            ("scoring of whole solutions", scores, SCORES),
        ):
            if quality:
                cells = [amount(quality, name, 2) for name in ("consistency", agreement)]
                rows.append([words(chain[-1]), words(way), *cells])
    note = (
        "The last model of each method on held-out rows; labels: the annotator's, and people's in the pairs made of "
        "their step ratings, which have a line of their own. Agreement: for pairs, of the verdict; for scores, of the "
        "order of two solutions to one problem that the annotator scored differently. Consistency: under swapped "
        "order; for scores, all samples of a judgment give one score. "
    )
    if not any(judged(stats, SCORES) for stats in metrics.values()):
        note += "Nothing here stands beside the paper's scoring of whole solutions: no model of this run scored any."
    header = ["judge", "way of judging", "consistency", "agreement with labels"]
    return Table("6-ways-of-judging", "Table 6. Ways of judging", note, grid(header, rows), paper)


def scorers(metrics: Metrics) -> Table:
    """Every model that scored held-out solutions."""
    rows = []
    for model, stats in metrics.items():
        if scorer := judged(stats, SCORES):
            shares = [measured(scorer, name) for name in ("score_accuracy", "order_accuracy", "consistency")]
            sizes = [number(scorer["shots"]), number(scorer["solutions"]), number(scorer["ordered_pairs"])]
            rows.append([words(model), *sizes, *shares, percent(scorer["unreadable"])])
    header = ["model", "shots", "solutions", "pairs", "same score", "same order", "consistency", "unreadable"]
    note = (
        "Each model as a scorer of held-out whole solutions, 0 to 5, percent with one standard error. Same score, same "
        "order: as the annotator's. An unreadable judgment counts against all three."
    ) + _too_long(metrics, SCORES)
    return Table("scorers", "Scorers of whole solutions", note, grid(header, rows))


def calibration(metrics: Metrics) -> Table:
    """Log-odds of the verdict letters against what was right."""
    rows = []
    for model, stats in metrics.items():
        if (known := judged(stats, PAIRS).get("calibration")) and known["pairs"]:
            sizes = [number(known[name]) for name in ("pairs", "without")]
            shares = [measured(known, name) for name in ("accuracy", "error")]
            rows.append([words(model), *sizes, *shares, amount(known, "brier", 3), amount(known, "first", 2)])
    header = ["model", "pairs", "without", "accuracy", "calibration error", "Brier score", "log-odds for the first"]
    note = (
        "How far the verdicts on held-out pairs can be trusted: log-odds (natural) of A against B where the verdict "
        "stands, after the judge's own words, mean of both orders. Without: pairs in which a verdict could not be "
        "read. Accuracy: the likelier step is the better one, percent. Calibration error: mean distance of confidence "
        "and accuracy over five bins, percentage points. Brier score: 0.25 for a coin. Log-odds for the first: for "
        "whichever step is shown first, 0 without position bias. One standard error each."
    )
    return Table("judge-calibration", "Calibration of the judge", note, grid(header, rows))


def reliability(metrics: Metrics) -> list[Chart]:
    """Share of right verdicts against confidence, one line a model (the last ones, where colours run out)."""
    lines = []
    for model, stats in metrics.items():
        if bins := judged(stats, PAIRS).get("calibration", {}).get("bins"):
            points = [
                Point(100 * b["confidence"], 100 * b["accuracy"], f"{b['pairs']} pairs", 100 * b["accuracy_se"])
                for b in bins
            ]
            lines.append(Series(model, tuple(points)))
    if not lines:
        return []
    shown = (*lines[1 - SERIES :], Series("calibrated", (Point(50, 50, ""), Point(100, 100, ""))))
    return [Chart("right verdicts by confidence", "confidence, %", "right, %", shown, False, (0, 100), labels=False)]


def verdicts(metrics: Metrics) -> Table:
    """The verdicts of the searches, whether or not they were right."""
    rows = []
    names = ["unreadable", "ties", "consistency", "decided", "named_a", "cyclic", "longer_wins"]
    for model, stats in metrics.items():
        if (search := stats.get("verdicts")) and search["verdicts"]:
            row = [words(search["judge"]), words(model), number(search["verdicts"])]
            row += [measured(search, name) for name in names]
            rows.append([*row, number(search["triples"]), amount(search, "length_correlation", 2)])
    header = [
        "judge", "round of", "verdicts", "unreadable", "ties", "consistency", "decided", "names A", "cyclic",
        "longer wins", "triples", "length correlation",
    ]  # fmt: skip
    note = (
        "Verdicts of the states that were drawn to be judged in full (`psrlm.search.judge.full`), percent with one "
        "standard error (jackknife over problems). Decided: pairs whose verdicts name one winner. Names A: share of "
        "the verdicts for one candidate that name the one shown first, 50 without position bias. Cyclic: triples of "
        "decided pairs in which each candidate wins once; a coin gives 25. Longer wins: decided pairs of unequal "
        "length won by the longer step. Length correlation: of a win with the difference in characters."
    )
    return Table("judge-diagnostics", "Judge diagnostics", note, grid(header, rows))
