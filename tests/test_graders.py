"""Graders by name: what each takes for the gold answer, and that no answer and no function of a user ends the run."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest
from test_graph import ROOT, changed, fingerprints
from yaml import safe_dump, safe_load

from pipeline.core.config import checked
from pipeline.core.errors import PipelineError
from pipeline.core.records import Grade, Problem
from pipeline.data.settings import Source
from pipeline.domains import graders
from pipeline.domains.graders import exact as grading
from pipeline.domains.graders.pool import Grader, Graders
from pipeline.domains.text import final
from pipeline.domains.text.solutions import by_line

RIGHT, WRONG, UNREADABLE, TIMEOUT = Grade.RIGHT, Grade.WRONG, Grade.UNREADABLE, Grade.TIMEOUT


def grades(grader: str, gold: str, answers: Sequence[str | None]) -> list[Grade]:
    with Grader(grader, workers=1, seconds=0.5) as opened:
        return opened.grade([(answer, gold) for answer in answers])


@pytest.mark.parametrize(
    ("grader", "gold", "right", "wrong", "unreadable"),
    [
        ("exact", "New York", ["new  york.", "**New York**", '"NEW YORK"'], ["York", "new-york"], [None, " "]),
        (
            "choice",
            "B. by evaporation",
            ["B", "(b)", "b.", "**B**", "B) by evaporation", "option B", "(B) whatever", "By evaporation.", "[B]"],
            ["A", "by condensation", "Bees", "A. by evaporation", "A, B", "Be", "5"],
            [None],
        ),
        ("choice", "3. iron", ["3", "(3)", "iron", "3. iron"], ["1", "13", "tin"], [""]),
        (
            "number",
            "1,250.5",
            ["1250.5", "$1,250.50", "x = 1250.5 km", "2501/2"],
            ["1250", "-1250.5"],
            ["3 or 4", "no"],
        ),
        ("number:0.05", "3.14", ["3.1", "about 3.19"], ["3.2", "-3.14"], ["pi", "1/0"]),
        ("number:10%", "-200", ["-180", "−220", "-2e2"], ["-179.9", "200"], ["1" * 5000]),
        ("number", "12%", ["0.12", "12%", "3/25"], ["12"], [""]),
        (
            "json",
            '{"a": [1, 2.50], "b": true}',
            ['{"b": true, "a": [1.0, 2.5]}', '```json\n{"a": [1, 2.5], "b": true}\n```'],
            ['{"a": [2.5, 1], "b": true}', '{"a": [1, 2.5], "b": 1}', "[]"],
            ["a: 1", "[" * 50_000, "{" * 9],
        ),
        ("math", r"\frac{1}{2}", ["0.5", r"\frac{2}{4}"], ["2"], [None]),
    ],
)
def test_a_grader_takes_what_means_the_gold_and_nothing_else(
    grader: str, gold: str, right: list[str], wrong: list[str], unreadable: list[str | None]
) -> None:
    expected = [RIGHT] * len(right) + [WRONG] * len(wrong) + [UNREADABLE] * len(unreadable)
    answers: list[str | None] = [*right, *wrong, *unreadable]
    given = grades(grader, gold, answers)
    assert dict(zip(answers, given, strict=True)) == dict(zip(answers, expected, strict=True))


MINE = """
import os, signal, sys, time
def right(answer, gold):
    print("right", flush=True)  # which nobody takes for a verdict
    match answer:
        case "loops":
            while True: pass
        case "sleeps": time.sleep(60)
        case "ignores alarms":
            signal.signal(signal.SIGALRM, signal.SIG_IGN); signal.signal(signal.SIGPROF, signal.SIG_IGN)
            raise KeyError
        case "raises": raise RuntimeError
        case "eats": return bytearray(10**11)
        case "leaves": os._exit(0)
        case "exits": sys.exit(0)
        case "reads": return sys.stdin.read() == "x"
        case "says": return "right"
        case "none": return None
    return answer == gold
