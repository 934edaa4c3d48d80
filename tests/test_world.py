import random

from pipeline.core.params import Phase
from pipeline.domains.arithmetic import corpus, oracle, roles, sloppy
from pipeline.domains.arithmetic.problems import generate, read, reserved, signature, write
from pipeline.methods.psrlm import judge


def problems(count: int):
    rng = random.Random(0)
    for _ in range(count):
        graph = generate(rng, rng.randint(1, 7))
        yield graph, write(graph), rng


def test_a_problem_reads_back_as_the_graph_it_was_written_from() -> None:
    for graph, text, _ in problems(200):
        assert read(text) == graph


def test_the_oracle_finds_its_own_solution_right_and_every_misconception_wrong() -> None:
    for graph, _, rng in problems(200):
        right = oracle.solve(graph)
        assert all(oracle.right(graph, right[:i], step) for i, step in enumerate(right))
        assert right[-1].endswith(oracle.final(oracle.answer(graph)))
        careless = sloppy.write_steps(graph, rng, 1.0)
        if careless != right:
            assert not all(oracle.right(graph, careless[:i], step) for i, step in enumerate(careless))


def test_the_oracle_prefers_only_where_exactly_one_step_is_right() -> None:
    for graph, text, rng in problems(200):
        steps = oracle.solve(graph)
        depth = rng.randrange(len(steps))
        other = corpus.candidate(graph, steps[:depth], rng)
        verdict = judge.parse(roles.annotate(text, steps[:depth], other, steps[depth]))
        assert verdict == ("C" if oracle.right(graph, steps[:depth], other) else "B")
        assert judge.parse(roles.annotate(text, steps[:depth], steps[depth], other)) in ("C", "A")


def test_numbers_up_to_three_digits_are_one_token_and_any_text_comes_back(words) -> None:
    for number in range(1000):
        assert len(words.encode(str(number), add_special_tokens=False)) == 1
    for text in ("Solve $x^2=4$ für ∞ €5 一二\n\n\t«ok»", "\\frac{1}{2}", "12345"):
        assert words.decode(words.encode(text, add_special_tokens=False)) == text


def test_evaluation_rounds_and_corpus_share_no_arithmetic() -> None:
    held_out = roles.evaluation(2025, {"easy": [2, 3, 50], "hard": [6, 7, 50]})
    before = {signature(read(row.prompt)) for row in held_out}
    assert len(before) == 100
    seen: set[str] = set()
    for name in ("ift", "eft", "round-m2", "round-m3"):
        rows = roles.role(1, name, 50, seen, solved=False)
        mine = {signature(read(row.prompt)) for row in rows}
        assert len(mine) == 50 and not mine & before
        before |= mine
        assert all(row.answer is None and row.solution is None for row in rows)
    phase = Phase(300, 0.0, 0.0, 0.0, 0.0, 0.01, 0.01)
    for document in corpus.documents(2025, phase, 0.5):
        problem = document.prompt.removeprefix("Question: ").split("\n")[0]
        assert not reserved(read(problem))


def test_a_larger_split_begins_with_the_smaller_ones_problems() -> None:
    small = roles.evaluation(2025, {"easy": [2, 3, 5], "hard": [6, 7, 5]})
    large = roles.evaluation(2025, {"easy": [2, 3, 20], "hard": [6, 7, 20]})
    assert small == large[:5] + large[20:25]
