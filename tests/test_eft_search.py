"""The tree search with a process reward model, on scripted engines."""

from __future__ import annotations

from typing import Any

from conftest import scripted

from pipeline.core.config import Sampling
from pipeline.core.records import Problem, SearchTree
from pipeline.inference.requests import Completion, Request
from pipeline.language.renderer import Renderer
from pipeline.methods.psrlm import eft_search
from pipeline.methods.psrlm.layers import layers
from pipeline.methods.psrlm.prm import quality
from pipeline.methods.psrlm.settings import EftSearch

SETTINGS = EftSearch(
    width=4,
    iterations=10,
    depth=3,
    exploration=1.0,
    sampling=Sampling(temperature=0.8, top_p=0.95, max_tokens=40),
    max_steps=6,
)


def policy(prompt: str, request: Request) -> Completion:
    number = prompt.count("Step ")
    word = ("good", "fair", "bad")[request.seed % 3]
    box = " \\boxed{7}." if number == 3 else ""
    return Completion(f" {word}{box}", "stop", 5, number == 3)


def rating(prompt: str, request: Request) -> Completion:
    last = prompt.rstrip(" ?\n").rsplit("Step ", 1)[1]
    plus = {"good": 2.0, "fair": 0.0, "bad": -2.0}[last.split()[1].rstrip()]
    return Completion("+", "stop", 1, label_logprobs=(plus, 0.0))


def grow(renderer: Renderer, answer: Any = policy) -> dict[str, SearchTree]:
    problems = [Problem(f"p{i}", f"What is {i}?", "eft") for i in range(4)]
    tasks = {p.problem_id: eft_search.search(renderer, p, SETTINGS, 1) for p in problems}
    return scripted(renderer.tokenizer, tasks, answer, prm=rating)


def test_every_node_is_rated_and_visits_add_up(renderer: Renderer) -> None:
    for tree in grow(renderer).values():
        root, *others = tree.nodes
        assert root.parent == -1 and root.visits == SETTINGS.iterations
        for index, node in enumerate(tree.nodes):
            children = [child for child in others if child.parent == index]
            assert sum(child.visits for child in children) <= node.visits
            assert len({child.step for child in children}) == len(children)
        assert all(0 < node.score < 1 for node in others)
        assert all(node.terminal == ("boxed" in node.step) for node in others)


def test_the_search_goes_deeper_where_the_prm_is_pleased(renderer: Renderer) -> None:
    visits = {"good": 0, "bad": 0}
    for tree in grow(renderer).values():
        for node in tree.nodes:
            for word in visits:
                visits[word] += node.visits if node.step.startswith(f"Step 1: {word}") else 0
    assert visits["good"] > visits["bad"]


def test_a_layer_is_the_best_and_the_worst_child_of_one_parent(renderer: Renderer) -> None:
    for layer in layers(grow(renderer).values()):
        assert layer.best_score >= layer.worst_score
        assert layer.best.split(":")[0] == layer.worst.split(":")[0] == f"Step {len(layer.steps) + 1}"


def test_a_problem_too_long_for_the_context_is_recorded(renderer: Renderer) -> None:
    trees = grow(renderer, lambda prompt, request: Completion("", "context", 0))
    assert all(eft_search.too_long(tree) and not tree.nodes for tree in trees.values())


def test_the_quality_of_ratings_counts_found_faults() -> None:
    measured = quality([0.9, 0.2, 0.8, 0.4], [True, False, False, True])
    assert (measured["steps"], measured["accuracy"], measured["f1"]) == (4, 0.5, 0.5)