not_callable = 3
"""


@pytest.fixture
def mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a user's grader in `extensions/`."""
    (tmp_path / "extensions").mkdir()
    file = tmp_path / "extensions" / "riddles.py"
    file.write_text(MINE)
    monkeypatch.chdir(tmp_path)
    return file


def test_a_users_function_that_raises_hangs_eats_memory_or_prints_costs_its_own_answer_alone(mine: Path) -> None:
    answers = {
        "x": RIGHT, "y": WRONG, "loops": TIMEOUT, "sleeps": TIMEOUT, "ignores alarms": UNREADABLE,
        "raises": UNREADABLE, "eats": UNREADABLE, "leaves": UNREADABLE, "exits": UNREADABLE, "reads": WRONG,
        "says": UNREADABLE, "none": UNREADABLE,
    }  # fmt: skip
    given = grades("python:extensions.riddles:right", "x", [*answers, "x"])
    assert dict(zip(answers, given, strict=False)) == answers
    assert given[-1] == RIGHT


def test_a_grader_that_cannot_be_imported_is_one_clear_error(mine: Path) -> None:
    mine.write_text("def right(answer, gold): ...\nraise OSError('no such table')\n")
    with pytest.raises(PipelineError, match=r"grading worker of .*extensions.riddles.* ended with"):
        grades("python:extensions.riddles:right", "x", ["x"])


@pytest.mark.parametrize(
    ("grader", "line"),
    [
        ("", ""),
        ("number:0.5%", ""),
        ("python:extensions.riddles:right", ""),
        ("maths", "must be math, exact, choice, number"),
        ("exact:1", "must be exact alone"),
        ("number:near", "its tolerance must be a number"),
        ("number:-1", "must not be negative"),
        ("python:riddles", "must be python:<module>:<function>"),
        ("python:os;x:y", "must be python:<module>:<function>"),
        ("python:os.path:join", "os/path.py, which is not in this folder"),
        ("python:extensions.riddles:wrong", "names wrong, which extensions/riddles.py does not define"),
    ],
)
def test_a_name_of_a_grader_is_checked_before_anything_runs(mine: Path, grader: str, line: str) -> None:
    _, faults = checked(Source, {"path": "x.jsonl", "grader": grader}, "problems.prm")
    assert not faults if not line else len(faults) == 1 and line in faults[0]


def test_each_problem_is_graded_by_its_own_grader_and_the_others_by_the_domains() -> None:
    golds = {"": "Red", "math": "0.5", "choice": "A. red"}
    problems = [Problem(f"p{name}", "?", "s", gold, None, name) for name, gold in golds.items()]
    with Graders(grading) as opened:
        assert opened.grade(problems * 2, ["red", "1/2", "red", "blue", None, "B"]) == [
            RIGHT, RIGHT, RIGHT, WRONG, UNREADABLE, WRONG,
        ]  # fmt: skip
        assert [opened.alike(problem)("(A)", "A") for problem in problems] == [False, True, True]
        assert opened.alike(Problem("p", "?", "s", "1", None, "number"))("1", "1")


# The domain `text`


@pytest.mark.parametrize(
    ("text", "answer", "end"),
    [
        ("Step 1: a\nStep 2: So b.\nAnswer: blue\nmore", "blue", "blue"),
        ("Step 1: So it is.\n**Answer:** *red*", "red", "*red*"),
        ("The final answer: (B) red.", "(B) red.", "(B) red."),
        ("Answer:\n1 2\n3 4\n\nmore", "1 2\n3 4", "3 4"),
        ("Answer:\n```json\n{\n\n}\n```\nmore", "{\n\n}", "```"),
        ("Answer: 1\nAnswer: 2", "2", "1"),
        ("Answer:", "Answer:", None),
        ("Step 1: so it is blue", "so it is blue", None),
        ("", None, None),
        (" \n", None, None),
    ],
)
def test_the_answer_in_words_is_what_follows_its_mark_and_else_the_last_line(
    text: str, answer: str | None, end: str | None
) -> None:
    assert final.read(text) == answer
    place = final.end(text)
    assert place is None if end is None else text[:place].endswith(end)


