"""Files of rows: whatever stands in them is read as it is, dropped with a reason, or one line; nothing is lost."""

from __future__ import annotations

import csv
import gzip
import io
import random
from pathlib import Path

import pytest

from pipeline.core import files
from pipeline.core.errors import PipelineError
from pipeline.core.records import Problem, UnusableRow
from pipeline.data.problems import Selection, held_out
from pipeline.data.settings import Source
from pipeline.data.sources import rows

GOOD = b'{"q": "good", "a": "1"}\n'
BIG = b"9" * 5000
ARRAY = b'[{"q": "x", "a": 1}, {"q": "y", "a": 2.50}]'


def taken(path: Path | str, rows: int = 0, **columns: str) -> tuple[list[Problem], list[UnusableRow]]:
    """The problems of a file and its unusable rows; columns q and a by default."""
    selection = Selection([], 8, 1)
    problems = selection.take(Source(path=str(path), rows=rows, **{"prompt": "q", "answer": "a", **columns}), "ift")
    return sorted(problems, key=lambda problem: problem.prompt), selection.unusable


def written(folder: Path, name: str, content: bytes) -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    ("name", "content", "prompts"),
    [
        ("a.jsonl", b"\xef\xbb\xbf" + GOOD, ["good"]),
        ("a.jsonl", b'{"q": "a", "a": 1}\n\xef\xbb\xbf' + GOOD, ["a", "good"]),
        ("a.jsonl", b"\xef\xbb\xbf\n\r\n" + GOOD.replace(b"\n", b"\r\n"), ["good"]),
        ("a.jsonl", b'{"q": "\\ud835\\udc00", "a": 1}', ["\U0001d400"]),
        ("a.jsonl", b'{"q": "x\\u0000y\\u2028z", "a": 1, "b": "\\ud835", "\\ud835": 2}', ["x\0y\u2028z"]),
        ("a.jsonl", b'{"q": "x", "a": 1, "b": ' + BIG + b', "c": NaN, "d": 1e999, "b": 2}', ["x"]),
        ("A.JSONL", GOOD, ["good"]),
        ("a.jsonl.gz", gzip.compress(GOOD, mtime=0) + gzip.compress(b'{"q": "x", "a": 1}', mtime=0), ["good", "x"]),
        ("a.json", ARRAY, ["x", "y"]),
        ("a.json", b"\xef\xbb\xbf\r\n" + ARRAY, ["x", "y"]),
        ("a.json.gz", gzip.compress(ARRAY, mtime=0), ["x", "y"]),
        ("a.json", GOOD, ["good"]),
        ("a.csv", b"\xef\xbb\xbfq,a\r\nx,1\r\n\r\ny,2", ["x", "y"]),
        ("a.csv", b"q,a\rx,1\ry,2\r", ["x", "y"]),
        ("a.csv", b'q,a\n"x\0y, ""z""",1\n', ['x\0y, "z"']),
        ("a.csv", b'q,a\n"' + b"x" * 200_000 + b'",1\n', ["x" * 200_000]),
        ("a.csv.gz", gzip.compress(b"q,a\nx,1\n", mtime=0), ["x"]),
        ("a.tsv", b"q\ta\nx, y\t1\n", ["x, y"]),
    ],
)
def test_a_sound_file_is_read_as_it_is(name: str, content: bytes, prompts: list[str], tmp_path: Path) -> None:
    problems, unusable = taken(written(tmp_path, name, content))
    assert [problem.prompt for problem in problems] == prompts and not unusable


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (b'{"q": "\\ud835", "a": 1}', "not_unicode"),
        (b'{"q": "x\\udc00y", "a": 1}', "not_unicode"),
        (b'{"q": "x", "a": "\\ud835"}', "not_unicode"),
        (b'{"q": ' + BIG + b', "a": 1}', "prompt_not_text"),
        (b'{"q": {"text": "x"}, "a": 1}', "prompt_not_text"),
        (b'{"q": 1.5, "a": 1}', "prompt_not_text"),
        (b'{"q": null, "a": 1}', "no_prompt"),
        (b'{"q": NaN, "a": 1}', "no_prompt"),
        (b'{"q": " \\n", "a": 1}', "no_prompt"),
        (b'{"a": 1}', "no_prompt"),
        (b'{"q": "x", "a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", "nested_too_deeply"),
        (b'{"q": "x", "a": 1, "b": ' + b'{"a":' * 100_000 + b"1" + b"}" * 100_000 + b"}", "nested_too_deeply"),
        (b'{"q": "x", "q": "y", "a": 1}', "duplicate_key"),
        (b'{"q": "x", "a": 1, "a": 2, "a": 3}', "duplicate_key"),
    ],
)
def test_a_row_that_cannot_be_used_is_dropped_with_its_reason_and_place(
    row: bytes, reason: str, tmp_path: Path
) -> None:
    path = written(tmp_path, "a.jsonl", GOOD + row + b"\n")
    selection = Selection([], 8, 1)
    assert [
        problem.prompt for problem in selection.take(Source(path=str(path), rows=1, prompt="q", answer="a"), "eft")
    ] == ["good"]
    (dropped,) = selection.unusable
    assert (dropped.role, dropped.place, dropped.reason) == ("eft", f"{path}: row 2", reason)
    assert len(dropped.text) <= 200 and "\n" not in dropped.text
    assert selection.statistics()["dropped"] == {f"eft: {reason}": 1}
    selection.write({}, tmp_path, tmp_path / "dropped.parquet", tmp_path / "statistics.json")
    assert files.read(tmp_path / "dropped.parquet", UnusableRow) == [dropped]
    kept: list[UnusableRow] = []
    assert [
        problem.prompt for problem in held_out(Source(path=str(path), rows=0, prompt="q", answer="a"), "math", 1, kept)
    ] == ["good"]
    assert [row.reason for row in kept] == [reason]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.jsonl", GOOD.decode().encode("utf-16"), "UTF-16"),
        ("a.jsonl", GOOD.decode().encode("utf-32"), "UTF-16 or UTF-32"),
        ("a.jsonl", GOOD.decode().encode("utf-16-le"), "row 1: not JSON"),
        ("a.jsonl", GOOD + b'{"q": "caf\xe9"}', "row 2: not UTF-8"),
        ("a.jsonl", GOOD + b'{"q": "\xed\xa0\xb5"}', "row 2: not UTF-8"),
        ("a.jsonl", GOOD + b'{"q": "x"', "row 2: not JSON"),
        ("a.jsonl", GOOD + b"7", "row 2: not a JSON object"),
        ("a.jsonl", b'{"\\ud835": "x"}', r"column 'a' is missing in every row, the last has \\ud835"),
        ("a.jsonl", b"{" + b", ".join(b'"%d": 1' % i for i in range(9000)) + b"}", "column 'a' is missing in every"),
        (
            "a.jsonl",
            b'{"q": ["' + b"x" * 34_000 + b'"], "a": 1}',
            r"none of 1 rows .*\(prompt_not_text 1; .*row 1",
        ),
        ("a.jsonl", b"", "needs problems, none of 0 rows are left"),
        ("a.jsonl.gz", gzip.compress(GOOD * 1000, mtime=0)[:-30], "cannot be read after row"),
        ("a.jsonl.gz", GOOD, "cannot be read after row 0"),
        ("a.json", b'[{"q": "x"}, 3]', "row 2: not a JSON object"),
        ("a.json", b'{\n  "q": "x"\n}', "row 1: not JSON"),
        ("a.json", b'{"data": []}', "missing in every row, the last has data"),
        ("a.json", b"[" * 100_000, "nested too deeply"),
        ("a.json", b'[{"q": "x"},\n', "line 2: not JSON"),
        ("a.csv", b'q,a\nx,1\n"ab"c,2\n', r"row 2 \(line 3\): not CSV"),
        ("a.csv", b'q,a\nx,1\n"abc,2\n', r"row 2 \(line 3\): not CSV \(unexpected end of data\)"),
        ("a.csv", b'q,a\n"' + b"x" * 17_000_000 + b'",1\n', "row 1 .*larger than field limit"),
        ("a.csv", b"q,q,a\n1,2,3\n", "2 columns are named 'q'"),
        ("a.csv", b"q;a\n1;2\n", "column 'q' is missing; it has q;a"),
        ("a.csv", b"", "column 'q' is missing"),
        ("a.csv", b"q,a\nx,1\ncaf\xe9,2\n", "line 3: not UTF-8"),
        ("a.csv", "q,a\nx,1\n".encode("utf-16"), "UTF-16"),
        ("a.tsv", b"q,a\nx,1\n", "column 'q' is missing; it has q,a"),
        ("a.parquet", b"PAR1", "cannot be read after row 0"),
        ("a.xlsx", b"PK", "unknown kind of file; give .jsonl"),
        ("a.parquet.gz", b"", "unknown kind of file"),
    ],
)
def test_a_file_that_is_broken_is_one_short_line(name: str, content: bytes, message: str, tmp_path: Path) -> None:
    path = written(tmp_path, name, content)
    with pytest.raises(PipelineError, match=message) as caught:
        taken(path)
    line = str(caught.value)
    assert line.startswith(str(path)) and "\n" not in line and line.isprintable()
    assert len(line.replace(str(path), "")) < 300


