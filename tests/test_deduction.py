"""The world of deduction: its text, its oracle, its misconceptions, what is held out, and a base by its recipe."""

from __future__ import annotations

import hashlib
import random
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from conftest import assert_roles_keep_apart, phase

from pipeline import params
from pipeline.core import plugins
from pipeline.core.config import build
from pipeline.domains.deduction import authors, base, exact, final, misconceptions, oracle
from pipeline.domains.deduction import problems as roles
from pipeline.domains.deduction.settings import Settings
from pipeline.domains.deduction.theories import COLOURS, Rule, Theory, generate, read, reserved, signature, write
from pipeline.language.steps import body
from pipeline.training import corpus

TEXT = (
    "Rex is kind. Max is wild. If wild then pink. If big then kind. If kind then shy. "
    "If shy then red. If big then blue. What colour is Rex?"
)
SOLUTION = [
    "Step 1: Rex is kind. If kind then shy. So Rex is shy",
    "Step 2: Rex is shy. If shy then red. So Rex is red",
    "Step 3: The answer is red",
]


def settings(**splits: tuple[int, int, int]) -> Settings:
    """The profile's world with other evaluation splits."""
    section = params.profile("deduction")["deduction"]
    return build(Settings, section, "deduction.").model_copy(update={"splits": splits})


def theories(count: int) -> Iterator[tuple[Theory, random.Random]]:
    rng = random.Random(0)
    for _ in range(count):
        yield generate(rng, rng.randint(1, 4)), rng


def test_a_problem_reads_back_as_the_theory_it_was_written_from() -> None:
    assert write(read(TEXT)) == TEXT
    for theory, _ in theories(300):
        assert read(write(theory)) == theory


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Rex is kind.",
        "Rex is kind. What colour is Max?",
        "Rex is kind. Is Rex red?",
        "Rex is kind. If big then red. What colour is Rex?",
        "Rex is kind. If kind then shy. If shy then kind. What colour is Rex?",
        "Rex is very kind. If kind then red. What colour is Rex?",
    ],
)
def test_what_is_no_problem_of_this_world_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="of the world of deduction"):
        read(text)


def test_the_oracle_finds_each_step_of_the_exact_proof_right_and_no_other_rule_is_needed() -> None:
    assert exact.solve(read(TEXT)) == SOLUTION
    for theory, _ in theories(300):
        steps = exact.solve(theory)
        assert all(exact.right(theory, steps[:i], step) for i, step in enumerate(steps))
        assert [body(step) for step in steps] == [exact.next_step(theory, steps[:i]) for i in range(len(steps))]
        assert len(steps) == len(theory.proof()) + 1 and final.read(steps[-1]) == exact.answer(theory)


def test_the_proof_is_the_only_one_so_the_answer_is_the_only_colour_that_follows() -> None:
    for theory, _ in theories(300):
        known = {theory.fact}
        for _ in theory.rules:
            known |= {rule.conclusion for rule in theory.rules if rule.premise in known}
        assert known & set(COLOURS) == {exact.answer(theory)} and len(known) == len(theory.proof()) + 1


def test_each_misconception_is_read_as_its_kind_says_and_the_oracle_rejects_it() -> None:
    slips = [slip.text() for slip in misconceptions.slips(read(TEXT), [])]
    assert slips == [
        "Rex is kind. If big then kind. So Rex is big",  # converse
        "Rex is wild. If wild then pink. So Rex is pink",  # Max's fact
        "Rex is kind. If wild then pink. So Rex is pink",  # the first rule of the text
    ]
    kinds = 0
    for theory, rng in theories(300):
        steps = misconceptions.write_steps(theory, rng, 0.5)
        for depth in range(len(steps)):
            for slip in misconceptions.slips(theory, steps[:depth]):
                kinds += 1
                assert not exact.right(theory, steps[:depth], f"Step {depth + 1}: {slip.text()}")
    assert kinds > 200


