"""The world of deduction: its text, its oracle, its misconceptions, what is held out, and a base by its recipe."""

from __future__ import annotations

import hashlib
import random
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from conftest import assert_roles_keep_apart, phase

from pipeline import params
from pipeline.core import files, plugins
from pipeline.core.config import build
from pipeline.domains.deduction import authors, base, exact, final, misconceptions, oracle
from pipeline.domains.deduction import problems as roles
from pipeline.domains.deduction.settings import Settings
from pipeline.domains.deduction.theories import (
    DOERS,
    NAMES,
    TRAVEL,
    VERBS,
    Rule,
    Theory,
    generate,
    read,
    reserved,
    signature,
    write,
)
from pipeline.language.steps import body
from pipeline.training import corpus

TEXT = (
    "Rex bakes. Max paints. Painters ski. Readers bake. Bakers sing. Singers drive. Readers sail. How does Rex travel?"
)
SOLUTION = [
    "Step 1: Rex bakes. Bakers sing. So Rex sings",
    "Step 2: Rex sings. Singers drive. So Rex drives",
    "Step 3: The answer is drive",
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
        "Rex bakes.",
        "Rex bakes. How does Max travel?",
        "Rex bakes. Bakers drive. Does Rex drive?",
        "Rex bakes. Readers drive. How does Rex travel?",
        "Rex bakes. Bakers sing. Singers bake. How does Rex travel?",
        "Rex bakes. Drivers sing. Bakers drive. How does Rex travel?",
        "Rex often bakes. Bakers drive. How does Rex travel?",
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


def test_the_proof_is_the_only_one_so_the_answer_is_the_only_way_to_travel_that_follows() -> None:
    for theory, _ in theories(300):
        known = {theory.fact}
        for _ in theory.rules:
            known |= {rule.conclusion for rule in theory.rules if rule.premise in known}
        assert known & set(TRAVEL) == {exact.answer(theory)} and len(known) == len(theory.proof()) + 1


def test_each_misconception_is_read_as_its_kind_says_and_the_oracle_rejects_it() -> None:
    slips = [slip.text() for slip in misconceptions.slips(read(TEXT), [])]
    assert slips == [
        "Rex bakes. Readers bake. So Rex reads",  # converse
        "Rex paints. Painters ski. So Rex skis",  # what Max does
        "Rex bakes. Painters ski. So Rex skis",  # the first rule of the text
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
        "Max bakes. Bakers sing. So Max sings",  # of another person
        "Rex bakes. Bakers sing. So Max sings",
        "Rex bakes. Bakers sing. So Rex drives",  # another conclusion than the rule's
        "Rex bakes. Singers drive. So Rex drives",  # a premise that is not shown yet
        "Rex bakes. Bakers drive. So Rex drives",  # two rules in one
        "Rex bakes. Boxers sing. So Rex sings",  # no word of this world
        "Rex bakes. Bakers sing. So Rex sings.",
        "The answer is drive",  # before it is shown
        "",
    ],
)
def test_the_oracle_rejects_other_slips(step: str) -> None:
    assert not oracle.right(TEXT, [], f"Step 1: {step}")


def test_an_earlier_slip_is_not_blamed_twice_and_every_solution_ends() -> None:
    slip = "Step 1: Rex bakes. Readers bake. So Rex reads"
    assert oracle.right(TEXT, [slip], "Step 2: Rex reads. Readers sail. So Rex sails")
    assert oracle.right(TEXT, [slip], SOLUTION[0].replace("Step 1", "Step 2"))
    assert not oracle.right(TEXT, [slip], "Step 2: Rex reads. Readers bake. So Rex bakes")
    for theory, rng in theories(300):
        steps = misconceptions.write_steps(theory, rng, 1.0)
        assert len(steps) <= authors.longest(theory) and final.read(steps[-1]) in TRAVEL
        if steps != exact.solve(theory):
            assert not all(exact.right(theory, steps[:i], step) for i, step in enumerate(steps))


