"""Whether the rounds still teach something: what there was to choose from, and what their judges made of it."""

from __future__ import annotations

from pipeline.report.grid import Table, counted, grid, measured, number, percent, words
from pipeline.report.metrics import Metrics

_HEADER = (
    "model", "candidates a state", "single", "no choice", "tied", "two candidates", "of these decided",
    "entropy of verdicts", "agrees with the last judge", "may learn from noise",
)  # fmt: skip
_NOTE = (
    "Of each round's search, percent. Candidates: distinct ones, of a state. Single: states with fewer than two usable "
    "candidates; no choice: problems with no other state. Tied: of the other states, those whose candidates all won "
    "equally often. Decided: states with just two candidates of which both orders name one; a coin decides half. "
    "Entropy: of A, B and tie (SRLM: of the scores), in bits; 0 where all verdicts are the same, 1.58 where A, B and "
    "tie are equally frequent. Agrees: verdicts on the held-out rows that are also those of the last round's judge; on "
    "the states of a search a variant of kind `cream` asks it. Noise: by `alarm` of params.yaml."
)


def table(metrics: Metrics) -> Table:
    """The signs of every round, and why one may learn from noise."""
    rows = []
    for model, stats in metrics.items():
        if search := stats.get("search"):
            row = [words(model), number(search.get("candidates_per_state"), 2)]
            row += [percent(search.get(name)) for name in ("single", "no_choice", "tied")]
            row.append(number(search.get("two_candidates")))
            row.append(counted(search.get("decided_of_two"), search.get("two_candidates", 0)))
            row += [number(search.get("entropy"), 2), measured(stats.get("verdicts", {}), "agreement")]
            rows.append([*row, words(stats.get("pairs", {}).get("alarm") or "–")])
    return Table("collapse", "Signs of collapse", _NOTE, grid(_HEADER, rows))


def alarms(metrics: Metrics) -> list[str]:
    """A sentence for each round that may learn from noise."""
    raised = {model: stats.get("pairs", {}).get("alarm") for model, stats in metrics.items()}
    return [f"{model} may learn from noise: {line}." for model, line in raised.items() if line]