@pytest.mark.parametrize(
    "step",
    [
        "Max is kind. If kind then shy. So Max is shy",  # of another pet
        "Rex is kind. If kind then shy. So Max is shy",
        "Rex is kind. If kind then shy. So Rex is red",  # another conclusion than the rule's
        "Rex is kind. If shy then red. So Rex is red",  # a premise that is not shown yet
        "Rex is kind. If kind then red. So Rex is red",  # two rules in one
        "Rex is kind. If kind then shy. So Rex is shy.",
        "The answer is red",  # before it is shown
        "",
    ],
)
def test_the_oracle_rejects_other_slips(step: str) -> None:
    assert not oracle.right(TEXT, [], f"Step 1: {step}")


def test_an_earlier_slip_is_not_blamed_twice_and_every_solution_ends() -> None:
    slip = "Step 1: Rex is kind. If big then kind. So Rex is big"
    assert oracle.right(TEXT, [slip], "Step 2: Rex is big. If big then blue. So Rex is blue")
    assert oracle.right(TEXT, [slip], SOLUTION[0].replace("Step 1", "Step 2"))
    assert not oracle.right(TEXT, [slip], "Step 2: Rex is big. If big then kind. So Rex is kind")
    for theory, rng in theories(300):
        steps = misconceptions.write_steps(theory, rng, 1.0)
        assert len(steps) <= authors.longest(theory) and final.read(steps[-1]) in COLOURS
        if steps != exact.solve(theory):
            assert not all(exact.right(theory, steps[:i], step) for i, step in enumerate(steps))


def test_the_oracle_prefers_only_where_exactly_one_step_is_right() -> None:
    slip = "Step 1: Rex is kind. If big then kind. So Rex is big"
    assert oracle.compare(TEXT, [], SOLUTION[0], slip) == (f"{body(SOLUTION[0])} A", "A")
    assert oracle.compare(TEXT, [], slip, SOLUTION[0]) == (f"{body(SOLUTION[0])} B", "B")
    assert oracle.compare(TEXT, [], slip, "Step 1: The answer is red") == (f"{body(SOLUTION[0])} C", "C")
    assert oracle.mark(TEXT, SOLUTION) == ([f"{step} right" for step in SOLUTION], 5)
    assert oracle.mark(TEXT, SOLUTION[:2])[1] == 4 and oracle.mark(TEXT, [slip, *SOLUTION[1:2]])[1] == 0


def test_labelled_solutions_hold_misconceptions_and_are_the_same_for_a_seed() -> None:
    problems = roles.training(settings(), 1, "prm", 60, set())
    rows = oracle.labelled(problems, settings(), 1)
    assert rows == oracle.labelled(problems, settings(), 1) != oracle.labelled(problems, settings(), 2)
    labels = [label for row in rows for label in row.labels]
    assert 0.3 < sum(labels) / len(labels) < 0.95
    assert [row.labels for row in rows] == [
        tuple(oracle.right(row.prompt, row.completions[:i], step) for i, step in enumerate(row.completions))
        for row in rows
    ]


def test_an_answer_is_read_ends_a_solution_and_is_graded_as_a_word() -> None:
    assert final.read("\n".join(SOLUTION)) == "red" and final.read(SOLUTION[0]) is None
    assert final.end(SOLUTION[2] + "\nmore") == len(SOLUTION[2]) and final.end(SOLUTION[1]) is None
    grading, solutions = (plugins.part("pipeline.domains", "deduction", role) for role in ("grading", "solutions"))
    assert solutions.by_line("\n".join(body(step) for step in SOLUTION)) == "\n".join(SOLUTION)
    assert grading.right("red", "red") and not grading.right("blue", "red")


def test_evaluation_rounds_and_corpus_share_no_proof() -> None:
    held_out = roles.evaluation(settings(easy=(1, 2, 50), hard=(4, 4, 50)))
    before = {signature(read(row.prompt)) for row in held_out}
    assert len(before) == 100 and {len(read(row.prompt).proof()) for row in held_out[50:]} == {4}
    assert_roles_keep_apart(roles, settings(), lambda prompt: signature(read(prompt)), before)
    for document in corpus.documents(authors, 2025, phase(300), 0.5):
        assert not reserved(read(document.prompt.removeprefix("Question: ").split("\n")[0]))


