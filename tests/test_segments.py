"""The rule-based segmenter cuts no formula, environment, box or figure, and at newlines alone; broken escapes drop."""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from pathlib import Path

import pytest

from pipeline.core.records import Problem
from pipeline.data import ift
from pipeline.domains.math import final, solutions

PARTS = (final, solutions)


SHARED = os.environ.get("PSR_SHARED_DATA")
real = pytest.mark.skipif(SHARED is None, reason="PSR_SHARED_DATA does not name a folder with the real data")


def segment(solution: str) -> tuple[tuple[str, ...], str | None]:
    """The steps of a solution, and why it was dropped if it was."""
    kept, dropped = ift.segmented([Problem("p", "q", "ift", None, solution)], {"p": solutions.by_line(solution)}, PARTS)
    return (kept[0].steps, None) if kept else ((), dropped[0].reason)


WHOLE = [
    "\\begin{align*}\nx&=1\\\\\ny&=\\boxed{2}\n\\end{align*}",
    "\\begin{cases}\n1\\\\[2pt]\n\\boxed{2}\n\\end{cases}",
    "$A = \\begin{pmatrix}\n1 & 2\\\\\n3 & 4\n\\end{pmatrix}$, so \\boxed{2}",
    "\\[\nx\n\n= \\boxed{2}\n\\]",
    "$$\nx = \\boxed{2}\n$$",
    "\\(\nx = \\boxed{2}\n\\)",
    "so $x =\n\\boxed{2}$.",
    "so $x = \\text{if\nnot } \\boxed{2}$.",
    '[asy]\ndraw((0,0)--(1,1));\nlabel("$A$",(0,0));\n[/asy] \\boxed{2}',
    "[asy size=5cm]\nreal f;\n[/asy] \\boxed{2}",
    "<asy>\nreal f;\n\nreal g;\n</asy> \\boxed{2}",
    "```python\nprint('$5')\n\nprint(2)\n``` \\boxed{2}",
    "\\begin {array}{c}\n1\\\\\n\\begin{array}{c}\n2\n\\end{array}\n\\end {array} \\boxed{2}",
    "it is \\boxed{\n2\n}",
    "$x=\\boxed{1}$,\n$y=\\boxed{2}$.",
    "\\begin{tabular}{c}\n$1$\\\\\n$2$\n\\end{tabular} \\boxed{2}",
    "$\\begin{array}{c}\n\\text{$x$\n}\\\\\n\\end{array}$ \\boxed{2}",
    "$a$$b =\n\\boxed{2}$",
]


@pytest.mark.parametrize("text", WHOLE)
def test_what_belongs_together_is_one_step(text: str) -> None:
    assert segment(f"Well.\n{text}") == (("Step 1: Well.", f"Step 2: {text}"), None)


@pytest.mark.parametrize(
    "closing",
    [
        "\\]",
        "$",
        ".",
        "$$.",
        "[/asy]",
        "\n```",
        "\\end{align*}",
        "\\end{cases}\n\\]",
        "$\\blacksquare$",
        "\\qed",
        "\n\n.",
    ],
)
def test_what_only_closes_belongs_to_the_step_before(closing: str) -> None:
    steps, reason = segment(f"Well.\nIt is \\boxed{{2}}\n{closing}")
    assert reason is None and len(steps) == 2
    assert steps[1].startswith("Step 2: It is \\boxed{2}\n")


def test_a_figure_is_no_step_of_its_own() -> None:
    steps, reason = segment("See:\n[asy]\ndot((0,0));\n\n[/asy]\nIt is \\boxed{2}.\n\n[asy]\ndot((1,1));\n[/asy]")
    assert reason is None and len(steps) == 2


