"""`psr compare`: two models of one run, or two runs, side by side; differences counted in standard errors."""

from __future__ import annotations

import argparse
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from pipeline.cli.compare.rows import Row, rows_of
from pipeline.cli.compare.runs import WORKSPACE, Run
from pipeline.core.errors import PipelineError
from pipeline.core.terminal import markdown, open_console


def add_command(commands: Any) -> None:
    """Add `compare` to the subcommands of `psr`."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "compare",
        help="two models or two runs side by side, differences in standard errors",
        description="Prints tables of accuracy, judge, solutions, search and pairs with differences in standard "
        "errors; Markdown when piped. Reads the statistics and answers that DVC keeps; writes nothing.",
    )
    parser.add_argument("before", help=f"a model (m1), a git revision, a DVC experiment, or `{WORKSPACE}`")
    parser.add_argument("after", help="another of the same kind")
    parser.set_defaults(run=lambda args: compare(args.before, args.after))


def compare(before: str, after: str) -> None:
    """Print the tables for two models of the workspace, or for every model that two runs share.

    Raises PipelineError for an unknown name, and for a model beside a run.
    """
    console = open_console()
    here = Run(WORKSPACE)
    models = [name for name in (before, after) if name in here.models]
    if len(models) == 2:
        _print(console, before, after, list(rows_of(here, before, here, after)))
    elif models:
        (other,) = {before, after} - set(models)
        raise PipelineError(f"{other}: no model beside {models[0]}; give two of {', '.join(here.models)}, or two runs")
    else:
        _compare_runs(console, Run(before), Run(after))


def _compare_runs(console: Console, before: Run, after: Run) -> None:
    for run in (before, after):
        if not run.models:
            raise PipelineError(f"{run.name}: no model's statistics there; `dvc repro`, then commit what it wrote")
    shared = [model for model in before.models if model in after.models]
    rows, same = list[Row](), list[str]()
    for model in shared:
        one, other = before.metrics[model], after.metrics[model]
        # of an experiment that stopped early, the sections that no stage made anew
        equal = [section for section in one if section in other and one[section] == other[section]]
        rows += rows_of(before, model, after, model, f"{model} ", equal)
        if one == other:
            same.append(model)
        elif equal:
            same.append(f"{model} ({', '.join(equal)})")
    _print(console, before.name, after.name, rows)
    of_one = {f"only in {run.name}": [m for m in run.models if m not in shared] for run in (before, after)}
    for title, models in {"the same in both": same, **of_one}.items():
        if models:
            console.print(f"{title}: {', '.join(models)}")


def _print(console: Console, before: str, after: str, rows: list[Row]) -> None:
    header = ["", before, after, "difference", "standard errors", "paired"]
    for title in dict.fromkeys(row.table for row in rows):
        cells = [_cells(row) for row in rows if row.table == title]
        if console.is_terminal:
            table = Table(*header, title=title, title_justify="left", box=box.SIMPLE_HEAD)
            for column in table.columns[1:]:
                column.justify = "right"
            for line in cells:
                table.add_row(*line)
            console.print(table)
        else:
            console.print(f"## {title}\n\n{markdown(header, cells)}\n")


def _cells(row: Row) -> list[str]:
    change, error = row.after - row.before, row.errors[2]
    return [
        row.name,
        _number(row.before, row.errors[0], row.unit, ""),
        _number(row.after, row.errors[1], row.unit, ""),
        _number(change, error, row.unit, "+"),
        f"{change / error:+.1f}" if error else "-",
        ("yes" if row.pairs else "no") if error else "-",
    ]


def _number(value: float, error: float | None, unit: float, sign: str) -> str:
    digits = 0 if isinstance(value, int) else 1 if unit == 100 else 2
    text = f"{value * unit:{sign}.{digits}f}"
    return text if error is None else f"{text} ± {error * unit:.{digits}f}"
