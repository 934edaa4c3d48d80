"""`psr show`: rows of any Parquet file of the pipeline, readable on a terminal; a search as a tree.

The file's columns say which record it holds. Rows are filtered before they are read into memory.
"""

from __future__ import annotations

import argparse
import dataclasses
import inspect
import json
import os
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import polars as pl
from rich.text import Text
from rich.tree import Tree as Drawing

from pipeline.core import files, records
from pipeline.core.errors import PipelineError
from pipeline.core.records import Answered, JudgedPair, LabelledSolution, Node, Preference, SearchTree, State, Tree
from pipeline.core.terminal import open_console, visible
from pipeline.data.rollouts import RolloutStep
from pipeline.methods.psrlm.measure import Weighed
from pipeline.methods.srlm.measure import Estimate

RECORDS = [kind for _, kind in inspect.getmembers(records, dataclasses.is_dataclass)]
KINDS: list[Any] = [*RECORDS, Weighed, Estimate, RolloutStep]
KEYS = ("problem_id", "pair_id", "key")  # the columns that say which problem a row belongs to
OUTCOMES = ("end", "grade", "reason", "rule", "winner")
JUDGMENTS = ("judgment", "straight_text", "swapped_text", "verdicts")
GOOD, BAD, BACK = "green", "red", "yellow"
MARK = {True: "✓", False: "✗", None: " "}
COLOUR = {True: GOOD, False: BAD, None: ""}
MEANINGS = {  # of the outcomes of a state
    "step": "best step appended, best and worst are a pair",
    "single": "one distinct candidate, appended, no pair",
    "tie": "↩ tie, all candidates equal: rolls back one step",
    "forced": "tie with no rollback left: most votes appended, no pair",
    "none": "no usable candidate: the search ends",
}


def add_command(commands: Any) -> None:
    """Add `show` to the subcommands of `psr`."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "show",
        help="rows of a data file, readable; a search as a tree",
        description="Reads a Parquet file of the pipeline (trees, pairs, answers, dropped rows ...) or its folder and "
        "prints it, through the pager on a terminal; writes nothing.",
    )
    parser.add_argument("path", type=Path, help="a Parquet file, or a folder with one file or a train.parquet")
    parser.add_argument("--problem", metavar="ID", help="rows of one problem: its id, or the number its id ends with")
    parser.add_argument("--step", type=int, metavar="N", help="rows and states that decide step N")
    parser.add_argument("--state", type=int, metavar="K", help="of a search, the state visited as number K")
    parser.add_argument("--outcome", metavar="WORD", help="rows that ended so (answer, tie, wrong, gap, margin ...)")
    parser.add_argument("--text", metavar="TEXT", help="rows in which this text stands")
    parser.add_argument("--judgments", action="store_true", help="the judge's words too")
    parser.add_argument("--skip", type=int, default=0, metavar="N", help="leave out the first N")
    parser.add_argument("--limit", type=int, default=20, metavar="N", help="rows at most (20); 0: all")
    parser.set_defaults(run=_run)


def _run(args: argparse.Namespace) -> None:
    path = data_file(args.path)
    kind = kind_of(path)
    matches = matching(path, kind, args.problem, args.step, args.outcome, args.text)
    rows = matches.slice(args.skip, args.limit or None).collect().to_dicts()
    console = open_console()
    os.environ.setdefault("LESS", "FRX")  # as git does: colours pass, one screen needs no key
    with console.pager(styles=True) if console.is_terminal else nullcontext():
        for number, row in enumerate(rows, 1 + args.skip):
            try:
                console.print(drawn(files.record(kind, row), args.state, args.step, args.judgments))
            except PipelineError as error:
                raise PipelineError(f"{path}: matching row {number}: {error}; make the file again") from error
        count = matches.select(pl.len()).collect().item()
        last = args.skip + len(rows)
        more = f"; --skip {last} shows the next" if last < count else ""
        console.print(f"{path}: {len(rows)} of {count} matching rows ({kind.__name__}){more}")


def data_file(path: Path) -> Path:
    """The file meant by a path: itself, the only Parquet file of a folder, or its train.parquet.

    Raises PipelineError if there is none, or several without a train.parquet.
    """
    if path.is_file():
        return path
    tables = sorted(path.glob("*.parquet"))
    chosen = tables if len(tables) == 1 else [file for file in tables if file.name == "train.parquet"]
    if not path.is_dir() or not tables:
        raise PipelineError(f"{path}: no Parquet file there; run `dvc repro` for the stage that makes it")
    if not chosen:
        raise PipelineError(f"{path}: name one of its files: {', '.join(file.name for file in tables)}")
    return chosen[0]


def kind_of(path: Path) -> Any:
    """The record type whose columns a Parquet file has; PipelineError if it is none of the pipeline's."""
    try:
        names = list(pl.read_parquet_schema(path))
    except pl.exceptions.ComputeError as error:
        raise PipelineError(f"{path}: not a readable Parquet file ({error}); make it again") from error
    for kind in KINDS:
        if files.schema(kind).names == names:
            return kind
    raise PipelineError(f"{path}: columns {', '.join(names)} are no record of this pipeline's version; make it again")


