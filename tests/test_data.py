"""IFT, EFT and problem files: nothing altered, nothing lost, every drop with its reason."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from pipeline.core.errors import PipelineError
from pipeline.core.records import Node, Problem, SearchTree
from pipeline.data import ift, ratings
from pipeline.data.problems import Selection, held_out
from pipeline.data.settings import Source
from pipeline.data.sources import rows
from pipeline.domains.math import final, solutions
from pipeline.methods.psrlm import eft, layers
from pipeline.methods.psrlm.settings import Eft

SHARED = os.environ.get("PSR_SHARED_DATA")


def jsonl(path: Path, rows: list[object]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_segmenting_adds_markers_and_changes_nothing_else() -> None:
    problem = Problem("p", "q", "ift", None, "First 1+1=2.\n\nSo\n$$x\n= 2$$ it is \\boxed{2}.")
    (row,), dropped = ift.segmented([problem], {"p": solutions.by_line(problem.solution or "")}, (final, solutions))
    assert not dropped
    assert row.steps == ("Step 1: First 1+1=2.", "Step 2: So", "Step 3: $$x\n= 2$$ it is \\boxed{2}.")


@pytest.mark.parametrize(
    ("solution", "segmented", "reason"),
    [
        ("a \\boxed{1}", "Step 1: b \\boxed{1}", "altered"),
        ("a \\boxed{1}", "a \\boxed{1}", "no_steps"),
        ("a 1", "Step 1: a 1", "no_final_answer"),
        ("", "", "no_solution"),
    ],
)
def test_a_changed_solution_is_dropped_with_its_reason(solution: str, segmented: str, reason: str) -> None:
    kept, dropped = ift.segmented([Problem("p", "q", "ift", None, solution)], {"p": segmented}, (final, solutions))
    assert not kept
    assert [row.reason for row in dropped] == [reason]


def tree(problem: str, *scores: float) -> SearchTree:
    root = Node(-1, "", 1.0, 1, 0.5, False)
    return SearchTree(
        problem, "q", (root, *(Node(0, f"Step 1: s{i}", s, 1, s, False) for i, s in enumerate(scores))), "searched"
    )


def test_a_layer_gives_best_against_worst_in_both_orders() -> None:
    rows, dropped = judged([tree("p", 0.4, 0.9, 0.1)], prefers("s1"))
    assert not dropped
    assert [(row.a, row.b, row.winner) for row in rows] == [
        ("Step 1: s1", "Step 1: s2", "A"),
        ("Step 1: s2", "Step 1: s1", "B"),
    ]


SETTINGS = Eft(margin=0.2, pairs_per_problem=1, train_pairs=0, test_pairs=4, ties=0.25)


def changed(**values):
    return SETTINGS.model_copy(update=values)


def prefers(word: str):
    return lambda question: "[[A]]" if word in question.a else "[[B]]"


def judged(trees, annotate):
    questions, unasked = layers.questions(layers.layers(trees), SETTINGS)
    rows, dropped = eft.judged_pairs(questions, {q.key: annotate(q) for _, *both in questions for q in both})
    return rows, [*unasked, *dropped]


@pytest.mark.parametrize(
    ("scores", "annotate", "reason"),
    [
        ((0.5, 0.4), prefers("s0"), "margin"),
        ((0.9, 0.1), prefers("s1"), "disagrees_with_prm"),
        ((0.9, 0.1), lambda *_: "[[A]]", "inconsistent"),
        ((0.9, 0.1), lambda *_: "hm", "unreadable"),
    ],
)
def test_a_pair_that_is_left_out_keeps_its_reason(scores, annotate, reason: str) -> None:
    rows, dropped = judged([tree("p", *scores)], annotate)
    assert not rows
    assert [row.reason for row in dropped] == [reason]


def test_the_judge_test_set_is_held_out_by_problem_with_one_row_a_pair() -> None:
    trees = [tree(f"p{i}", 0.9, 0.1) for i in range(10)]
    rows, _ = judged(trees, prefers("s0"))
    train, test, surplus = eft.split(rows, SETTINGS, seed=1)
    assert not surplus
    assert len(test) == 4 and len(train) == 12
    assert not {row.problem_id for row in test} & {row.problem_id for row in train}
    assert {row.winner for row in eft.split(rows, changed(test_pairs=10), seed=1)[1]} == {"A", "B"}


def test_a_cap_on_the_train_pairs_leaves_both_orders_of_a_pair_together_and_records_the_rest() -> None:
    rows, _ = judged([tree(f"p{i}", 0.9, 0.1) for i in range(10)], prefers("s0"))
    train, test, surplus = eft.split(rows, changed(train_pairs=2), seed=1)
    everything, same_test, _ = eft.split(rows, SETTINGS, seed=1)
    assert test == same_test
    assert len(train) == 4 and [row for row in everything if row in train] == train
    assert [train[0].problem_id, train[2].problem_id] == [train[1].problem_id, train[3].problem_id]
    assert [row.reason for row in surplus] == ["train_set_full"] * 4


def test_ties_are_trained_on_up_to_their_share_and_never_tested() -> None:
    trees = [tree(f"p{i}", 0.9, 0.1) for i in range(20)]
    rows, _ = judged(trees, lambda q: "[[C]]" if int(q.key[1:].split("/")[0]) < 10 else prefers("s0")(q))
    train, test, surplus = eft.split(rows, SETTINGS, seed=1)
    assert sum(row.winner == "C" for row in train) == 4 and len(train) == 16
    assert not any(row.winner == "C" for row in test)
    assert [row.reason for row in surplus] == ["tie"] * 8
    assert not [row for row in eft.split(rows, changed(ties=0.0), seed=1)[0] if row.winner == "C"]


def test_sampling_follows_content_not_row_order(tmp_path: Path) -> None:
    rows = [{"q": f"problem {i}"} for i in range(50)]
    source = Source(path=str(jsonl(tmp_path / "a.jsonl", rows)), rows=10, prompt="q")
    other = Source(path=str(jsonl(tmp_path / "b.jsonl", rows[::-1])), rows=10, prompt="q")
    assert Selection([], 8, 1).take(source, "eft") == Selection([], 8, 1).take(other, "eft")
    selection = Selection([], 8, 1)
    first, second = selection.take(source, "eft"), selection.take(source, "ift")
    assert len(first) == len(second) == 10
    assert not {p.prompt for p in first} & {p.prompt for p in second}


def test_a_row_added_upstream_changes_at_most_one_chosen_problem(tmp_path: Path) -> None:
    rows = [{"q": f"problem {i}"} for i in range(50)]
    before = Selection([], 8, 1).take(Source(path=str(jsonl(tmp_path / "a.jsonl", rows)), rows=10, prompt="q"), "eft")
    rows.insert(7, {"q": "a new one"})
    after = Selection([], 8, 1).take(Source(path=str(jsonl(tmp_path / "b.jsonl", rows)), rows=10, prompt="q"), "eft")
    assert len({p.prompt for p in before} - {p.prompt for p in after}) <= 1


def test_a_training_prompt_that_overlaps_with_evaluation_is_left_out_with_both_texts(tmp_path: Path) -> None:
    held = "Anna picks seven red apples from the old tree behind her house. How many are left?"
    overlapping = [
        held.upper().replace(".", " !"),
        "Note: " + held.replace("How many are left?", "What is the sum?"),
        held.replace("seven", "7").replace("7", "seven"),
    ]
    short = "What is 3 + 4?"
    clean = ["Anna picks seven green pears from a young tree.", "What is 3 - 4?", "Bob has 2 dogs."]
    rows = [{"q": text} for text in [*overlapping, "what is 12+30 ?", *clean]]
    evaluation = [Problem("e-1", held, "e"), Problem("e-2", short, "e")]
    selection = Selection(evaluation, 8, 1)
    kept = selection.take(Source(path=str(jsonl(tmp_path / "a.jsonl", rows)), prompt="q"), "eft")
    assert {p.prompt for p in kept} == set(clean)
    assert {(o.evaluation_id, o.evaluation_prompt) for o in selection.overlaps} == {("e-1", held), ("e-2", short)}
    assert {o.prompt for o in selection.overlaps} == {*overlapping, "what is 12+30 ?"}


def test_a_short_evaluation_problem_is_found_inside_a_longer_prompt(tmp_path: Path) -> None:
    evaluation = [Problem("e-1", "Compute $\\cos 45^\\circ$.", "e"), Problem("e-2", "Why?", "e")]
    rows = [{"q": "Please compute \\cos 45^\\circ now."}, {"q": "Compute \\cos 450^\\circ now."}, {"q": "Tell me why?"}]
    selection = Selection(evaluation, 8, 1)
    kept = selection.take(Source(path=str(jsonl(tmp_path / "a.jsonl", rows)), prompt="q"), "eft")
    assert {p.prompt for p in kept} == {row["q"] for row in rows[1:]}
    assert [(o.rule, o.evaluation_id) for o in selection.overlaps] == [("contained", "e-1")]


def test_what_is_left_out_does_not_depend_on_row_order_and_every_row_is_accounted_for(tmp_path: Path) -> None:
    held = [
        Problem(f"e-{i}", f"Held-out problem {i} with more than eight words of its own: {'x' * i}", "e")
        for i in range(40)
    ]
    rows = [{"q": text} for i in range(40) for text in (f"problem {i}", f"Problem {i}.", held[i].prompt)]

    def left_out(name: str, order: list[dict[str, str]], rows: int) -> Selection:
        selection = Selection(held, 8, 1)
        chosen = selection.take(Source(path=str(jsonl(tmp_path / name, order)), rows=rows, prompt="q"), "eft")
        selection.take(Source(path=str(jsonl(tmp_path / name, order)), rows=5, prompt="q"), "ift")
        assert rows or len(chosen) + len(selection.overlaps) + len(selection.duplicates) >= len(order)
        return selection

    one, other = left_out("a.jsonl", rows, 10), left_out("b.jsonl", rows[::-1], 10)
    assert one.overlaps == other.overlaps and len(one.duplicates) == len(other.duplicates)
    assert 0 < len(one.overlaps) < 40
    assert {(d.role, d.kept_by) for d in one.duplicates} == {("eft", "eft"), ("ift", "eft"), ("ift", "ift")}


def test_every_row_of_an_evaluation_file_is_a_problem_even_if_two_are_equal(tmp_path: Path) -> None:
    path = jsonl(tmp_path / "a.jsonl", [{"q": "x", "a": 1}, {"q": "x", "a": 1}, {"q": "y", "a": 2}])
    problems = held_out(Source(path=str(path), prompt="q", answer="a"), "math", 1, [])
    assert [(p.problem_id, p.prompt, p.answer) for p in problems] == [
        ("math-00001", "x", "1"),
        ("math-00002", "x", "1"),
        ("math-00003", "y", "2"),
    ]


def test_csv_is_read_as_text_and_a_line_that_is_not_utf8_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text('q,other,a\n"two\nlines",1,007\n' + "plain,2,3\n" * 200_000 + "last,3,one half\n")
    numbered = list(rows(Source(path=str(path), prompt="q", answer="a"), ["q", "a"]))
    assert numbered[0] == (1, {"q": "two\nlines", "a": "007"})
    assert numbered[-1] == (200_002, {"q": "last", "a": "one half"})
    path.write_bytes(b"q,a\none,1\ncaf\xe9,2\n")
    with pytest.raises(PipelineError, match=r"a\.csv: line 3: not UTF-8"):
        list(rows(Source(path=str(path), prompt="q", answer="a"), ["q"]))
    with pytest.raises(PipelineError, match=r"column 'p' is missing; it has q, a"):
        list(rows(Source(path=str(path), prompt="p", answer="a"), ["p"]))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'{"q": "x"}\n{"p": "y"}\n', r"row 2: column 'q' is missing"),
        (b'{"q": "x"}\n{"q": "  "}\n', r"row 2: column 'q' is empty"),
        (b'{"q": "x"}\n{"q": 3}\n', r"row 2: column 'q' must be text"),
        (b'{"q": "x"}\n{"q": "\xff"}\n', r"row 2: not UTF-8"),
        (b'{"q": "x"}\n{"q": \n', r"row 2: not JSON"),
        (b'{"q": "x"}\n[1]\n', r"row 2: not a JSON object"),
        (b'{"q": "x"}\n', r"needs 5 problems, only 1"),
    ],
)
def test_a_bad_problems_file_is_named_with_its_row(content: bytes, message: str, tmp_path: Path) -> None:
    path = tmp_path / "bad.jsonl"
    path.write_bytes(content)
    with pytest.raises(PipelineError, match=message) as caught:
        Selection([], 8, 1).take(Source(path=str(path), rows=5, prompt="q"), "eft")
    assert str(path) in str(caught.value)


TABLE = {"instruction": "q", "responses": ["a"], "next_response": "b", "rating": 1}
RECORD = {
    "question": {"problem": "q"},
    "label": {
        "steps": [
            {"completions": [{"text": "a", "rating": 1}], "chosen_completion": 0, "human_completion": None},
            {
                "completions": [{"text": "b", "rating": 1}, {"text": "c", "rating": -1}],
                "chosen_completion": None,
                "human_completion": {"text": "d"},
            },
            {"completions": [{"text": "e", "rating": None}], "chosen_completion": None, "human_completion": None},
        ]
    },
}


def test_both_layouts_of_human_ratings_give_the_same_steps_pairs_and_labels(tmp_path: Path) -> None:
    table = [
        TABLE | {"responses": [], "next_response": "a"},
        TABLE,
        TABLE | {"next_response": "c", "rating": -1},
        TABLE | {"responses": ["a", "d"], "next_response": "e", "rating": None},
    ]
    from_table = ratings.read(Source(path=str(jsonl(tmp_path / "t.jsonl", table))))
    from_records = ratings.read(Source(path=str(jsonl(tmp_path / "r.jsonl", [RECORD]))))
    assert from_table == from_records
    (layer,) = layers.rated_layers(from_table)
    assert (layer.steps, layer.best, layer.worst) == (("Step 1: a",), "Step 2: b", "Step 2: c")
    questions, _ = layers.questions([layer], SETTINGS)
    rows, dropped = eft.judged_pairs(questions, eft.human_answers(questions))
    assert not dropped and [(row.winner, row.score_a, row.score_b) for row in rows] == [
        ("A", 1.0, -1.0),
        ("B", -1.0, 1.0),
    ]
    assert [row.labels for row in ratings.labelled(from_table, neutral=True)] == [(True,), (True, True), (True, False)]


def test_rated_problems_that_overlap_with_evaluation_give_no_label(tmp_path: Path) -> None:
    held = "How many of the seven red apples are left in the basket?"
    table = [
        TABLE | {"instruction": text, "next_response": step} for text in (held.upper(), "another") for step in "ab"
    ]
    source = Source(path=str(jsonl(tmp_path / "t.jsonl", table)), format="prm800k")
    selection = Selection([Problem("e-1", held, "e")], 8, 1)
    kept = selection.take(source, "prm")
    assert [p.prompt for p in kept] == ["another"] == [p.prompt for p in selection.rated(source.path)]
    assert selection.statistics() == {"overlaps": {"prm": 1, "ratings": 1}, "duplicates": {}}
    assert {step.prompt for step in ratings.read(source, {p.prompt for p in kept})} == {"another"}


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (TABLE | {"rating": "good"}, "row 2: a rating must be -1, 0, 1 or null, is 'good'"),
        (TABLE | {"rating": 0.5}, "row 2: a rating must be"),
        (TABLE | {"responses": None}, "row 2: .*responses a list of texts"),
        (TABLE | {"responses": "a"}, "row 2: .*responses a list of texts"),
        (TABLE | {"next_response": 7}, "row 2: .*must be texts"),
        ({"question": {"problem": "q"}, "label": {"steps": [7]}}, "row 2: not a PRM800K record"),
        ({"question": {"problem": "q"}, "label": None}, "row 2: not a PRM800K record"),
        ({"instruction": "q"}, "row 2: neither PRM800K's records"),
    ],
)
def test_a_bad_row_of_human_ratings_is_named(row: dict[str, object], message: str, tmp_path: Path) -> None:
    with pytest.raises(PipelineError, match=message):
        ratings.read(Source(path=str(jsonl(tmp_path / "t.jsonl", [TABLE, row]))))


def test_ratings_without_a_rated_step_are_refused(tmp_path: Path) -> None:
    path = jsonl(tmp_path / "t.jsonl", [TABLE | {"rating": None}])
    with pytest.raises(PipelineError, match="none of 1 steps is left"):
        ratings.read(Source(path=str(path)))


@pytest.mark.skipif(SHARED is None, reason="PSR_SHARED_DATA does not name a folder with the real data")
def test_every_real_prefix_with_a_good_and_a_bad_step_becomes_a_pair_in_both_orders() -> None:
    rated = ratings.read(Source(path=f"{SHARED}/process/prm800k_phase1_test.stepwise.parquet"))
    people = layers.rated_layers(rated)
    assert len(people) == 237
    questions, _ = layers.questions(people, changed(pairs_per_problem=1000))
    rows, dropped = eft.judged_pairs(questions, eft.human_answers(questions))
    assert len(rows) == 474 and not dropped


@pytest.mark.skipif(SHARED is None, reason="PSR_SHARED_DATA does not name a folder with the real data")
def test_real_gsm8k_solutions_become_ift_rows_or_drops_with_nothing_lost() -> None:
    source = Source(
        path=f"{SHARED}/process/gsm8k_train.jsonl",
        rows=200,
        prompt="question",
        answer="answer",
        solution="answer",
        format="gsm8k",
    )
    problems = Selection([], 8, 1).take(source, "ift")
    kept, dropped = ift.segmented(
        problems, {p.problem_id: solutions.by_line(p.solution or "") for p in problems}, (final, solutions)
    )
    assert len(problems) == 200 == len(kept) + len(dropped)
    assert len(kept) > 190
    for row in kept:
        (problem,) = [p for p in problems if p.problem_id == row.problem_id]
        assert ift.preserved(problem.solution or "", "\n".join(row.steps))