def test_the_oracle_prefers_only_where_exactly_one_step_is_right() -> None:
    slip = "Step 1: Rex bakes. Readers bake. So Rex reads"
    assert oracle.compare(TEXT, [], SOLUTION[0], slip) == (f"{body(SOLUTION[0])} A", "A")
    assert oracle.compare(TEXT, [], slip, SOLUTION[0]) == (f"{body(SOLUTION[0])} B", "B")
    assert oracle.compare(TEXT, [], slip, "Step 1: The answer is drive") == (f"{body(SOLUTION[0])} C", "C")
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
    assert final.read("\n".join(SOLUTION)) == "drive" and final.read(SOLUTION[0]) is None
    assert final.end(SOLUTION[2] + "\nmore") == len(SOLUTION[2]) and final.end(SOLUTION[1]) is None
    grading, solutions = (plugins.part("pipeline.domains", "deduction", role) for role in ("grading", "solutions"))
    assert solutions.by_line("\n".join(body(step) for step in SOLUTION)) == "\n".join(SOLUTION)
    assert grading.right("drive", "drive") and not grading.right("sail", "drive")


def test_evaluation_rounds_and_corpus_share_no_proof() -> None:
    held_out = roles.evaluation(settings(easy=(1, 2, 50), hard=(4, 4, 50)))
    before = {signature(read(row.prompt)) for row in held_out}
    assert len(before) == 100 and {len(read(row.prompt).proof()) for row in held_out[50:]} == {4}
    assert_roles_keep_apart(roles, settings(), lambda prompt: signature(read(prompt)), before)
    for document in corpus.documents(authors, 2025, phase(300), 0.5):
        assert not reserved(read(document.prompt.removeprefix("Question: ").split("\n")[0]))


def test_problems_that_differ_in_names_order_and_distractors_alone_share_their_signature() -> None:
    theory = read(TEXT)
    other = Theory((("Bella", "bake"),), (Rule("sing", "drive"), Rule("bake", "sing")), "Bella")
    assert signature(theory) == signature(other) == "bake sing drive"
    digest = hashlib.sha256(b"bake sing drive").digest()[0]
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
    kinds = Counter[str]()
    for document in corpus.documents(authors, 5, phase(100, lines=1.0), 0.5):
        lines, answer = document.prompt.splitlines(), document.steps[0]
        kinds[lines[0]] += 1
        if lines[-1] == "[Again]":
            assert sorted(answer.split()) == sorted(lines[1].split()) and ("." in answer or answer == lines[1])
        else:
            label = answer[-2]
            right = exact.claim(lines["AB".index(label) + 1].removesuffix(f" {label}"))
            wrong = exact.claim(lines["BA".index(label) + 1].removesuffix(f" {'BA'['AB'.index(label)]}"))
            assert right and wrong and answer == f"{right.text()} {label} ({label})"
            assert right == exact.applied(right.name, right.rule) and wrong != exact.applied(wrong.name, wrong.rule)
    assert len(kinds) == 2 and min(kinds.values()) > 10


def test_marked_lines_are_right_where_the_premise_is_what_the_line_starts_from() -> None:
    marks = Counter[str]()
    for document in corpus.documents(authors, 5, phase(50, marks=1.0), 0.5):
        marked = re.findall(r"(\S.*?) (right|wrong)(?= |$)", document.steps[0])
        assert " ".join(text for text, _ in marked) == document.prompt.splitlines()[1]
        for text, mark in marked:
            shown = text.replace(".", "").split()
            fact, premise = shown[1:3] if "So" in shown else shown
            assert (mark == "right") == (f"{DOERS[premise]}s" == fact)
            marks[mark] += 1
    assert 0.4 < marks["right"] / marks.total() < 0.6


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
    for word in [*NAMES, *DOERS, *(form for verb in [*VERBS, *TRAVEL] for form in (verb, f"{verb}s"))]:
        assert len(words.encode(f" {word}", add_special_tokens=False)) == 1


def test_the_shipped_base_is_small_and_has_the_shape_of_its_recipe() -> None:
    recipe = build(Settings, params.profile("deduction")["deduction"], "deduction.").recipe
    config = files.read_json(base.SHIPPED / "config.json")
    assert (config["hidden_size"], config["num_hidden_layers"]) == (recipe.width, recipe.layers)
    assert sum(file.stat().st_size for file in base.SHIPPED.iterdir()) < 5_000_000


def test_the_profile_is_the_tiny_one_with_another_world_and_rates_for_it() -> None:
    tiny, own = (yaml.safe_load(params.text(name)) for name in ("tiny", "deduction"))
    changed = {"domain", "prompts", "rounds", "problems", "arithmetic", "psrlm", "scale"}
    assert {key for key in tiny if own.get(key) != tiny[key]} == changed
    assert set(own) - set(tiny) == {"deduction"}
