"""Baselines beside a round: self-consistency pairs, expert iteration, and right against wrong by gold answers."""

from __future__ import annotations

import ast
import importlib
import json
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from conftest import ScriptedEngine
from test_publish_failures import facts
from test_search import by_quality, grow, script
from test_train import FAMILY, HERE, dpo
from transformers import AutoModelForCausalLM

from pipeline import params
from pipeline.core import files, journal
from pipeline.core.command import Stage
from pipeline.core.errors import PipelineError
from pipeline.core.machine import Inference, Machine
from pipeline.core.records import Dropped, Preference, Problem, SampledSolution, SampleSet, Tree
from pipeline.domains.graders.pool import Graders
from pipeline.domains.math import final, grading
from pipeline.domains.math.grading import alike
from pipeline.inference import work
from pipeline.inference.requests import Completion, Request
from pipeline.language import steps
from pipeline.language.renderer import Renderer
from pipeline.methods import pairings
from pipeline.methods.pairings import correct, expert, scpo
from pipeline.planning.assumptions import assumptions
from pipeline.planning.estimate import Rates, estimate
from pipeline.planning.hardware import Devices
from pipeline.publish.card import model_card
from pipeline.training.preference import train_preferences
from pipeline.training.settings import LossWeights
from stages import problems, variant

ARMS = {
    "v2": {"of": "m2", "from": "m1", "by": "m1", "kind": "scpo"},
    "e2": {"of": "m2", "from": "m1", "by": "m1", "kind": "expert"},
    "g2": {"of": "m2", "from": "m1", "by": "m1", "kind": "correct", "gold": True},
}
Run = Callable[..., dict[str, Any]]


def solution(text: str, votes: int = 1, finish: str = "answer") -> SampledSolution:
    return SampledSolution(text, votes, finish, (), None, votes)


def boxed(*answers: str) -> SampleSet:
    """A problem's solutions in other words each, by their final answers (`3x2`: two samples of one text)."""
    parts = [answer.partition("x") for answer in answers]
    found = [solution(f"Step 1: way {n}. \\boxed{{{a}}}", int(v or 1)) for n, (a, _, v) in enumerate(parts)]
    return SampleSet("p", "q", tuple(found))


def votes_of(one: SampleSet) -> list[float | None]:
    return [solution.score for solution in one.solutions]


def of_votes(one: SampleSet) -> tuple[list[Preference], list[Dropped]]:
    return scpo.of_votes([scpo.voted(one, final, alike)], "v2")


def test_a_vote_is_for_an_answer_as_the_grader_sees_it_and_none_for_a_solution_without_one() -> None:
    one = boxed("1,000", "1000x2", "7")
    open_ended = (solution("Step 1: \\boxed{7}", 3, "length"), solution("Step 1: hm.", 3, "no_answer"))
    one = replace(one, solutions=(*one.solutions, *open_ended))
    assert votes_of(scpo.voted(one, final, alike)) == [3, 3, 1, None, None]


def test_the_pair_is_a_solution_with_the_most_voted_answer_against_one_with_a_least_voted_answer() -> None:
    (pair,), dropped = of_votes(one := boxed("5", "7x2", "5x2", "9", "5"))
    assert not dropped and (pair.chosen_score, pair.rejected_score) == (4, 1)
    assert pair.chosen == one.solutions[2].text, "of the solutions with one answer the one sampled most often"
    assert pair.rejected == one.solutions[3].text
    assert (pair.steps, pair.chosen_terminal, pair.rejected_terminal, pair.iteration) == ((), True, True, "v2")


@pytest.mark.parametrize(
    ("answers", "reason"),
    [
        (("1x3", "2x3"), "tie"),  # all answers have equally many votes
        (("1", "2", "3"), "tie"),
        (("1x5", "1"), "tie"),  # all agree
        (("1x6",), "single"),
        (("1x2", "2", "3", "4"), "minority"),  # two of five are no half
    ],
)
def test_a_problem_without_a_pair_is_counted_with_its_reason(answers: tuple[str, ...], reason: str) -> None:
    kept, dropped = of_votes(boxed(*answers))
    assert not kept and [(row.key, row.reason) for row in dropped] == [("p", reason)]


def test_right_stands_against_wrong_and_a_problem_without_both_or_without_gold_gives_no_pair() -> None:
    some = [replace(boxed("1,000", "7x2", "x"), problem_id=name) for name in ("mixed", "other", "unknown")]
    asked = [Problem("mixed", "q", "s", "1000"), Problem("other", "q", "s", "5"), Problem("unknown", "q", "s")]
    with Graders(grading) as graders:
        samples = correct.graded(some, asked, final, graders)
    assert votes_of(samples[0])[:2] == [1, 0] and set(votes_of(samples[2])) == {None}
    (pair,), dropped = correct.solutions.of_scores(samples, "g2")
    assert (pair.problem_id, pair.chosen, pair.rejected_score) == ("mixed", some[0].solutions[0].text, 0)
    assert [(row.key, row.reason) for row in dropped] == [("other", "tie"), ("unknown", "unscored")]
    assert correct.statistics(samples) == {"samples": 12, "right": 1}