@pytest.mark.parametrize("unit", ["Answer:", "answer :", "\n", "Answer:\n", "a", "```", "Answer:\n```\n", " "])
def test_a_megabyte_of_anything_is_read(unit: str) -> None:
    text = unit * (200_000 // len(unit))
    final.end(text)
    assert final.read(text + "\n\nAnswer: red") == "red"


@pytest.mark.parametrize(
    ("solution", "steps"),
    [
        ("It rains.\n\nSo it is wet.\nAnswer: wet", ["It rains.", "So it is wet.\nAnswer: wet"]),
        ("It rains. So: Answer: wet", ["It rains. So: Answer: wet"]),
        ("Answer: wet", ["Answer: wet"]),
        ("a\nb", ["a", "b"]),
        ("a\nAnswer:\n1 2\n3 4", ["a\nAnswer:\n1 2\n3 4"]),
        ("Step 1: a\nStep 2: Answer: b", ["a", "Answer: b"]),
    ],
)
def test_a_solution_in_words_has_a_step_a_line_and_the_answer_in_its_last(solution: str, steps: list[str]) -> None:
    assert by_line(solution) == "\n".join(f"Step {number}: {step}" for number, step in enumerate(steps, start=1))


def test_templates_speak_of_mathematics_in_the_family_math_alone() -> None:
    for file in (ROOT / "prompts").rglob("*.txt"):
        assert "mathematical" not in file.read_text() or file.parent.name == "math", file
    assert {file.name for file in (ROOT / "prompts/text").iterdir()} == {
        file.name for file in (ROOT / "prompts/math").iterdir()
    }


# The cache key


@pytest.fixture(scope="module")
def graded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The library beside a params.yaml with a source graded by a user's function."""
    folder = tmp_path_factory.mktemp("graded")
    for name in ("pipeline", "stages", "prompts", "extensions"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__", "shipped"))
    (folder / "pipeline/domains/arithmetic/shipped").mkdir()
    (folder / "extensions/riddles.py").write_text("from extensions.helper import near\n\nright = near\n")
    (folder / "extensions/helper.py").write_text("def near(answer, gold):\n    return answer == gold\n")
    (folder / "data/sources").mkdir(parents=True)
    (folder / "data/sources/rows.jsonl").write_text('{"q": "?", "a": "x"}\n')
    document = safe_load((ROOT / "params.yaml").read_text())
    source = {"path": "data/sources/rows.jsonl", "prompt": "q", "answer": "a"}
    document["problems"]["evaluation"] |= {
        "mine": source | {"grader": "python:extensions.riddles:right"},
        "number": source | {"grader": "number:0.1"},
    }
    (folder / "params.yaml").write_text(safe_dump(document))
    return folder


@pytest.fixture(scope="module")
def before(graded: Path) -> dict[str, str]:
    return fingerprints(graded)


@pytest.mark.parametrize(
    ("path", "old", "new", "reruns"),
    [
        ("extensions/helper.py", "answer == gold", "answer in gold", True),
        ("extensions/riddles.py", "right = near", "right = near  # a comment", False),
        ("pipeline/domains/graders/number.py", "wanted) <=", "wanted) <", True),
        ("pipeline/domains/graders/choice.py", "{1,2}", "{1,3}", False),
    ],
)
def test_the_code_of_the_graders_in_force_is_in_the_key_of_the_stages_that_grade(
    graded: Path, before: dict[str, str], path: str, old: str, new: str, reruns: bool
) -> None:
    stages = changed(graded, before, path, old, new)
    assert stages == ({"problems", "prm_data", "evaluate", "scale", "search_gain", "control_gain"} if reruns else set())


def test_a_grader_names_the_modules_it_is_made_of() -> None:
    assert graders.modules("number:1") == ["pipeline.domains.graders.number"]
    assert graders.modules("python:extensions.a:b") == ["pipeline.domains.graders.python", "extensions.a"]
