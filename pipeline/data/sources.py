"""Rows of problem files, one at a time: local files by name, folder or glob, a dataset of the Hub or of reasoning-gym.

Memory stays that of one batch, however long the source is (a JSON array alone is held whole). `known.yaml` is the table
of published data sets that a source can name instead of saying where they lie and how their columns are called.
"""

from __future__ import annotations

import glob
from collections.abc import Sequence
from pathlib import Path

import yaml

from pipeline.core.errors import PipelineError
from pipeline.data import gym, hub, readers
from pipeline.data.readers import Rows
from pipeline.data.settings import GYM, Source

HUB = "hub:"
KNOWN = "known:"
TABLE = Path(__file__).parent / "known.yaml"


def known(source: Source) -> Source:
    """A source `known:<name>` with the entries of its row in known.yaml, one of reasoning-gym with its columns.

    What params.yaml says of it wins. Raises PipelineError for a name that is not in the table or the gym.
    """
    if source.path.startswith(GYM):
        return gym.named(source)
    if not source.path.startswith(KNOWN):
        return source
    table = yaml.safe_load(TABLE.read_text(encoding="utf-8"))
    name = source.path.removeprefix(KNOWN)
    if name not in table:
        raise PipelineError(f"{source.path}: unknown data set; known are {', '.join(table)}")
    return Source(**(table[name] | source.model_dump(exclude_unset=True, exclude={"path"})))


def shards(source: Source) -> list[Source]:
    """A source for each file of a source: itself, or the files of its folder or glob by name, all of one kind.

    Names that begin with a dot or an underscore, and Markdown, are no data. Raises PipelineError where no file is
    there, or one of another kind.
    """
    source = known(source)
    path = Path(source.path)
    if source.path.startswith((HUB, GYM)) or path.is_file():
        return [source]
    entries = path.iterdir() if path.is_dir() else map(Path, glob.glob(source.path, recursive=True))
    files = sorted(file for file in entries if not file.name.startswith((".", "_")) and file.suffix.lower() != ".md")
    if not files:
        raise PipelineError(f"{path}: no such file; correct the path in params.yaml, section `problems`")
    kinds = {readers.kind(file): file for file in reversed(files)}
    if len(kinds) > 1 or any(file.is_dir() for file in files):
        raise PipelineError(
            f"{path}: its files must be of one kind, it has {', '.join(sorted(file.name for file in kinds.values()))}; "
            f"name those that are meant by a glob, for example {path if path.is_dir() else path.parent}/*.jsonl"
        )
    return [source.model_copy(update={"path": str(file)}) for file in files]


def rows(source: Source, columns: Sequence[str]) -> Rows:
    """Rows of a source, each with its number in its file counted from 1 (for JSON lines: the line's number).

    columns: paths of those that a table is read for (none: all). A row that nobody can use is an `Unusable`.
    Raises PipelineError naming file or dataset, and the row where there is one.
    """
    for shard in shards(source):
        if shard.path.startswith(HUB):
            yield from hub.read(shard, shard.path.removeprefix(HUB), columns)
        elif shard.path.startswith(GYM):
            yield from gym.read(shard)
        else:
            yield from readers.read(Path(shard.path), columns)
