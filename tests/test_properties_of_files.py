"""Properties of what is kept: journals, tables, fingerprints and parameters, over many drawn contents."""

from __future__ import annotations

import ast
import dataclasses
import inspect
import random
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import UnionType
from typing import Any, get_args, get_origin, get_type_hints

import pytest
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

from pipeline.core import files, fingerprint, records
from pipeline.core.config import checked, read_yaml
from pipeline.core.journal import Journal
from pipeline.inference import texts
from pipeline.inference.texts import Answer
from pipeline.params import profile, profiles
from pipeline.params import text as written_text
from pipeline.params.profiles import _flow
from pipeline.params.schema import whole

ROOT = Path(__file__).parent.parent
RECORDS = [kind for _, kind in inspect.getmembers(records, dataclasses.is_dataclass)]
SCALARS = {
    str: st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
    int: st.integers(-(2**63), 2**63 - 1),
    float: st.floats(allow_nan=False),
    bool: st.booleans(),
}
within_a_folder = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
few = settings(within_a_folder, max_examples=max(8, settings().max_examples // 5))  # of each of many types


def values(hint: Any) -> st.SearchStrategy[Any]:
    """Values of a field's type."""
    if get_origin(hint) is UnionType:
        return st.none() | values(get_args(hint)[0])
    if get_origin(hint) is tuple:
        return st.lists(values(get_args(hint)[0]), max_size=3).map(tuple)
    return SCALARS[hint] if hint in SCALARS else rows(hint)


def rows(kind: Any) -> st.SearchStrategy[Any]:
    """Records of a type with anything in them."""
    return st.builds(kind, **{name: values(hint) for name, hint in get_type_hints(kind).items()})


@few
@pytest.mark.parametrize("kind", RECORDS, ids=lambda kind: kind.__name__)
@given(data=st.data())
def test_rows_come_back_as_written_whole_and_in_batches(kind: Any, data: st.DataObject, tmp_path: Path) -> None:
    written = data.draw(st.lists(rows(kind), max_size=7))
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(files, "_ROW_GROUP", data.draw(st.integers(1, 4)))
        files.write(tmp_path / "rows.parquet", kind, written)
    assert files.read(tmp_path / "rows.parquet", kind) == written
    assert list(files.rows(tmp_path / "rows.parquet", kind, data.draw(st.integers(1, 8)))) == written
    assert all(files.record(kind, files.plain(row)) == row for row in written)
    assert files.content(written) == files.content(reversed(written))


def journal(folder: str) -> Journal[Any]:
    return Journal(Path(folder), "search", "f" * 64, records.Tree)


def resumed(folder: str, trees: dict[str, Any]) -> set[str]:
    """The keys that a journal still has, each with its own row, when the others are added to it again."""
    with journal(folder) as again:
        kept = set(again.done)
        assert all(again.done[key] == trees[key] for key in kept)
        for key in trees.keys() - kept:
            again.add(key, trees[key])
    with journal(folder) as last:
        assert last.done == trees
    return kept


trees_by_key = st.dictionaries(SCALARS[str], rows(records.Tree), min_size=1, max_size=5)


@given(trees_by_key, st.floats(0, 1))
def test_a_journal_cut_anywhere_goes_on_to_the_same_rows(trees: dict[str, Any], share: float) -> None:
    with tempfile.TemporaryDirectory() as folder:
        with journal(folder) as first:
            for key, tree in trees.items():
                first.add(key, tree)
        written = first.path.read_bytes()
        cut = round(share * len(written))
        first.path.write_bytes(written[:cut])
        kept = resumed(folder, trees)
        assert kept == set(list(trees)[: written[:cut].count(b"\n")])
        assert not list(Path(folder).glob("search/*.damaged-*"))


@given(trees_by_key, st.floats(0, 1), st.integers(1, 200), st.sampled_from([b"\0", b"\xff", b"{", b"\n"]))
def test_a_damaged_stretch_of_a_journal_costs_the_lines_that_it_touches(
    trees: dict[str, Any], share: float, length: int, what: bytes
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        with journal(folder) as first:
            for key, tree in trees.items():
                first.add(key, tree)
        written = first.path.read_bytes()
        begin = min(round(share * len(written)), len(written) - 1)
        stretch = written[begin : begin + length]
        first.path.write_bytes(written[:begin] + what * len(stretch) + written[begin + length :])
        touched = range(written[:begin].count(b"\n"), written[: begin + length].count(b"\n") + 1)
        whole_lines = {key for number, key in enumerate(trees) if number not in touched}
        assert resumed(folder, trees) >= whole_lines


@given(st.text(st.characters(), max_size=8), st.integers(0, 2**62))
@example("half a pair \ud835", 1)
def test_an_answer_is_paid_once_whatever_stands_in_it(text: str, tokens: int) -> None:
    used = {"total_tokens": tokens, "completion_tokens": 0}
    answer = texts.read({"choices": [{"finish_reason": "stop", "text": text}], "usage": used}, "completions")
    with tempfile.TemporaryDirectory() as folder:
        with Journal(Path(folder), "annotator", "f" * 64, Answer) as first:
            first.add("k", answer)
        with Journal(Path(folder), "annotator", "f" * 64, Answer) as again:
            assert again.done == {"k": answer}
    assert answer.text.encode().decode() == answer.text


MODULES = sorted(
    str(path.relative_to(ROOT).with_suffix("")).replace("/", ".")
    for folder in ("core", "language", "methods", "inference")
    for path in (ROOT / "pipeline" / folder).rglob("*.py")
    if path.name != "__init__.py"
)


@pytest.fixture
def digest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The hash of a source, as of a module of a repository that has nothing else."""
    (tmp_path / "stages").mkdir()
    monkeypatch.chdir(tmp_path)

    def of(source: str) -> str:
        for read in (fingerprint._read, fingerprint.source, fingerprint._calls):
            read.cache_clear()
        (tmp_path / "stages/one.py").write_text(source, encoding="utf-8")
        return fingerprint.stage("one", {}, "none")

    yield of
    for read in (fingerprint._read, fingerprint.source, fingerprint._calls):
        read.cache_clear()


def documented(tree: ast.Module) -> list[Any]:
    """What of a module has a docstring."""
    kinds = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    return [node for node in ast.walk(tree) if isinstance(node, kinds) and ast.get_docstring(node, clean=False)]


@within_a_folder
@given(st.sampled_from(MODULES), st.randoms(use_true_random=False), SCALARS[str])
def test_comments_docstrings_and_layout_are_in_no_fingerprint(
    digest: Any, module: str, drawn: random.Random, words: str
) -> None:
    source = (ROOT / module.replace(".", "/")).with_suffix(".py").read_text(encoding="utf-8")
    before = digest(source)
    tree = ast.parse(source)
    lines = source.split("\n")
    for node in sorted(tree.body, key=lambda node: -node.lineno):
        if drawn.random() < 0.3:
            first = min([node.lineno, *(one.lineno for one in getattr(node, "decorator_list", []))])
            lines[first - 1 : first - 1] = [f"# {words!a}", ""]
    assert digest("\n".join(lines)) == before
    for node in documented(tree):
        if drawn.random() < 0.5:
            node.body[0].value.value = words
    assert digest(ast.unparse(tree)) == before


def test_what_python_compiled_is_in_no_fingerprint(digest: Any, tmp_path: Path) -> None:
    source = 'LEFT_OUT = "__pycache__"'
    before = digest(source)
    (tmp_path / "stages/__pycache__").mkdir()
    (tmp_path / "stages/__pycache__/one.cpython-312.pyc").write_bytes(b"compiled")
    assert digest(source) == before


@within_a_folder
@given(st.sampled_from(MODULES), st.randoms(use_true_random=False))
def test_a_changed_constant_changes_the_fingerprint(digest: Any, module: str, drawn: random.Random) -> None:
    source = (ROOT / module.replace(".", "/")).with_suffix(".py").read_text(encoding="utf-8")
    tree = ast.parse(source)
    left_out = {id(node.body[0].value) for node in documented(tree)}
    left_out |= {id(one.value) for one in ast.walk(tree) if isinstance(one, ast.keyword) and one.arg == "description"}
    left_out |= {id(part) for one in ast.walk(tree) if isinstance(one, ast.JoinedStr) for part in ast.walk(one)}
    constants: list[Any] = [node for node in ast.walk(tree) if isinstance(node, ast.Constant)]
    kept = [node for node in constants if type(node.value) in (int, float, str) and id(node) not in left_out]
    assume(kept)
    constant = drawn.choice(kept)
    constant.value += "x" if isinstance(constant.value, str) else 1
    assert digest(ast.unparse(tree)) != digest(source)


@pytest.mark.parametrize("name", profiles())
def test_a_profile_is_read_as_it_was_written(name: str, tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text(written_text(name), encoding="utf-8")
    document = read_yaml(tmp_path / "params.yaml")
    assert document == profile(name)
    settings, faults = checked(whole(document), document, "params.yaml")
    assert settings and not faults
    again = settings.model_dump(mode="json", by_alias=True)
    once_more, faults = checked(whole(again), again, "params.yaml")
    assert once_more and not faults and once_more.model_dump() == settings.model_dump()


plain_text = st.text(st.characters(categories=["L", "N", "P", "S", "Zs"]), max_size=12)
scalars = plain_text | st.booleans() | st.none() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)


names = st.from_regex("[a-z][a-z_]*", fullmatch=True)
nested = st.recursive(scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3))


@within_a_folder
@given(nested)
def test_a_value_of_a_written_file_is_read_as_it_is(tmp_path: Path, value: Any) -> None:
    (tmp_path / "params.yaml").write_text(f"key: {_flow(value)}\n", encoding="utf-8")
    assert read_yaml(tmp_path / "params.yaml") == {"key": value}