@pytest.mark.parametrize(
    ("lines", "count"),
    [
        ("It costs $5.\nTwo cost $10.\nSo \\boxed{10}.", 3),
        ("12*2 = $24\n24+1 = $25\n\\boxed{25}", 3),
        ("She has 3000$\n5000-3000=2000$ left\n\\boxed{2000}", 3),
        ("Let $x be 5.\n\nThen $y$ is \\boxed{5}.", 2),
        ("\\begin{align*} was forgotten\nx\n\\boxed{5}", 3),
        ("so $$ was left\nx\n\\boxed{5}", 3),
        ("a ] b \\] c\nx \\end{cases} y\n\\boxed{5}", 3),
        ("a \\\\[2pt] b\nc\n\\boxed{5}", 3),
        ("it cost \\$5\nand \\$6\n\\boxed{5}", 3),
        ("[asy] left open\nx\n\\boxed{5}", 3),
        ("\\$x\n$y$\n\\boxed{5}", 3),
    ],
)
def test_what_is_no_formula_holds_no_lines_together(lines: str, count: int) -> None:
    steps, reason = segment(lines)
    assert reason is None
    assert len(steps) == count


@pytest.mark.parametrize("character", ["\v", "\f", "\x1c", "\x1d", "\x1e", "\x85", "\u2028", "\u2029"])
def test_lines_end_at_newlines_alone(character: str) -> None:
    assert segment(f"a{character}B\r\n\r\n\\boxed{{2}}\r\n") == ((f"Step 1: a{character}B", "Step 2: \\boxed{2}"), None)


LETTERS = dict(zip("abfnrtv", "\a\b\f\n\r\t\v", strict=True))
COMMANDS = [
    *(r"\frac{1}{2}", r"\fbox{5}", r"\forall", r"\framebox{5}"),
    *(r"\theta", r"\times", r"\tau", r"\text{if}", r"\tfrac{1}{2}", r"\triangle", r"\therefore", r"\textbf{a}"),
    *(r"\beta", r"\boxed{5}", r"\bar{x}", r"\binom{n}{k}", r"\begin{cases}", r"\big(", r"\bmod"),
    *(r"\nabla", r"\neq", r"\notin", r"\nleq", r"\ngeq"),
    *(r"\right)", r"\rangle", r"\rfloor", r"\rho"),
    *(r"\vec{v}", r"\varphi", r"\vdots", r"\alpha", r"\angle", r"\approx"),
]
UNTOLD = [r"\ne", r"\nu", r"\to", r"\tan", r"\top"]


def decoded(text: str) -> str:
    """The text as a reader of escapes makes it."""
    return re.sub(r"\\([abfnrtv])", lambda match: LETTERS[match[1]], text)


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_that_became_a_control_character_drops_its_row(command: str) -> None:
    for text in (decoded(f"so {command} 3"), f"$x {decoded(command)} 3$"):
        assert segment(text + "\n\\boxed{5}") == ((), "broken_escapes")
    assert not solutions.broken(f"so {command} 3 and $x {command} 3$")


@pytest.mark.parametrize("command", UNTOLD)
def test_in_a_formula_short_rests_of_commands_are_told(command: str) -> None:
    assert solutions.broken(f"$x {decoded(command)} 3$")
    assert not solutions.broken(f"so {decoded(command)} 3")


@pytest.mark.parametrize(
    "text",
    ["a\tb", "x\n= 3", "one\tan apple", "if\nnot", "\n\\neq", "$x\n= 3$", "$a$\neach", "a\r\nright", "\fNext page"],
)
def test_tabs_and_line_ends_of_a_text_are_no_broken_escapes(text: str) -> None:
    assert not solutions.broken(text)


def test_a_broken_problem_drops_its_row() -> None:
    problem = Problem("p", "what is \frac{1}{2}?", "ift", None, "\\boxed{5}")
    assert [row.reason for row in ift.segmented([problem], {"p": "Step 1: \\boxed{5}"}, PARTS)[1]] == ["broken_escapes"]


BOTH = ("Step 1: a", "Step 2: b \\boxed{2}")


