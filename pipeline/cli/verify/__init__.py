"""`psr verify`: whether a run is what dvc.lock says, and whether its files say the same about each other."""

from __future__ import annotations

import argparse
import itertools
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from pipeline.cli.verify import counts, outputs, rounds, rows, weights
from pipeline.core import files, plugins
from pipeline.core.errors import PipelineError
from pipeline.data import table_faults
from pipeline.publish.lock import Lock

_OF_ONE = 20  # lines about one file at most
_EVALUATION, _MODEL = "evaluation.parquet", "model"


def add_command(commands: Any) -> None:
    """Add `verify` to the subcommands of `psr`."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "verify",
        help="check every output against dvc.lock, and all rows and weights against each other",
        description="Reads every output that dvc.lock records and says what does not hold, a line each with file and "
        "row (counted from 0), exit code 1: its hash; the types of its rows; each pair, drop, verdict and score "
        "against its search; problems that its stage did not have; evaluation problems in training; statistics; "
        "models that are not whole or not finite. Writes nothing. Outputs lie where it is started.",
    )
    parser.add_argument("--lock", type=Path, default=Path("dvc.lock"), help="the file that records the run (dvc.lock)")
    parser.add_argument("--graph", type=Path, default=Path("dvc.yaml"), help="the graph whose stages count (dvc.yaml)")
    parser.add_argument("--cache", type=Path, default=Path(".dvc/cache"), help="DVC's, which names a folder's files")
    parser.set_defaults(run=_run)


def _run(args: argparse.Namespace) -> None:
    recorded = outputs.stages(Lock(args.lock), args.graph)
    lines = list(capped(faults(recorded, args.cache)))
    if lines:
        raise PipelineError("\n".join(lines))
    count = sum(len(stage.get("outs", ())) for stage in recorded.values())
    print(f"{args.lock}: {count} outputs of {len(recorded)} stages are what it says and agree with each other")


def capped(lines: Iterable[str]) -> Iterator[str]:
    """The lines, at most `_OF_ONE` of one file, and how many more there are."""
    seen: Counter[str] = Counter()
    for line in lines:
        seen[name := line.partition(": ")[0]] += 1
        if seen[name] <= _OF_ONE:
            yield line
    yield from (f"{name}: {count - _OF_ONE} lines more" for name, count in seen.items() if count > _OF_ONE)


def faults(stages: dict[str, Any], cache: Path) -> Iterator[str]:
    """All that does not hold, a line each. stages: those of dvc.lock by name; cache: DVC's."""
    for stage in stages.values():
        yield from outputs.faults(stage, cache)
    yield from outputs.mixed(stages)
    used = {key for name in stages for stage, _, key in [name.partition("@")] if stage in ("eft", "eft_search")}
    # record types of methods outside the library
    roles = ("eft_search", "eft", "measure")
    parts = [(name, role) for name in sorted(used) for role in roles if plugins.has(rounds.METHODS, name, role)]
    more = [plugins.part(rounds.METHODS, *part).Row for part in parts]
    sound = set[Path]()
    for path in (path for stage in stages.values() for path in rows.tables(stage)):
        yield from rows.faults(path, more, sound)
    yield from _foreign(stages, sound)
    for name, stage in stages.items():
        stats = _statistics(stage)
        try:
            yield from _of_stage(*name.partition("@")[::2], stage, sound, stats)
            yield from _counted(name, stage, sound, stats)
        except PipelineError as error:
            yield str(error)
        except (
            ArithmeticError,
            AssertionError,
            LookupError,
            TypeError,
            ValueError,
        ) as error:  # of rows that fit no code
            yield f"{name}: its files do not fit together ({type(error).__name__}: {error}); `dvc repro --force {name}`"
        for out in stage.get("outs", ()):
            if Path(out["path"]).name == _MODEL:
                yield from weights.faults(Path(out["path"]), _start(name, stage))


def _start(name: str, stage: Any) -> Path | None:
    """The model folder that a training began with; None for what was adopted or trained anew."""
    models = [path for dep in stage.get("deps", ()) if (path := Path(dep["path"])).name == _MODEL]
    return models[0] if models and name.partition("@")[0] in ("sft", "dpo", "dpo_variant") else None


