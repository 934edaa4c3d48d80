import pytest

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
        steps.join(["Step 1: Ana has 1+2=3.", "Step 2: Ben has 3+2=5. The answer is \\boxed{5}."])
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
    whole = renderer.reasoning(problem) + renderer.completion(steps.join(solution))
    for index, step in enumerate(solution):
        terminal = index == len(solution) - 1
        part = renderer.reasoning(problem, solution[:index]) + renderer.step(step, terminal=terminal)
        assert whole[: len(part)] == part