def test_problems_that_differ_in_names_order_and_distractors_alone_share_their_signature() -> None:
    theory = read(TEXT)
    other = Theory((("Bella", "kind"),), (Rule("shy", "red"), Rule("kind", "shy")), "Bella")
    assert signature(theory) == signature(other) == "kind shy red"
    digest = hashlib.sha256(b"kind shy red").digest()[0]
    assert reserved(theory) == (digest % 8 == 0)


def test_problems_and_corpus_are_the_same_for_a_seed() -> None:
    kinds = phase(100, checks=0.3, homework=0.2, contrasts=0.2, lines=0.2)
    first, again, other = (list(corpus.documents(authors, seed, kinds, 0.5)) for seed in (1, 1, 2))
    assert first == again != other
    assert roles.training(settings(), 1, "eft", 20, set()) == roles.training(settings(), 1, "eft", 20, set())
    small, large = (roles.evaluation(settings(easy=(1, 2, count))) for count in (5, 20))
    assert small == large[:5]


def test_a_note_rewrites_the_right_step_with_its_label_and_no_document_holds_a_verdict() -> None:
    labels = set()
    for document in corpus.documents(authors, 5, phase(200, checks=1.0), 0.5):
        assert "[[" not in document.prompt + document.steps[0]
        note, _, label = document.steps[0].removesuffix(")").rpartition(" (")
        lines = [line for line in document.prompt.splitlines() if line.endswith((" A", " B"))][-2:]
        labels.add(label)
        shown = [body(line.removesuffix(" A").removesuffix(" B")) for line in lines]
        if label != "C":
            assert note == f"{shown['AB'.index(label)]} {label}"
    assert labels == set("ABC")


def test_an_exercise_says_again_what_its_prompt_says_or_names_the_line_that_keeps_to_its_rule() -> None:
    kinds = set()
    for document in corpus.documents(authors, 5, phase(100, lines=1.0), 0.5):
        lines, answer = document.prompt.splitlines(), document.steps[0]
        if lines[-1] == "[Again]":
            kinds.add(answer[:2])
            repeated, shown = (
                set(re.findall(r"[^.,]+", text.replace(". ", ".").replace(", ", ","))) for text in (answer, lines[1])
            )
            assert repeated == shown
        else:
            label = answer[-2]
            right = exact.claim(lines["AB".index(label) + 1].removesuffix(f" {label}"))
            wrong = exact.claim(lines["BA".index(label) + 1].removesuffix(f" {'BA'['AB'.index(label)]}"))
            assert right and wrong and answer == f"{right.text()} {label} ({label})"
            assert right == exact.applied(right.name, right.rule) and wrong != exact.applied(wrong.name, wrong.rule)
    assert "If" in kinds and len(kinds) > 1


def test_the_recipe_trains_a_base_whose_words_are_single_tokens_and_the_same_bytes_again(tmp_path: Path) -> None:
    phases = (phase(24, checks=0.4, homework=0.2, lines=0.1), phase(12, contrasts=0.5))
    small = {"width": 32, "layers": 1, "batch_size": 12, "phases": phases}
    world = settings(easy=(1, 2, 5))
    world = world.model_copy(update={"recipe": world.recipe.model_copy(update=small)})
    statistics = [base.train(world, 1, tmp_path / name) for name in "ab"]
    assert [phase["documents"] for phase in statistics[0]] == [24, 12] and statistics[0] == statistics[1]
    weights = [(tmp_path / name / "model.safetensors").read_bytes() for name in "ab"]
    assert weights[0] == weights[1]
    from transformers import AutoTokenizer

    words = AutoTokenizer.from_pretrained(tmp_path / "a")
    for word in [*COLOURS, "kind", "cheerful", "is", "then", "So"]:
        assert len(words.encode(f" {word}", add_special_tokens=False)) == 1


def test_the_profile_is_the_tiny_one_with_another_world() -> None:
    tiny, own = (yaml.safe_load(params.text(name)) for name in ("tiny", "deduction"))
    assert {key for key in tiny if own.get(key) != tiny[key]} == {"domain", "prompts", "base", "arithmetic"}
    assert set(own) - set(tiny) == {"deduction"}
