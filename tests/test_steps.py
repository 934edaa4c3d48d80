import pytest
from transformers import AutoTokenizer

from pipeline.core.errors import PipelineError
from pipeline.domains.arithmetic.base import SHIPPED
from pipeline.domains.math import final
from pipeline.language import steps
from pipeline.language.renderer import Renderer


def test_a_solution_splits_into_its_steps_and_joins_back() -> None:
    text = "Step 1: a\nmore of a\nStep 2: b \\boxed{3}."
    assert steps.split(text) == ["Step 1: a\nmore of a", "Step 2: b \\boxed{3}."]
    assert steps.join(steps.split(text)) == text


@pytest.mark.parametrize("text", ["no marker", "Well.\nStep 1: a", "Step 2: a", "Step 1: a\nStep 3: b"])
def test_text_that_breaks_the_contract_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        steps.split(text)


def test_nested_braces_end_the_box_where_they_close() -> None:
    assert final.end("so \\boxed{\\frac{1}{2}}.") == len("so \\boxed{\\frac{1}{2}}.")
    assert final.end("so \\boxed{\\frac{1}{2}") is None
    assert final.end("so 12") is None


def test_a_sampled_step_is_cut_at_the_next_marker_and_after_the_box() -> None:
    assert steps.clean("Step 1: a \nStep 2: b", final.end) == "Step 1: a"
    assert steps.clean("Step 3: \\boxed{4}.\nSo we are done.", final.end) == "Step 3: \\boxed{4}."


def test_only_the_last_step_ends_the_sequence(renderer: Renderer) -> None:
    ids = renderer.completion(
        steps.join(["Step 1: Ana has 1+2=3.", "Step 2: Ben has 3+2=5. The answer is \\boxed{5}."]), 1
    )
    assert ids.count(renderer.tokenizer.eos_token_id) == 1
    assert ids[-1] == renderer.end == renderer.tokenizer.eos_token_id


def test_sampling_prompt_plus_step_is_the_training_sequence(renderer: Renderer) -> None:
    solution = [
        "Step 1: Ana has 1+2=3.",
        "Step 2: Ben has 3+2=5.",
        "Step 3: Cleo has 5+1=6. The answer is \\boxed{6}.",
    ]
    problem = "how many?"
    whole = renderer.reasoning(problem) + renderer.completion(steps.join(solution), 1)
    for index, step in enumerate(solution):
        terminal = index == len(solution) - 1
        given = renderer.reasoning(problem, solution[:index])
        assert renderer.tokenizer.decode(given).endswith(f"Step {index + 1}:")
        part = given + renderer.completion(step, index + 1, terminal=terminal)
        assert whole[: len(part)] == part


def test_a_marker_and_what_follows_it_are_cut_and_join_back() -> None:
    assert steps.cut("Step 12: a\nStep 13: b") == ("Step 12:", " a\nStep 13: b")
    assert steps.cut("Step 1:a") == ("Step 1:", "a")
    assert steps.cut("Well.\nStep 1: a") == ("", "Well.\nStep 1: a")
    assert steps.cut("Step one") == ("", "Step one")


@pytest.mark.parametrize("text", ["Step 2: Ana", "Sure! Step 1: Ana", "", "step 1: Ana"])
def test_a_completion_that_does_not_begin_with_the_given_marker_is_refused(renderer: Renderer, text: str) -> None:
    with pytest.raises(PipelineError, match="does not begin with `Step 1:`"):
        renderer.completion(text, 1)


@pytest.mark.parametrize(
    "step", ["Step 3: Ana has 3.", "Step 3:Ana", "Step 3:\nAna has 3.", "Step 3: (3) = 3", "Step 3:!?"]
)
def test_the_shipped_bases_tokens_never_cross_the_end_of_a_marker(step: str) -> None:
    """Why the base that is shipped, trained before markers were tokenised apart, knows the same ids."""
    words = AutoTokenizer.from_pretrained(str(SHIPPED))
    apart = Renderer(words, "arithmetic").step(step, terminal=False)
    assert apart == words.encode(step + "\n", add_special_tokens=False)