def test_expert_iteration_takes_the_searched_solutions_alone_each_with_nothing_rejected(renderer: Renderer) -> None:
    trees = list(grow(renderer, script(by_quality)).values())
    kept, dropped = expert.solved([*trees, replace(trees[0], problem_id="x", end="max_steps")], "e2")
    assert [pair.chosen for pair in kept] == [steps.join(tree.steps) for tree in trees]
    assert all(pair.rejected == pair.chosen and pair.chosen_terminal for pair in kept)
    assert [(row.key, row.reason) for row in dropped] == [("x", "max_steps")]


def test_a_pair_with_itself_trains_by_its_likelihood_alone(tiny_model: Path, tmp_path: Path) -> None:
    text = "Step 1: Ben has 2+1=3. The answer is \\boxed{3}."
    (own,), _ = expert.solved([Tree("p", "Ana has 2 keys.", (), (text,), "answer")], "e2")
    weights = []
    for sigmoid in (0.0, 5.0):
        how = dpo(loss_weights=LossWeights(sigmoid=sigmoid, sft=1.0))
        train_preferences(tiny_model, [own] * 8, FAMILY, how, HERE, 1, folder := tmp_path / f"{sigmoid}")
        weights.append(dict(AutoModelForCausalLM.from_pretrained(folder).named_parameters()))
    before = dict(AutoModelForCausalLM.from_pretrained(tiny_model).named_parameters())
    for name, one in weights[0].items():
        assert one.equal(weights[1][name]), name
    assert any(not one.allclose(before[name], atol=1e-3) for name, one in weights[0].items())


@pytest.fixture
def document() -> dict[str, Any]:
    """The smoke profile with the three arms."""
    found = params.profile("smoke")
    return found | {"models": [*found["models"], *ARMS], "variants": {name: dict(arm) for name, arm in ARMS.items()}}


def written(folder: Path, document: dict[str, Any]) -> Path:
    (path := folder / "params.yaml").write_text(yaml.safe_dump(document))
    return path


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d["variants"]["g2"].pop("gold"), "variants.g2.gold: must be true, correct learns from gold answers"),
        (lambda d: d["variants"]["v2"].update(gold=True), "variants.v2.gold: must be false, scpo learns from no gold"),
        (lambda d: d["dpo"]["loss_weights"].update(sft=0.0), "variants.e2.dpo: expert has no rejected side to learn"),
        (
            lambda d: d["problems"]["rounds"].update(path="known:gsm8k", answer=""),
            "problems.rounds.answer: variants.g2.gold asks for gold answers",
        ),
    ],
)
def test_gold_answers_are_refused_where_no_variant_says_so_and_each_arm_needs_what_it_learns_from(
    change: Any, message: str, document: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.data.sources.known", lambda source: source)
    params.check(written(tmp_path, document))
    change(document)
    with pytest.raises(PipelineError) as caught:
        params.check(path := written(tmp_path, document))
    assert f"{path}: {message}" in str(caught.value)


def test_the_problems_of_the_arm_that_says_so_alone_have_answers_and_none_has_a_solution(
    document: dict[str, Any], tmp_path: Path
) -> None:
    places = {name: tmp_path / name for name in ("problems", "dropped", "stats")}
    problems.main(Stage("problems", written(tmp_path, document), "", places))
    shown = {name: files.read(tmp_path / f"problems/round-{name}.parquet", Problem) for name in ("m2", *ARMS)}
    assert [p.problem_id for p in shown["g2"]] == [p.problem_id for p in shown["m2"]] and len(shown["m2"]) == 20
    assert all(p.answer for p in shown["g2"]) and not any(p.solution for rows in shown.values() for p in rows)
    assert not any(p.answer or p.entry for name in ("m2", "v2", "e2") for p in shown[name])


def test_no_pairing_but_the_one_that_says_so_grades_or_reads_an_answer() -> None:
    for name in (*pairings.LISTED, "solutions"):
        file = Path(str(pairings.__file__)).parent / f"{name}.py"
        read = {node.attr for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.Attribute)}
        module = importlib.import_module(f"{pairings.__name__}.{name}")
        assert bool(read & {"grade", "gold", "entry"}) == getattr(module, "GOLD", False), name


