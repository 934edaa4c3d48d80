"""One reader of boxes: what is a box, which one counts, and where a step that boxes an answer ends."""

from __future__ import annotations

import pytest

from pipeline.domains.math import final
from pipeline.domains.math.boxes import boxed, only_closes, read
from pipeline.domains.math.boxes import boxed as graded
from pipeline.domains.math.extract import extract_answer
from pipeline.language import steps

ONE = [
    (r"\boxed {5}", "5"),
    ("\\boxed\n{5}", "5"),
    (r"\boxed5", "5"),
    (r"\boxed 42.", "42"),
    (r"**\boxed 5**", "5"),
    (r"$\boxed -3.5$", "-3.5"),
    (r"\(\boxed 5\)", "5"),
    (r"$\boxed \frac12$", r"\frac12"),
    (r"\boxed\frac{1}{2}.", r"\frac{1}{2}"),
    (r"$\boxed\sqrt 2$", r"\sqrt 2"),
    (r"\boxed\text{Yes}", r"\text{Yes}"),
    (r"\boxed (1, 2)", "(1, 2)"),
    (r"\boxed 1,234, which", "1,234"),
    (r"\boxed A", "A"),
    (r"\fbox{$x=5$}", "$x=5$"),
    (r"\fbox 7", "7"),
    (r"\framebox{5}", "5"),
    (r"\framebox[2cm][c]{5}", "5"),
    (r"\\boxed{5}", "5"),
    (r"x \\\boxed{5}", "5"),
    (r"\boxed{\{1,2\}}", r"\{1,2\}"),
    (r"\boxed{\left\{x \mid x>0\right\}}", r"\left\{x \mid x>0\right\}"),
    (r"\boxed{\frac{1}{\sqrt{2}}}", r"\frac{1}{\sqrt{2}}"),
    (r"\boxed{\begin{cases} 1 \\ \{2\} \end{cases}}", r"\begin{cases} 1 \\ \{2\} \end{cases}"),
    (r"\boxed{ 5 }", "5"),
    (r"\boxed{1 and \boxed{2}", "2"),
    (r"\boxed{3}. It stands in \boxed{}.", "3"),
    (r"}}{\boxed{3}", "3"),
]
NONE = [
    r"\boxed{5",
    r"\boxed{\frac{1}{2}",
    r"\boxed{5\}",
    r"\fboxsep 3pt",
    r"\boxedx{5}",
    r"\framebox(40,20){5}",
    r"give it in a \boxed format",
    r"\boxed",
    "boxed{5}",
    "so 12",
]
PARTS = [
    (r"$x=\boxed{1}$ and $y=\boxed{2}$", "1, 2"),
    (r"$x=\boxed{1}$ or $x=\boxed{2}$.", "1, 2"),
    (r"the answers are $\boxed{-2}$ and $\boxed{1}$.", "-2, 1"),
    (r"\boxed{1}, \boxed{2}, and \boxed{3}", "1, 2, 3"),
    (r"\[\boxed{(1,2)} \text{ and } \boxed{(3,4)}.\]", "(1,2), (3,4)"),
    (r"\begin{align*} x&=\boxed{1}\\ y&=\boxed{2}\end{align*}", "1, 2"),
    (r"(a) $\boxed{3}$. (b) $\boxed{3}$", "3, 3"),
    ("(i) \\boxed{3}\n(ii) \\boxed{4}", "3, 4"),
    ("$a_1=\\boxed{3}$\n$a_2=\\boxed{4}$", "3, 4"),
    (r"\boxed 1, \boxed 2", "1, 2"),
]
AGAIN = [
    (r"\boxed{1} then $\boxed{2}$.", "2"),
    (r"so $\boxed{5}$. The answer is \boxed{5}.", "5"),
    (r"\boxed{x+11} or \boxed{11+x}", "11+x"),
    (r"\boxed{5}, \boxed{5}", "5"),
    (r"a width of \boxed{3} and hence an area of \boxed{9}", "9"),
    ("\\boxed{10}$.\n\n- OR -\n\nso $\\boxed{10}$", "10"),
]


@pytest.mark.parametrize(("text", "content"), [*ONE, *PARTS, *AGAIN])
def test_search_and_grading_read_the_same_box(text: str, content: str) -> None:
    assert boxed(text) == graded(text) == extract_answer(text) == content
    assert final.end(text) is not None


@pytest.mark.parametrize("text", NONE)
def test_what_is_no_box_ends_no_search(text: str) -> None:
    assert read(text) == []
    assert boxed(text) is None
    assert final.end(text) is None


def test_an_empty_box_is_no_answer() -> None:
    assert boxed(r"\boxed{ }") == ""
    assert final.end(r"\boxed{}") is None


@pytest.mark.parametrize(
    ("sampled", "step"),
    [
        ("Step 1: \\boxed {4}.\nSo we are done.", "Step 1: \\boxed {4}."),
        ("Step 1: \\boxed 4\nSo we are done.", "Step 1: \\boxed 4"),
        ("Step 1: \\fbox{4} apples.\nWell.", "Step 1: \\fbox{4} apples."),
        ("Step 1: \\[\n\\boxed{4}\n\\]\nWell.", "Step 1: \\[\n\\boxed{4}\n\\]"),
        ("Step 1: \\begin{align*}\n&\\boxed{4}\n\\end{align*}\n$.\nWell.", None),
        ("Step 1: $a=\\boxed{4}$,\n$b=\\boxed{5}$.\nWell.", "Step 1: $a=\\boxed{4}$,\n$b=\\boxed{5}$."),
        ("Step 1: \\boxed{}\nand more", "Step 1: \\boxed{}\nand more"),
        ("Step 1: \\boxed{4}\nStep 2: more", "Step 1: \\boxed{4}"),
    ],
)
def test_a_sampled_step_ends_with_its_answer_and_what_closes_it(sampled: str, step: str | None) -> None:
    assert steps.clean(sampled, final.end) == (step or sampled.removesuffix("\nWell."))


@pytest.mark.parametrize(
    "text", [r"\]", r"\end{align*}", "$", ".", "[/asy]", "$$.", "\\end{cases}\n\\]", r"$\blacksquare$"]
)
def test_text_that_only_closes_is_told(text: str) -> None:
    assert only_closes(text)
    assert not only_closes(text + " so")


@pytest.mark.parametrize("unit", [r"\boxed 5,", r"\boxed{1}" + r"\quad" * 19, r"\framebox[", r"\boxed(", r"\boxed{{{"])
def test_a_megabyte_of_boxes_is_read(unit: str) -> None:
    text = unit * (1_000_000 // len(unit))
    assert boxed(text + r" so \boxed{7}") == "7"
    assert final.end(text + r" so \boxed{7}") is not None
