import random
import re
from collections import Counter
from pathlib import Path

import pytest
from conftest import ROOT, assert_roles_keep_apart, phase

from pipeline.core import config, files
from pipeline.core.records import Node, SearchTree
from pipeline.domains.arithmetic import authors, exact, misconceptions, oracle
from pipeline.domains.arithmetic import problems as roles
from pipeline.domains.arithmetic.graphs import compute, generate, read, reserved, signature, write
from pipeline.domains.arithmetic.settings import Settings
from pipeline.language import prompts
from pipeline.language.steps import split
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


@pytest.mark.parametrize("family", ["arithmetic", "deduction"])
def test_the_judge_is_asked_in_the_words_that_the_corpus_has_for_two_steps(family: str) -> None:
    """A base of this size loses the skill under words that it never saw (reports/deduction.md)."""
    assert prompts.template(family, "step_judge") == prompts.template(family, "examination")


def test_the_scorer_is_asked_in_the_words_that_the_corpus_has_for_a_shown_solution() -> None:
    assert prompts.template("arithmetic", "solution_judge") == prompts.template("arithmetic", "solution_label")


def test_short_exercises_say_words_again_in_order_and_computations_in_another() -> None:
    kinds = Counter[str]()
    for document in corpus.documents(authors, 5, phase(200, lines=1.0), 0.5):
        (answer,), lines = document.steps, document.prompt.splitlines()[1:-1]
        if len(lines) > 1:  # two lines, see below
            kinds["two lines"] += 1
        elif "=" in answer:
            assert sorted(answer.split()) == sorted(lines[0].split())
            kinds["computations"] += 1
        else:
            assert answer.replace("+", " and ") == lines[0]
            kinds["pairs" if "+" in answer else "words"] += 1
    assert len(kinds) == 4 and min(kinds.values()) > 5


def test_of_two_lines_alone_the_right_one_is_rewritten_with_its_label() -> None:
    for document in corpus.documents(authors, 5, phase(100, two_lines=1.0), 0.5):
        (answer,), (first, second) = document.steps, document.prompt.splitlines()[1:3]
        note, label = answer.rsplit(" (", 1)[0].rsplit(" ", 1)
        assert (label != "C") == (note in (first.removesuffix(" A"), second.removesuffix(" B")))
        assert label == "C" or note == {"A": first, "B": second}[label].removesuffix(f" {label}")


def test_marked_lines_are_right_where_their_numbers_are_and_shown_solutions_as_the_oracle_says() -> None:
    kinds = Counter[str]()
    for document in corpus.documents(authors, 5, phase(100, marks=1.0), 0.5):
        (answer,) = document.steps
        if document.prompt.startswith("Work"):
            assert all(evaluated(text) for text in answer.split())
            kinds["worked out"] += 1
        elif "Step 1" in answer:
            problem, solution = document.prompt.split("Question: ")[1].split("\nSolution:\n")
            steps = split(solution.split("\n[Check]")[0])
            assert split(answer) == oracle.mark(problem, steps)[0]
            kinds["solution"] += 1
        else:
            for text, mark in re.findall(r"(\S+) (right|wrong)", answer):
                assert (mark == "right") == evaluated(text.split("=", 2)[2])
            kinds["lines"] += 1
    assert len(kinds) == 3 and min(kinds.values()) > 10


def evaluated(text: str) -> bool:
    """Whether what stands before the equals sign has the value after it."""
    left, sign, right, value = re.fullmatch(r"(\d+)([-+*])(\d+)=(\d+)", text).groups()
    return compute(int(left), sign, int(right)) == int(value)
