"""The diagnostics see with the oracle what a search did, and change nothing of it."""

from __future__ import annotations

import random

from pipeline.core.records import Candidate, Node, Preference, SearchTree, State, Tree, Verdict
from pipeline.domains.arithmetic import exact, oracle
from pipeline.domains.arithmetic.graphs import generate, write
from pipeline.evaluation import gates
from pipeline.methods.psrlm.judge import Ranking


def tree(best: int | None, worst: int | None, verdicts: tuple[Verdict, ...]) -> Tree:
    """A search whose first state holds a right step (0), a wrong one (1) and something that is no step (2)."""
    graph = generate(random.Random(1), 2)
    right = exact.solve(graph)[0]
    texts = (right, right + "0", "hm")
    finishes = ("step", "step", "marker")
    candidates = tuple(Candidate(t, 3 - i, 0.0, f, False) for i, (t, f) in enumerate(zip(texts, finishes, strict=True)))
    state = State((), candidates, verdicts, "step" if best is not None else "tie", best, worst, False, in_full=True)
    return Tree("p", write(graph), (state,), (), "answer")


BOTH_RIGHT = (Verdict(0, 1, "", "A"), Verdict(1, 0, "", "B"))
ALWAYS_A = (Verdict(0, 1, "", "A"), Verdict(1, 0, "", "A"))


def test_a_pair_the_right_way_round_counts_for_the_judge_and_an_inverted_one_against_it() -> None:
    shares = gates.on_policy(oracle, [tree(0, 1, BOTH_RIGHT), tree(1, 0, ALWAYS_A), tree(None, None, ())])
    assert shares["mixed"] == 1.0
    assert shares["right_way"] == 0.5 and shares["right_way_count"] == 2
    assert shares["pairs"] == {"inverted": 1, "right": 1}
    assert shares["verdict_accuracy"] == 0.75
    assert shares["verdict_consistency"] == 0.5


def test_the_control_takes_one_right_and_one_wrong_step_of_each_mixed_state() -> None:
    (pair,), dropped = gates.control_pairs(oracle, [tree(1, 0, ALWAYS_A)])
    assert not dropped
    assert exact.right(generate(random.Random(1), 2), [], pair.chosen)
    assert not exact.right(generate(random.Random(1), 2), [], pair.rejected)
    single = tree(None, None, ())
    alone = Tree(
        "p", single.prompt, (State((), single.states[0].candidates[:1], (), "single", 0, None, False),), (), "x"
    )
    kept, dropped = gates.control_pairs(oracle, [alone])
    assert not kept and [row.reason for row in dropped] == ["all_right"]


def test_pairs_turned_at_random_are_the_same_pairs_and_about_half_of_them_turned() -> None:
    judged = [
        Preference(f"p{number}", 1, "q", (), "best", "worst", True, False, 3.0, 1.0, "m2") for number in range(400)
    ]
    turned = gates.turned_at_random(judged, seed=1)
    assert gates.turned_at_random(judged[::-1], seed=1) == turned[::-1] != gates.turned_at_random(judged, seed=2)[::-1]
    sides = {
        (p.chosen, p.chosen_terminal, p.chosen_score, p.rejected, p.rejected_terminal, p.rejected_score) for p in turned
    }
    assert sides == {("best", True, 3.0, "worst", False, 1.0), ("worst", False, 1.0, "best", True, 3.0)}
    assert [pair.problem_id for pair in turned] == [pair.problem_id for pair in judged]
    assert 160 < sum(pair.chosen == "worst" for pair in turned) < 240


def test_pairs_of_a_layer_are_right_only_with_the_right_step_over_the_wrong_one() -> None:
    graph = generate(random.Random(1), 2)
    right = exact.solve(graph)[0]
    nodes = [Node(-1, "", 0.5, 1, 0.5, False)]
    nodes += [Node(0, text, score, 1, score, False) for text, score in ((right, 0.9), (right + "0", 0.1), ("hm", 0.4))]
    layers = gates.layers([SearchTree("p", write(graph), tuple(nodes), "searched")])
    assert [layer.key for layer in layers] == ["p/0"]
    quality = gates.pair_precision(oracle, layers, {"p/0": Ranking((), (0.0, 2.0, 1.0), 1, 0)}, 0.2)
    assert (quality["prm_right"], quality["judge_right"]) == (1.0, 0.0)
    assert quality["random_right"] == 2 / 6 and quality["random_right_of_mixed"] == 0.5
    assert (
        gates.pair_precision(oracle, layers, {"p/0": Ranking((), (0.0, 2.0, 1.0), 1, 0)}, 0.9)["prm_right_count"] == 0
    )