def test_csv_gives_what_the_csv_module_gives_whatever_stands_at_a_block_edge(tmp_path: Path) -> None:
    rng, content = random.Random(1), bytearray(b"q,a\r\n")
    for edge in range(1, 4):
        for shift in range(-40, 40):  # cells of CRLFs over and beside each edge of 1 MiB, and of 64 KiB before it
            content += b'"' + b"\r\n" * rng.randint(1, 9) + b'","%d"\r\n' % shift
        content += b'"' + b"x" * ((edge << 20) - len(content) - 60) + b'",1\r\n'
        content += b'"' + b"\r\n" * 200 + b'",2\r\n'
    path = written(tmp_path, "a.csv", bytes(content))
    assert len(content) > 3 << 20
    wanted = list(csv.reader(io.StringIO(content.decode(), newline=""), strict=True))[1:]
    cells_of_rows = [
        (row["q"], row["a"]) for _, row in rows(Source(path=str(path), rows=0), ["q", "a"]) if isinstance(row, dict)
    ]
    assert cells_of_rows == [tuple(cells) for cells in wanted]
    assert sum(len(cell) for row in cells_of_rows for cell in row) == sum(len(cell) for row in wanted for cell in row)


def test_ragged_rows_of_a_csv_are_dropped_and_named_by_row(tmp_path: Path) -> None:
    path = written(tmp_path, "a.csv", b"q,a\nx,1\ny\nz,1,2\nw,\n\nv,5\n")
    problems, unusable = taken(path)
    assert [(problem.prompt, problem.answer) for problem in problems] == [("v", "5"), ("x", "1")]
    assert [(row.place.removeprefix(f"{path}: "), row.reason) for row in unusable] == [
        ("row 2", "ragged_row"),
        ("row 3", "ragged_row"),
        ("row 4", "no_answer"),
    ]


def test_a_csv_cell_in_the_notation_of_floats_is_exact_or_dropped(tmp_path: Path) -> None:
    cells = ["1.5e3", "5.764607523034235e+17", "1e+16", "NaN", "", "576460752303423488", "nan"]
    path = written(tmp_path, "a.csv", b"q,a\n" + "".join(f"p{n},{c}\n" for n, c in enumerate(cells)).encode())
    problems, unusable = taken(path)
    assert [(problem.prompt, problem.answer) for problem in problems] == [("p0", "1.5e3"), ("p5", "576460752303423488")]
    assert [row.reason for row in unusable] == ["inexact_number"] * 2 + ["no_answer"] * 3