def matching(
    path: Path, kind: Any, problem: str | None, step: int | None, outcome: str | None, text: str | None
) -> pl.LazyFrame:
    """The rows that pass every filter given, unread as yet.

    Raises PipelineError for a filter on something that this kind of row does not have.
    """
    rows = pl.scan_parquet(path)
    names = files.schema(kind).names
    if problem is not None:
        (key, *_) = [name for name in KEYS if name in names]
        owner = pl.col(key).str.split("/").list.first()
        rows = rows.filter((owner == problem) | owner.str.extract(r"(\d+)$").cast(pl.Int64).cast(pl.String).eq(problem))
    if step is not None and kind is not Tree:
        if "step_index" not in names and "steps" not in names:
            raise PipelineError(f"--step: rows of {path} ({kind.__name__}) decide no step; leave it out")
        rows = rows.filter((pl.col("step_index") if "step_index" in names else pl.col("steps").list.len() + 1) == step)
    if outcome is not None:
        meant = [pl.col(name) == outcome for name in OUTCOMES if name in names]
        if kind is Tree:
            meant.append(pl.col("states").list.eval(pl.element().struct.field("outcome") == outcome).list.any())
        if not meant:
            raise PipelineError(f"--outcome: rows of {path} ({kind.__name__}) have none; leave it out")
        rows = rows.filter(pl.any_horizontal(meant))
    if text is not None:
        written = json.dumps(text, ensure_ascii=False)[1:-1]
        rows = rows.filter(pl.struct(pl.all()).struct.json_encode().str.contains(written, literal=True))
    return rows


def drawn(row: Any, state: int | None, step: int | None, judgments: bool) -> Drawing:
    """A row as it is printed."""
    if isinstance(row, Tree):
        return _search(row, state, step, judgments)
    if isinstance(row, SearchTree):
        return _monte_carlo(row)
    return _card(row, judgments)


def _search(tree: Tree, only: int | None, step: int | None, judgments: bool) -> Drawing:
    """A step search: its states in the order of the visits, under each its candidates."""
    drawing = Drawing(_title(tree.problem_id, f"{len(tree.states)} states", f"end: {tree.end}"))
    drawing.add(Text(visible(tree.prompt), style="italic"))
    for index, state in enumerate(tree.states):
        if only in (None, index) and step in (None, len(state.steps) + 1):
            _state(drawing, index, state, judgments)
    return drawing


