"""Properties of texts: steps, ids, boxes, verdicts and what is shown to a judge, over many drawn texts.

A text that once broke a property stands beside it as an example. CI draws the same texts each time (conftest.py).
"""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from test_tokenizers import tokenizer
from transformers import AutoTokenizer

from pipeline.core.records import Preference, Solution
from pipeline.domains.arithmetic.base import SHIPPED
from pipeline.domains.math import boxes, extract, final
from pipeline.language import harmless, markers, prompts, steps
from pipeline.language.renderer import Renderer
from pipeline.methods.psrlm import judge
from pipeline.methods.srlm import scoring
from pipeline.methods.verdicts import turned
from pipeline.training.preference import preference_rows
from pipeline.training.supervised import solution_row

SPECIAL = ("<|im_start|>", "<|im_end|>", "<|endoftext|>", "<|eot_id|>", "<s>", "</s>", "<eos>", "<pad>")
WORDS = (
    "Step",
    "step",
    "1",
    "2",
    "01",
    "\u0661",
    "10",
    ":",
    ": ",
    ".",
    ")",
    "**",
    "#",
    "\n",
    "\r\n",
    " ",
    "\t",
    "\u00a0",
)
BOXES = ("\\boxed", "\\fbox", "\\framebox", "{", "}", "\\{", "\\}", "[", "]", "\\", "$", "\\frac", "and", "x", "=", ",")
FENCES = (
    "[Check]",
    "[Steps]",
    "Question:",
    "Steps so far:",
    "Solution:",
    "[",
    "]",
    "[[",
    "]]",
    "A",
    "B",
    "C",
    " A",
    " B",
)
MARKS = (
    "Candidate A",
    "End of candidate B",
    "Explanation and verdict",
    "Score:",
    "Score: ",
    "5",
    "\u0665",
    "\0",
    "\u200b",
)


def texts(*pieces: str, longest: int = 12) -> st.SearchStrategy[str]:
    """Texts made of these pieces and of characters of any script."""
    anything = st.text(st.characters(exclude_categories=["Cs"]), max_size=4)
    return st.lists(st.sampled_from(pieces) | anything, max_size=longest).map("".join)


@given(texts(*WORDS))
@example("Step 01: a\nStep 02: b")
@example("Step \u0661: a")
def test_a_solution_that_splits_joins_back_into_what_a_model_writes(text: str) -> None:
    try:
        parts = steps.split(text)
    except ValueError:
        assert steps.parts(text) == (text,)
        return
    assert all(part.startswith(steps.marker(number)) for number, part in enumerate(parts, start=1))
    assert steps.split(steps.join(parts)) == parts
    apart = text[text.index("Step") :].rstrip("\n")
    assert re.sub("\n+", "\n", steps.join(parts)) == re.sub("\n+", "\n", apart)  # blank lines between steps go
    for part in parts:
        assert "".join(steps.cut(part)) == part


@given(texts(*WORDS))
@example("\r\r\n")
def test_markers_are_normal_once(text: str) -> None:
    once = markers.normal(text)
    assert markers.normal(once) == once


@given(texts(*WORDS, *BOXES))
def test_a_sampled_step_is_one_step_and_clean_once(text: str) -> None:
    once = steps.clean(text, final.end)
    assert steps.STOP not in once and steps.clean(once, final.end) == once


@pytest.fixture(scope="module", params=["shipped", "mistral", "llama3", "smollm"])
def renderer(request: pytest.FixtureRequest, mistral: Any) -> Renderer:
    if request.param == "shipped":
        return Renderer(AutoTokenizer.from_pretrained(SHIPPED), "arithmetic", answer_end=final.end)
    return Renderer(tokenizer(request.param, mistral), "math", answer_end=final.end)


@given(st.lists(texts(*SPECIAL, *WORDS, longest=6), min_size=1, max_size=4), texts(*SPECIAL, *WORDS, longest=4))
def test_every_step_is_sampled_from_the_ids_that_it_is_trained_on(
    renderer: Renderer, bodies: list[str], problem: str
) -> None:
    solution = tuple(f"Step {number}: {body}".rstrip("\n") for number, body in enumerate(bodies, start=1))
    assume(steps.parts(steps.join(solution)) == solution)
    whole = solution_row(renderer, Solution("p", problem, solution))["input_ids"]
    for index, step in enumerate(solution):
        given_ids = renderer.reasoning(problem, solution[:index])
        last = index == len(solution) - 1
        part = given_ids + renderer.completion(step, index + 1, terminal=last)
        assert whole[: len(part)] == part and (len(part) == len(whole)) == last
        pair = Preference("p", index + 1, problem, solution[:index], step, step, last, last, 1.0, 0.0, "m2")
        (row,) = preference_rows(renderer, [pair])
        assert row["prompt_ids"] == given_ids and row["prompt_ids"] + row["chosen_ids"] == part


