"""The page: one HTML file that needs nothing else, its layout in template.html.

Everything that a model wrote goes through the template's escaping, or as JSON to a script that shows it as text; the
page's policy runs that one script alone and loads nothing from anywhere.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from pipeline.report import chart, collapse, contrast, figures, judging, scaling, viewer
from pipeline.report.chart import Chart
from pipeline.report.grid import Grid, Table, measured, number, percent, words
from pipeline.report.metrics import Lineage, Metrics, difference
from pipeline.report.sources import Sources

_FOLDER = Path(__file__).parent
_KINDS = ("IFT", "EFT", "PPD")
_TOKENS = ("requests", "prompt_tokens", "sampled_tokens", "trained_tokens", "endpoint_tokens")


def html(
    metrics: Metrics, lineage: Lineage, tables: Sequence[Table], accuracy: Sequence[Chart], sources: Sources
) -> str:
    """The whole page."""
    by_name = {table.name: table for table in tables}
    script = (_FOLDER / "viewer.js").read_text(encoding="utf-8")
    rounds = viewer.embedded(sources.trees, metrics)
    steps = figures.steps(metrics, lineage)
    if printed := by_name["4-7-8-steps"].paper:
        steps.append(figures.paper_steps(printed))
    how: dict[str, Any] = {"autoescape": True, "trim_blocks": True, "lstrip_blocks": True}
    environment = Environment(loader=FileSystemLoader(_FOLDER), undefined=StrictUndefined, **how)
    return environment.get_template("template.html").render(
        style=Markup((_FOLDER / "chart.css").read_text("utf-8") + (_FOLDER / "style.css").read_text("utf-8")),
        script=Markup(script),
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        facts=_facts(metrics, lineage, sources),
        findings=_findings(metrics, lineage),
        contrasts=[one.sentence() for one in contrast.arms(metrics, lineage)],
        alarms=collapse.alarms(metrics),
        tables=by_name,
        charts={
            "accuracy": _drawn(accuracy),
            "judge": _drawn([*figures.judge(metrics, lineage), *judging.reliability(metrics)]),
            "steps": _drawn(steps),
            "scaling": _drawn(scaling.curves(metrics)),
            "training": _drawn(figures.losses(sources.losses)),
        },
        heat_maps=viewer.heat_maps(metrics),
        maps=_maps(sources),
        embedding=sources.embedding,
        neighbours=_neighbours(sources),
        rounds=rounds,
        trees=Markup(_json(rounds)),
        ledger=sources.ledger,
        provenance=sources.provenance,
        runs=_runs(sources),
    )


def _json(value: Any) -> str:
    """JSON that no HTML parser can mistake for markup."""
    text = json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _drawn(charts: Sequence[Chart]) -> list[dict[str, Any]]:
    """Each chart with its legend and its data."""
    return [
        {
            "title": one.title,
            "svg": Markup(chart.svg(one)),
            "legend": _legend([series.name for series in one.series]) if len(one.series) > 1 else [],
            "data": figures.data(one),
        }
        for one in charts
    ]


def _facts(metrics: Metrics, lineage: Lineage, sources: Sources) -> list[tuple[str, str]]:
    """What this run is, in a few lines."""
    parts = next(iter(metrics.values()))["evaluation"]
    sets = ", ".join(f"{split} {part['problems']}" for split, part in parts.items() if split != "pooled")
    searched = [stats["search"] for stats in metrics.values() if "search" in stats]
    facts = [(f"Models ({name})", " → ".join(chain)) for name, chain in lineage.chains().items()]
    if lineage.variants:
        variants = [f"{model} ({lineage.methods[model]}, from {lineage.starts[model]})" for model in lineage.variants]
        facts.append(("Variants", ", ".join(variants)))
    base = "the embedded world's, as shipped" if sources.base == "shipped" else sources.base
    facts += [("Base model", base), ("Evaluation", f"{parts['pooled']['problems']} problems ({sets})")]
    if searched:
        totals = {name: sum(stats.get(name, 0) for stats in searched) for name in ("problems", "states", "verdicts")}
        totals["preference pairs"] = sum(stats["pairs"]["pairs"] for stats in metrics.values() if "pairs" in stats)
        facts.append(("Searches", ", ".join(f"{count:,} {name}" for name, count in totals.items())))
    return [*facts, ("Seed", str(sources.seed))]


def _findings(metrics: Metrics, lineage: Lineage) -> list[dict[str, str]]:
    """The accuracy of each chain's first and last trained model, and a plain word on the difference."""
    findings = []
    for name, chain in lineage.chains().items():
        if ends := lineage.trained(chain):
            delta = difference(*(metrics[model] for model in ends))
            change, error = delta["delta_average"], delta["delta_average_se"]
            before, after = (percent(metrics[model]["average"]["accuracy"]).text for model in ends)
            finding = {"method": name, "first": ends[0], "last": ends[1], "before": before, "after": after}
            word = "beyond" if abs(change) > 2 * error else "within"
            findings.append(finding | {"change": percent(change, error, "+").text, "word": word})
    return findings


def _maps(sources: Sources) -> list[dict[str, Any]]:
    maps = []
    for panel, kinds in sources.points.items():
        ordered = [(kind, kinds[kind]) for kind in _KINDS if kind in kinds]
        drawn = Markup(chart.scatter(f"Figure 2, {panel}", ordered))
        maps.append({"title": panel, "svg": drawn, "legend": _legend([kind for kind, _ in ordered])})
    return maps


def _legend(names: Sequence[str]) -> list[tuple[Markup, str]]:
    return [(Markup(chart.legend_mark(index)), name) for index, name in enumerate(names)]


def _neighbours(sources: Sources) -> Grid:
    kinds = [kind for kind in _KINDS if kind in sources.embedding["texts"]]
    rows = []
    for panel, shares in sources.embedding["neighbours"].items():
        for kind in kinds:
            rows.append((words(panel), words(kind), *(measured(shares[kind], other) for other in kinds)))
    return Grid(("texts", "neighbours of", *(f"{kind}, %" for kind in kinds)), tuple(rows))


def _runs(sources: Sources) -> Grid:
    """Seconds and tokens of every stage's last run, and their sums."""
    runs = list(sources.provenance.runs.values())
    if not runs:
        return Grid((), ())
    total = {name: sum(run.get(name, 0) for run in runs) for name in ("seconds", *_TOKENS)}
    rows = []
    for run in [*runs, {"stage": "all", "begun": "", **total}]:
        amounts = [words(f"{run[token]:,}" if run.get(token) else "–") for token in _TOKENS]
        rows.append((words(run["stage"]), words(run["begun"]), number(run["seconds"], 1), *amounts))
    return Grid(("stage", "begun (UTC)", "seconds", *(token.replace("_", " ") for token in _TOKENS)), tuple(rows))