def _given(stage: Any, sound: set[Path]) -> Iterator[Path]:
    """The tables that a stage had."""
    had = [Path(dep["path"]) for dep in stage.get("deps", ())]
    return (path for path in sound if any(path == place or place in path.parents for place in had))


def _statistics(stage: Any) -> rounds.Statistics | None:
    """A stage's statistics; None for a stage without."""
    paths = (Path(out["path"]) for out in stage.get("outs", ()))
    return next((rounds.Statistics(path) for path in paths if path.suffix == ".json"), None)


def _foreign(stages: dict[str, Any], sound: set[Path]) -> Iterator[str]:
    """Rows of problems that their stage did not have, and evaluation problems in training."""
    held = [rows.Held(path) for path in sound if path.name == _EVALUATION]
    for name, stage in stages.items():
        known = rows.keys(_given(stage, sound))
        for path in (path for path in rows.tables(stage) if path in sound):
            if known:
                yield from rows.strangers(path, known)
            if name.partition("@")[0] not in rows.MEASURED and path.name != _EVALUATION:
                yield from itertools.chain.from_iterable(one.faults(path) for one in held)


def _counted(name: str, stage: Any, sound: set[Path], stats: rounds.Statistics | None) -> Iterator[str]:
    """Statistics of a stage against its rows, and gold answers that no round may see; only where all are read."""
    own = {path.stem: path for path in rows.tables(stage)}
    given = {path.stem: path for path in _given(stage, sound)}
    if not own or not set(own.values()) <= sound or stats is None or not stats.path.exists():
        return
    yield from counts.faults(name, stage, own, given, stats)
    variants = stage.get("params", {}).get("params.yaml", {}).get("variants") or {}
    for role, path in own.items():
        if name == "problems" and (model := role.removeprefix("round-")) != role:
            yield from table_faults.golden(path, gold=variants.get(model, {}).get("gold", False))


def _of_stage(kind: str, key: str, stage: Any, sound: set[Path], stats: rounds.Statistics | None) -> Iterator[str]:
    """What the files of one stage must have in common with those that they were made from; only where all are read."""
    outs = [Path(out["path"]) for out in stage.get("outs", ())]
    deps = [Path(dep["path"]) for dep in stage.get("deps", ())]
    tables = list(rows.tables(stage))
    before = [path for path in sorted(sound) if any(place in path.parents for place in deps)]
    if not tables or not set(tables) <= sound or not all(path.exists() for path in outs):
        return
    named = {path.name: path for path in tables}
    name = stage.get("params", {}).get("params.yaml", {}).get(f"rounds.{key}", {}).get("method")
    match kind:
        case "search" if check := rounds.part(name, "searched"):
            method, folder = plugins.part(rounds.METHODS, name, "search"), tables[0].parent
            for place, what in check(folder, rounds.section(stage, f"{name}.search", method.Search, key)):
                yield f"{folder / method.FILE}: {place}: {what}"
            if stats:
                yield from rounds.unspent_by(folder / method.FILE, stats)
        case "eft_search" if (check := rounds.part(key, "explored")) and tables:
            for place, what in check(tables[0].parent):
                yield f"{tables[0]}: {place}: {what}"
        case "eft" if check := rounds.part(key, "annotated"):
            method = plugins.part(rounds.METHODS, key, "eft")
            trees = next((path.parent for path in before), None)
            for path in (path for path in tables if path.stem in ("train", "test") and trees):
                for number, row, what in check(files.rows(path, method.Row), trees):
                    yield f"{path}: row {number} ({row}): {what}"
        case "pairs" | "variant" if "train.parquet" in named and stats:
            pairs, dropped = named["train.parquet"], next(path for path in tables if path in outs)
            if kind == "pairs" and before:
                method = plugins.part(rounds.METHODS, name, "pairs")
                settings = rounds.section(stage, f"{name}.pairs", method.Pairs, key)
                yield from rounds.faults(method.preferences(before[0].parent, settings, key), pairs, dropped)
            yield from rounds.miscounted(pairs, dropped, stats)
        case "scale" if "trees.parquet" in named and stats:
            yield from rounds.unspent(named["trees.parquet"], stats)