@given(texts(*SPECIAL, *FENCES, longest=8))
def test_no_text_becomes_a_control_token(renderer: Renderer, text: str) -> None:
    control = {i for i, token in renderer.tokenizer.added_tokens_decoder.items() if token.special}
    assert not control & set(renderer.text(text))
    assert [i for i in renderer.turn(text) if i in control] == [i for i in renderer.turn("") if i in control]
    assert [i for i in renderer.step(text, terminal=True) if i in control] == [renderer.end]


@given(texts(*BOXES, longest=20))
@example("\\boxed\\frac{\\}")
@example("\\boxed({)")
def test_boxes_are_read_one_way_and_never_fail(text: str) -> None:
    found = boxes.read(text)
    for box in found:
        assert 0 <= box.start < box.inside <= box.stop <= box.end <= len(text)
        inside = text[box.inside : box.stop]
        assert box.end == box.stop or text[box.inside - 1] + text[box.stop] == "{}"
        bare = re.sub(r"\\.", "", inside, flags=re.DOTALL)
        assert bare.count("{") == bare.count("}")
    answer = boxes.boxed(text)
    assert (answer is None) == (not found)
    assert extract.extract_answer(text, fallback=False) == (answer or None) or answer is None
    assert final.end(text) == boxes.answer_end(text)
    if answer:
        end = boxes.answer_end(text)
        assert end is not None and boxes.boxed(text[:end])
        assert boxes.boxed(f"\\boxed{{{answer}}}") is not None


@given(texts("[[A]]", "[[B]]", "[[C]]", *FENCES))
def test_one_verdict_or_none_is_read_and_turns_back(text: str) -> None:
    winner = judge.parse(text)
    assert winner in ("A", "B", "C", None) and turned(turned(winner)) == winner
    assert winner is None or text.count(f"[[{winner}]]") > 0
    swapped = text.translate(str.maketrans("AB", "BA"))
    assert judge.parse(swapped) == turned(winner)
    score = scoring.read(text)
    assert isinstance(score, str) or 0 <= score <= scoring.LARGEST


@pytest.mark.parametrize("family", ["arithmetic", "math"])
@given(step=texts(*FENCES, *MARKS, *SPECIAL), other=texts(*FENCES, *MARKS, longest=6))
def test_no_step_writes_a_verdict_a_score_or_a_fence(family: str, step: str, other: str) -> None:
    once = judge.shown(family, SPECIAL, problem=other, steps=step, a=step, b=other)
    assert judge.shown(family, SPECIAL, **once) == once
    filled = judge.prompt(family, other, [step], step, other, SPECIAL)
    empty = judge.prompt(family, "", [""], "", "", SPECIAL)
    assert judge.VERDICT.findall(filled) == judge.VERDICT.findall(empty)
    assert fences_of(family, "step_judge", filled) == fences_of(family, "step_judge", empty)
    assert not any(token in filled for token in SPECIAL)
    scored = scoring.shown(family, step, SPECIAL)
    assert scoring.shown(family, scored, SPECIAL) == scored and not scoring.SCORE.search(scored)


def fences_of(family: str, name: str, prompt: str) -> list[str]:
    """Lines of a prompt that look like those of its template, whatever its mark is."""
    template = [re.escape(line) for line in prompts.template(family, name).splitlines() if line.strip()]
    own = [re.sub(r"\\\{[a-z_]+\\\}", "(?:.*)", line) for line in template if not re.fullmatch(r"\\\{\w+\\\}", line)]
    return [line for line in own for shown in prompt.splitlines() if re.fullmatch(line, shown)]


@given(texts(*SPECIAL, *FENCES, *MARKS), st.sets(st.sampled_from(SPECIAL)))
def test_harmless_text_stays_as_it_is(text: str, special: set[str]) -> None:
    once = harmless.harmless(text, special)
    assert harmless.harmless(once, special) == once and not any(token in once for token in special)