@pytest.fixture
def running(
    document: dict[str, Any], tmp_path: Path, tiny_model: Path, words: Any, monkeypatch: pytest.MonkeyPatch
) -> Run:
    """Runs the stage `variant` of an arm on a scripted engine: of the three samples of `What is 2?`, two say 2."""
    monkeypatch.setattr(journal, "FOLDER", tmp_path / "work")
    asked = [Problem(f"p{n}", f"What is {n}?", "x", str(n)) for n in range(3)]
    document["psrlm"]["search"]["width"] = 3
    path = written(tmp_path, document)

    def answer(prompt: str, request: Request) -> Completion:
        said = next(n for n in range(3) if f"What is {n}?" in prompt) + (request.seed % 5 == 0)
        return Completion(f" so \\boxed{{{said}}}", "stop", 5, True)

    def run(key: str, trees: Path = tmp_path / "none") -> dict[str, Any]:
        engine = ScriptedEngine(words, answer)
        monkeypatch.setattr(work, "open_engines", lambda *_: nullcontext({"policy": engine}))
        gold = ARMS[key].get("gold", False)
        files.write(tmp_path / "problems", Problem, [problem.shown(bool(gold)) for problem in asked])
        names = {name: tmp_path / key / name for name in ("pairs", "dropped", "stats")}
        models = {"policy": tiny_model, "second": tiny_model}
        stage = Stage("variant", path, key, names | models | {"problems": tmp_path / "problems", "trees": trees})
        variant.main(stage)
        stage.close()
        return {"asked": engine.calls, **json.loads((tmp_path / key / "stats").read_text())}

    return run


def texts(path: Path) -> list[list[str]]:
    return [[solution.text for solution in one.solutions] for one in files.read(path, SampleSet)]


def test_arms_that_sample_see_the_same_solutions_as_many_as_the_search_has_candidates(
    running: Run, tmp_path: Path
) -> None:
    voted, graded = running("v2"), running("g2")
    assert voted["asked"] == graded["asked"] == 3 * 3 and (graded["samples"], graded["right"]) == (9, 6)
    assert voted["pairs"] == graded["pairs"] == 3 and voted["by_gap"] == {"1": 3}
    assert texts(tmp_path / "v2/pairs/solutions.parquet") == texts(tmp_path / "g2/pairs/solutions.parquet")
    chosen = [pair.chosen for pair in files.read(tmp_path / "v2/pairs/train.parquet", Preference)]
    assert chosen == [f"Step 1: so \\boxed{{{n}}}" for n in range(3)]


def test_the_solutions_of_an_srlm_round_are_taken_as_they_are(running: Run, tmp_path: Path) -> None:
    some = [replace(boxed("4x2", "5"), problem_id=f"p{n}", prompt=f"What is {n}?") for n in range(3)]
    files.write(tmp_path / "trees/solutions.parquet", SampleSet, some)
    found = running("v2", tmp_path / "trees")
    assert (found["asked"], found["pairs"]) == (0, 3)
    assert texts(tmp_path / "v2/pairs/solutions.parquet") == [[s.text for s in one.solutions] for one in some]


def test_the_report_and_a_model_card_say_where_gold_answers_chose_the_pairs(
    document: dict[str, Any], tmp_path: Path
) -> None:
    document["rounds"]["m3"] = {"from": "g2", "method": "psrlm"}
    document["models"].append("m3")
    plan = params.check(written(tmp_path, document))
    labels = {model: plan.label(model) for model in plan.models}
    assert (labels["g2"], labels["m3"]) == ("correct, gold answers", "psrlm, gold answers")
    assert [labels[model] for model in ("m0", "m2", "v2", "e2")] == ["base", "psrlm", "scpo", "expert"]
    cards = [model_card(replace(facts(), parameters={f"variants.{n}": ARMS[n]}), n, "m1", None) for n in ("v2", "g2")]
    assert [b"gold answers" in card for card in cards] == [False, True]


def test_a_plan_counts_the_samples_of_a_problem_and_nothing_for_what_is_searched(
    document: dict[str, Any], tmp_path: Path
) -> None:
    found = params.check(written(tmp_path, document))
    lines = estimate(found, Machine(inference=Inference(replicas=1)), Devices(0, 1), Rates(), []).lines
    asked = {line.planned.stage: line.planned.work.requests for line in lines}
    assert [asked[f"variant@{name}"] for name in ARMS] == [20 * 6, 0, 20 * 6]


def test_a_plan_counts_a_variant_s_own_pairs_and_their_length(document: dict[str, Any], tmp_path: Path) -> None:
    document["models"] += ["o2", "a2"]
    document["variants"]["o2"] = ARMS["v2"] | {"kind": "outcome"}
    document["variants"]["a2"] = ARMS["v2"] | {"kind": "agreement", "by": "m0"}
    settings, rates = params.check(written(tmp_path, document)), Rates()
    lines = estimate(settings, Machine(inference=Inference(replicas=1)), Devices(0, 1), rates, []).lines
    planned = {line.planned.stage.partition("@")[2]: line.planned for line in lines if "dpo" in line.planned.stage}
    of_problem = assumptions("arithmetic")["pairs_of_problem"]
    assert [planned[name].items for name in ARMS] == [pytest.approx(20 * of_problem)] * 3
    assert planned["o2"].items == planned["a2"].items == planned["m2"].items
    each = {name: one.trained_tokens / one.items for name, one in planned.items()}
    assert each["a2"] == each["m2"] < each["o2"]
    assert [each[name] for name in ARMS] == [pytest.approx(each["o2"])] * 3  # whole solutions