def _state(drawing: Drawing, index: int, state: State, judgments: bool) -> None:
    colour = BACK if state.outcome in ("tie", "forced", "none") or state.discarded else "bold"
    back = "; taken back by a later rollback, its pair too" if state.discarded else ""
    outcome = MEANINGS[state.outcome] + back
    branch = drawing.add(Text(f"state {index}, step {len(state.steps) + 1}: {outcome}", style=colour))
    for number, candidate in enumerate(state.candidates):
        good = {state.best: True, state.worst: False}.get(number)
        usable = "" if candidate.usable else f", unusable: {candidate.finish}"
        scores = f"wins {candidate.score:g}, votes {candidate.votes}{usable}"
        text = (visible(candidate.text), COLOUR[good])
        branch.add(Text.assemble(f"{MARK[good]} {number} ", (f"[{scores}] ", "dim"), text))
    if judgments and state.verdicts:
        words = branch.add(Text("judgments", style="dim"))
        for verdict in state.verdicts:
            odds = "" if verdict.log_odds is None else f" (log-odds {verdict.log_odds:.2f})"
            label = f"{verdict.winner or 'unreadable'}{odds}{', reused' * verdict.reused}"
            words.add(Text(f"A={verdict.a} B={verdict.b}: {label} | {visible(verdict.text)}", style="dim"))
    if judgments and state.not_needed:
        branch.add(Text(f"{state.not_needed} verdicts not needed", style="dim"))


def _monte_carlo(tree: SearchTree) -> Drawing:
    """A Monte-Carlo tree; among siblings the most and the least probable step are marked (paper, section 3.2)."""
    drawing = Drawing(_title(tree.problem_id, f"{len(tree.nodes)} nodes", f"end: {tree.end}"))
    drawing.add(Text(visible(tree.prompt), style="italic"))
    children: dict[int, list[tuple[int, Node]]] = {}
    for index, node in enumerate(tree.nodes):
        children.setdefault(node.parent, []).append((index, node))

    def grow(branch: Drawing, parent: int) -> None:
        siblings = children.get(parent, [])
        scores = [node.score for _, node in siblings]
        for index, node in siblings:
            good = {max(scores): True, min(scores): False}.get(node.score) if min(scores) < max(scores) else None
            numbers = f"P(+) {node.score:.2f}, {node.visits} visits, value {node.value:.2f}"
            line = Text.assemble(f"{MARK[good]} ", (f"[{numbers}] ", "dim"), (visible(node.step), COLOUR[good]))
            grow(branch.add(line), index)

    grow(drawing, 0)
    for candidate in tree.unusable:
        drawing.add(Text(f"unusable: {candidate.finish} | {visible(candidate.text)}", style="dim"))
    return drawing


def _card(row: Any, judgments: bool) -> Drawing:
    """Any other row: its key and numbers, then its texts one below the other, good and bad ones marked."""
    hidden = (*KEYS, "labels") if judgments else (*KEYS, "labels", *JUDGMENTS)
    shown = {name: value for name, value in vars(row).items() if name not in hidden}
    texts = {n: v if isinstance(v, tuple) else (v,) for n, v in shown.items() if isinstance(v, str | tuple)}
    numbers = [f"{name} {files.rounded(value)}" for name, value in shown.items() if name not in texts]
    drawing = Drawing(_title(*(getattr(row, name) for name in KEYS if hasattr(row, name)), *numbers))
    marks = _marks(row)
    width = max(map(len, texts), default=0)
    for name, parts in texts.items():
        for index, (good, part) in enumerate(zip(marks.get(name, [None] * len(parts)), parts, strict=True)):
            title = (f"{MARK[good]} {'' if index else name:{width}} ", "dim")
            drawing.add(Text.assemble(title, (visible(str(part)), COLOUR[good])))
    return drawing


def _marks(row: Any) -> Mapping[str, Sequence[bool]]:
    """Which of a row's texts are good and which bad."""
    if isinstance(row, Preference):
        return {"chosen": [True], "rejected": [False]}
    if isinstance(row, JudgedPair) and row.winner in ("A", "B"):
        return {"a": [row.winner == "A"], "b": [row.winner == "B"]}
    if isinstance(row, LabelledSolution):
        return {"completions": row.labels}
    if isinstance(row, Answered):
        return {"grade": [row.grade == "right"]}
    return {}


def _title(*parts: str) -> Text:
    return Text(visible(" · ".join(parts)), style="bold")
