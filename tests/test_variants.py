"""Other pairs from a round's search: whole solutions of its trees, pairs that an implicit reward agrees with, and pairs
weighted by the agreement of two judges."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import apart, scripted
from test_search import PAPER, SETTINGS, by_quality, grow, rank_of, script
from test_train import FAMILY, HERE, LAST, PAIR, dpo
from transformers import AutoModelForCausalLM
from trl import DPOTrainer

from pipeline.core.means import ratio_and_error
from pipeline.core.records import Preference, SecondRanking, Tree
from pipeline.domains.math import final
from pipeline.domains.math.extract import boxed
from pipeline.inference.requests import Completion, Request
from pipeline.language import steps
from pipeline.language.renderer import Renderer
from pipeline.methods.pairings import agreement, cream, outcome
from pipeline.methods.psrlm import pairs
from pipeline.methods.verdicts import turned
from pipeline.training.dpo import StepDPOTrainer
from pipeline.training.margins import implicit_margins
from pipeline.training.preference import preference_rows, train_preferences

SIDES = (("chosen_ids", 1), ("rejected_ids", -1))


def step_pairs(renderer: Renderer) -> tuple[list[Tree], list[Preference]]:
    trees = list(grow(renderer, script(by_quality)).values())
    return trees, apart(pairs.of_trees(trees, PAPER, "m2"))[0]


def completed(
    renderer: Renderer, step_wise: list[Preference], ends: bool = True, answer: str = "7"
) -> dict[str, Completion]:
    def complete(prompt: str, request: Request) -> Completion:
        assert request.temperature == 0 and prompt.endswith(f"\nStep {prompt.count('Step ')}:")
        return Completion(f" so \\boxed{{{answer}}}", "stop" if ends else "length", 5, ends)

    return scripted(renderer.tokenizer, outcome.completions(renderer, step_wise, 99), complete)


def test_each_step_pair_becomes_a_pair_of_whole_solutions_of_the_same_tree(renderer: Renderer) -> None:
    trees, step_wise = step_pairs(renderer)
    solutions = {tree.problem_id: tree.steps for tree in trees}
    kept, dropped = outcome.preferences(step_wise, trees, completed(renderer, step_wise), final, "o2")
    assert not dropped and len(kept) == len(step_wise) > 0
    for pair, step in zip(kept, step_wise, strict=True):
        assert steps.join([*pair.steps, pair.chosen]) == steps.join(solutions[pair.problem_id])
        assert pair.rejected.startswith(step.rejected) and rank_of(step.chosen) < rank_of(pair.rejected)
        assert final.end(pair.chosen) is not None and final.end(pair.rejected) is not None
        assert (pair.steps, pair.step_index, pair.iteration) == (step.steps, step.step_index, "o2")
    end = renderer.tokenizer.eos_token_id
    for row in preference_rows(renderer, kept):
        assert row["chosen_ids"].count(end) == row["rejected_ids"].count(end) == 1
        assert row["chosen_ids"][-1] == row["rejected_ids"][-1] == end


def test_a_step_pair_without_two_outcomes_keeps_its_reason(renderer: Renderer) -> None:
    trees, step_wise = step_pairs(renderer)
    inner = [pair for pair in step_wise if not pair.rejected_terminal]
    kept, dropped = outcome.preferences(inner, trees, completed(renderer, inner, ends=False), final, "o2")
    assert not kept and {row.reason for row in dropped} == {"length"}
    kept, dropped = outcome.preferences(inner, trees, completed(renderer, inner, answer="good"), final, "o2")
    assert {row.reason for row in dropped} == {"same_answer"} and len(kept) + len(dropped) == len(inner)
    assert all(boxed(pair.chosen) != "good" for pair in kept)
    unfinished = [replace(tree, end="max_steps") for tree in trees]
    kept, dropped = outcome.preferences(step_wise, unfinished, completed(renderer, step_wise), final, "o2")
    assert not kept and {row.reason for row in dropped} == {"unfinished"}


def test_a_reward_agrees_with_what_the_model_was_trained_on_and_not_with_its_reverse(
    tiny_model: Path, tmp_path: Path
) -> None:
    train_preferences(tiny_model, [PAIR, LAST] * 4, FAMILY, dpo(epochs=4), HERE, 1, tmp_path / "m")
    reverse = [replace(pair, chosen=pair.rejected, rejected=pair.chosen) for pair in (PAIR, LAST)]
    reverse[1] = replace(reverse[1], chosen_terminal=False, rejected_terminal=True)
    both = [PAIR, LAST, *reverse]
    margins = implicit_margins(tmp_path / "m", tiny_model, both, FAMILY, 4, 1)
    kept, dropped = agreement.agreeing(both, margins, "a3")
    assert [pair.chosen for pair in kept] == [PAIR.chosen, LAST.chosen]
    assert {row.reason for row in dropped} == {"disagrees"} and len(dropped) == 2
    assert not agreement.agreeing(both, implicit_margins(tiny_model, tiny_model, both, FAMILY, 4, 1), "a3")[0]


def test_margins_do_not_depend_on_how_many_pairs_share_a_batch(
    renderer: Renderer, tiny_model: Path, tmp_path: Path
) -> None:
    train_preferences(tiny_model, [PAIR, LAST] * 4, FAMILY, dpo(), HERE, 1, tmp_path / "m")
    longer = replace(PAIR, prompt="Ana has 2 keys. Ben has one key more than Ana has.", rejected="Step 1: 2")
    rows = [PAIR, longer, LAST, replace(LAST, prompt="Ana has 3 keys.")]
    expected = []
    for row in preference_rows(renderer, rows):
        margin = 0.0
        for model, name, sign in [(m, n, s * w) for m, s in ((tmp_path / "m", 1), (tiny_model, -1)) for n, w in SIDES]:
            ids = torch.tensor([row["prompt_ids"] + row[name]])
            with torch.no_grad():
                logits = AutoModelForCausalLM.from_pretrained(model)(ids).logits[0, :-1].log_softmax(-1)
            start = len(row["prompt_ids"])
            margin += sign * logits.gather(1, ids[0, 1:, None])[start - 1 :].sum().item()
        expected.append(margin)
    for batch in (1, 3, 4):
        margins = implicit_margins(tmp_path / "m", tiny_model, rows, FAMILY, batch, 1)
        assert margins == pytest.approx(expected, abs=1e-4)
    assert all(abs(margin) > 0.01 for margin in expected)


def judged_again(
    renderer: Renderer, prefers: Any, orders: str = "both"
) -> tuple[list[Tree], list[Preference], dict[str, SecondRanking]]:
    """The trees of a search by quality, its pairs, and their states judged by another."""
    how = SETTINGS.judge.model_copy(update={"orders": orders})
    trees = list(grow(renderer, script(by_quality), SETTINGS.model_copy(update={"judge": how})).values())
    judged = apart(pairs.of_trees(trees, PAPER, "m3"))[0]
    tasks = cream.second_rankings(renderer, judged, trees, how, 1)
    return trees, judged, scripted(renderer.tokenizer, tasks, script(prefers))


@pytest.mark.parametrize("orders", ["both", "single"])
def test_a_second_judge_is_asked_as_the_first_and_the_same_judge_agrees_with_itself(
    renderer: Renderer, orders: str
) -> None:
    trees, judged, rankings = judged_again(renderer, by_quality, orders)
    expected = {
        f"{tree.problem_id}/{len(state.steps) + 1}": state.verdicts
        for tree in trees
        for state in tree.states
        if state.outcome == "step" and not state.discarded
    }
    assert rankings and {key: ranking.verdicts for key, ranking in rankings.items()} == expected
    assert {ranking.consistency for ranking in rankings.values()} == {1.0}
    assert cream.weighted(judged, rankings, "c3") == [replace(pair, iteration="c3") for pair in judged]


def test_the_opposite_judge_gives_weight_zero_and_one_without_a_ranking_one_half(renderer: Renderer) -> None:
    _, judged, rankings = judged_again(renderer, lambda a, b: turned(by_quality(a, b)))
    assert {pair.consistency for pair in cream.weighted(judged, rankings, "c3")} == {0.0}
    for says, unreadable in (("A", False), ("C", False), ("X", True)):
        _, judged, rankings = judged_again(renderer, lambda a, b, says=says: says)
        assert {pair.consistency for pair in cream.weighted(judged, rankings, "c3")} == {0.5}
        statistics = cream.statistics(rankings)
        assert statistics["all_tied"] == len(judged) == statistics["by_consistency"]["0.5"]
        assert statistics["unreadable"] == unreadable * statistics["verdicts"]


@pytest.mark.parametrize(
    ("first", "second", "agreement"),
    [
        ((2, 1, 0), (5, 1, 0), 1.0),
        ((2, 1, 0), (0, 1, 2), 0.0),
        ((2, 1, 0), (1, 2, 0), 2 / 3),  # two of three pairs in the same order: tau = 1/3
        ((1, 1, 0), (4, 4, 2), 1.0),  # a tie that both see
        ((2, 1, 0), (1, 1, 0), (2 / 6**0.5 + 1) / 2),  # a tie that one of them sees: tau-b
        ((2, 1, 0), (1, 1, 1), 0.5),
        ((1, 0), (0, 1), 0.0),
    ],
)
def test_consistency_is_kendalls_tau_from_zero_to_one(first: Any, second: Any, agreement: float) -> None:
    assert cream.consistency(first, second) == pytest.approx(agreement)


def test_the_error_of_the_mean_consistency_has_problems_as_units() -> None:
    values = {"p": [1.0, 1.0, 0.5], "q": [0.0], "r": [0.5, 0.2]}
    rankings = {
        f"{problem}/{step}": SecondRanking(problem, step, ("a", "b"), (1.0, 0.0), (1.0, 0.0), (), value)
        for problem, of_problem in values.items()
        for step, value in enumerate(of_problem)
    }
    statistics = cream.statistics(rankings)
    clustered = ratio_and_error([sum(of_problem) for of_problem in values.values()], [len(f) for f in values.values()])
    assert (statistics["consistency"], statistics["consistency_se"]) == pytest.approx(clustered)
    assert cream.statistics({})["consistency"] is None


def test_the_loss_is_the_pairs_by_its_consistency_and_the_swapped_pairs_by_the_rest(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[float, float, float]] = []
    ours = StepDPOTrainer.compute_loss

    def compared(self: Any, model: Any, inputs: Any, *more: Any, **other: Any) -> Any:
        plain = {name: part for name, part in inputs.items() if name not in ("consistency", "weight")}
        swapped = {name: torch.cat(part.chunk(2)[::-1]) for name, part in plain.items() if "ref" not in name}
        swapped |= {"ref_chosen_logps": plain["ref_rejected_logps"], "ref_rejected_logps": plain["ref_chosen_logps"]}
        with torch.no_grad():
            losses = [DPOTrainer._compute_loss(self, model, one, False).item() for one in (plain, swapped)]
        loss = ours(self, model, inputs, *more, **other)
        weight = inputs["consistency"].item()
        seen.append((loss.item(), weight * losses[0] + (1 - weight) * losses[1], losses[0] - losses[1]))
        return loss

    monkeypatch.setattr(StepDPOTrainer, "compute_loss", compared)
    settings = dpo(batch_size=1, epochs=3)
    rows = [replace(PAIR, consistency=0.8), replace(LAST, consistency=0.25)]
    train_preferences(tiny_model, rows, FAMILY, settings, HERE, 1, tmp_path / "m")
    for loss, mixed, _ in seen:
        assert loss == pytest.approx(mixed, abs=1e-6)
    assert len(seen) == 6 and abs(seen[-1][2]) > 0.01


def test_pairs_of_one_batch_are_learned_each_by_its_own_consistency(tiny_model: Path, tmp_path: Path) -> None:
    other = replace(
        PAIR, prompt="Cleo has 7 beads.", chosen="Step 1: Dan has 7*2=14.", rejected="Step 1: Dan has 7-2=5."
    )
    settings = dpo(epochs=6)
    margins = {}
    for weight in (0.0, 0.75, 1.0):
        rows = [PAIR, replace(other, consistency=weight)] * 4
        train_preferences(tiny_model, rows, FAMILY, settings, HERE, 1, tmp_path / f"{weight}")
        margins[weight] = implicit_margins(tmp_path / f"{weight}", tiny_model, [PAIR, other], FAMILY, 4, 1)
    assert all(first > 0 for first, _ in margins.values())
    assert margins[0.0][1] < 0 < margins[0.75][1] < margins[1.0][1]
