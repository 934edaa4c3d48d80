import random
from pathlib import Path

from conftest import ROOT, assert_roles_keep_apart, phase

from pipeline.core import config, files
from pipeline.core.records import Node, SearchTree
from pipeline.domains.arithmetic import authors, exact, misconceptions, oracle
from pipeline.domains.arithmetic import problems as roles
from pipeline.domains.arithmetic.graphs import generate, read, reserved, signature, write
from pipeline.domains.arithmetic.settings import Settings
from pipeline.methods.psrlm import eft, judge
from pipeline.training import corpus


def settings(**splits: tuple[int, int, int]) -> Settings:
    """The world of params.yaml with other evaluation splits."""
    return config.load(ROOT / "params.yaml", "arithmetic", Settings).model_copy(update={"splits": splits})


def graphs(count: int):
    rng = random.Random(0)
    for _ in range(count):
        graph = generate(rng, rng.randint(1, 7))
        yield graph, write(graph), rng


def test_a_problem_reads_back_as_the_graph_it_was_written_from() -> None:
    for graph, text, _ in graphs(200):
        assert read(text) == graph


def test_the_oracle_finds_its_own_solution_right_and_every_misconception_wrong() -> None:
    for graph, _, rng in graphs(200):
        right = exact.solve(graph)
        assert all(exact.right(graph, right[:i], step) for i, step in enumerate(right))
        assert right[-1].endswith(exact.final(exact.answer(graph)))
        careless = misconceptions.write_steps(graph, rng, 1.0)
        if careless != right:
            assert not all(exact.right(graph, careless[:i], step) for i, step in enumerate(careless))


def test_the_oracle_prefers_only_where_exactly_one_step_is_right(tmp_path: Path) -> None:
    trees, expected = [], {}
    for number, (graph, text, rng) in enumerate(graphs(200)):
        steps = exact.solve(graph)
        depth = rng.randrange(len(steps))
        other = authors.candidate(graph, steps[:depth], rng)
        nodes = [Node(-1, "", 0.5, 1, 0.5, False)]
        nodes += [Node(parent, step, 0.5, 1, 0.5, False) for parent, step in enumerate(steps[:depth])]
        nodes += [Node(depth, other, 0.9, 1, 0.9, False), Node(depth, steps[depth], 0.1, 1, 0.1, False)]
        trees.append(SearchTree(f"p{number}", text, tuple(nodes), "searched"))
        both_right = exact.right(graph, steps[:depth], other)
        expected |= {f"p{number}/{depth}/0": "BC"[both_right], f"p{number}/{depth}/1": "AC"[both_right]}
    files.write(tmp_path / eft.FILE, SearchTree, trees)
    annotation = eft.Annotation(tmp_path, config.load(ROOT / "params.yaml", "psrlm.eft", eft.Eft))
    winners = {key: judge.parse(text) for key, text in annotation.by_oracle(oracle, "arithmetic").items()}
    assert winners == expected and set(winners.values()) == set("ABC")


def test_numbers_up_to_three_digits_are_one_token_and_any_text_comes_back(words) -> None:
    for number in range(1000):
        assert len(words.encode(str(number), add_special_tokens=False)) == 1
    for text in ("Solve $x^2=4$ für ∞ €5 一二\n\n\t«ok»", "\\frac{1}{2}", "12345"):
        assert words.decode(words.encode(text, add_special_tokens=False)) == text


def test_evaluation_rounds_and_corpus_share_no_arithmetic() -> None:
    held_out = roles.evaluation(settings(easy=(2, 3, 50), hard=(6, 7, 50)))
    before = {signature(read(row.prompt)) for row in held_out}
    assert len(before) == 100
    assert_roles_keep_apart(roles, settings(), lambda prompt: signature(read(prompt)), before)
    for document in corpus.documents(authors, 2025, phase(300), 0.5):
        problem = document.prompt.removeprefix("Question: ").split("\n")[0]
        assert not reserved(read(problem))


def test_a_larger_split_begins_with_the_smaller_ones_problems() -> None:
    small = roles.evaluation(settings(easy=(2, 3, 5), hard=(6, 7, 5)))
    large = roles.evaluation(settings(easy=(2, 3, 20), hard=(6, 7, 20)))
    assert small == large[:5] + large[20:25]