@pytest.mark.parametrize(
    "text",
    [
        "Step 1: a\nStep 2: b \\boxed{2}",
        "Step 1: a\r\nStep 2: b \\boxed{2}\r\n",
        "**Step 1:** a\n\n**Step 2:** b \\boxed{2}",
        "**Step 1**: a\n**Step 2** : b \\boxed{2}",
        "*Step 1:* a\n*Step 2:* b \\boxed{2}",
        "__Step 1.__ a\n__Step 2.__ b \\boxed{2}",
        "### Step 1: a\n### Step 2: b \\boxed{2}",
        "### Step 1\n\na\n\n### Step 2\n\nb \\boxed{2}",
        "### **Step 1:**\na\n### **Step 2:**\nb \\boxed{2}",
        "Step 1 : a\nStep 2 : b \\boxed{2}",
        "step 1: a\nSTEP 2: b \\boxed{2}",
        "Step 1. a\nStep 2. b \\boxed{2}",
        "Step 1) a\nStep 2) b \\boxed{2}",
        "Step 1 - a\nStep 2 – b \\boxed{2}",
        "Step 1：a\nStep 2：b \\boxed{2}",
        "- Step 1: a\n- Step 2: b \\boxed{2}",
        "> Step 1: a\n> Step 2: b \\boxed{2}",
        "  Step 1: a\n  Step 2: b \\boxed{2}",
        "\\textbf{Step 1:} a\n\\textbf{Step 2:} b \\boxed{2}",
        "Step 0: a\nStep 1: b \\boxed{2}",
        "Step 1: a\nStep 3: b \\boxed{2}",
        "Step 01:a\nStep 02:b \\boxed{2}",
    ],
)
def test_a_solution_in_steps_keeps_them_whatever_its_markers(text: str) -> None:
    assert segment(text) == (BOTH, None)
    own = Problem("p", "q", "ift", None, "a b \\boxed{2}")  # an annotator's markers
    assert ift.segmented([own], {"p": text}, PARTS)[0][0].steps == BOTH


@pytest.mark.parametrize(
    ("text", "steps"),
    [
        ("**Step 1: Add.** 1+1\n**Step 2: Box.** \\boxed{2}", ("Step 1: **Add.** 1+1", "Step 2: **Box.** \\boxed{2}")),
        ("Let us see.\n\nStep 1: a\nStep 2: \\boxed{2}", ("Step 1: Let us see.\na", "Step 2: \\boxed{2}")),
        ("Step 1: a\nin Step 2: b\nStep 2: \\boxed{2}", ("Step 1: a\nin Step 2: b", "Step 2: \\boxed{2}")),
        ("Step 1: a\nb\n\n\\boxed{2}", ("Step 1: a\nb\n\n\\boxed{2}",)),
        ("See step 3.\nStep 5. is \\boxed{2}", ("Step 1: See step 3.", "Step 2: Step 5. is \\boxed{2}")),
        ("Step 1.5 is\n\\boxed{2}", ("Step 1: Step 1.5 is", "Step 2: \\boxed{2}")),
    ],
)
def test_the_words_beside_a_marker_are_kept(text: str, steps: tuple[str, ...]) -> None:
    assert segment(text) == (steps, None)


def test_a_mention_that_an_annotator_leaves_out_is_an_alteration() -> None:
    assert not ift.preserved("by Step 1: we have \\boxed{2}", "Step 1: by we have \\boxed{2}")


def unbalanced(step: str) -> bool:
    """Whether a step of MATH holds half of an environment, a display, a figure or a formula."""
    begun, ended = (Counter(re.findall(rf"\\{word}\s*{{([^}}]*)}}", step)) for word in ("begin", "end"))
    text = re.sub(r"\[asy\].*?\[/asy\]", "", step, flags=re.DOTALL).replace(r"\\", "").replace(r"\$", "")
    pairs = [(r"\[", r"\]"), (r"\(", r"\)"), ("[asy]", "[/asy]")]
    return begun != ended or text.count("$") % 2 == 1 or any(text.count(a) != text.count(b) for a, b in pairs)


@real
def test_no_solution_of_math_is_cut_and_only_what_says_more_after_its_box_drops() -> None:
    rows = [json.loads(line) for line in Path(f"{SHARED}/benchmarks/math.jsonl").read_text().split("\n") if line]
    problems = [Problem(str(i), row["problem"], "ift", None, row["solution"]) for i, row in enumerate(rows)]
    kept, dropped = ift.segmented(
        problems, {p.problem_id: solutions.by_line(p.solution or "") for p in problems}, PARTS
    )
    assert [step for row in kept for step in row.steps if unbalanced(step)] == []
    assert Counter(row.reason for row in dropped) == {"no_final_answer": 108}
    assert len(kept) == 4892
