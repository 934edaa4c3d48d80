"""EFT data: best and worst of a layer as a pair, filtered, annotated in both orders (paper, section 3.2)."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType, ModuleType
from typing import Any

from pipeline.core import files
from pipeline.core.files import content, counts, quantiles
from pipeline.core.products import Shares, require_share
from pipeline.core.records import Dropped, JudgedPair, SearchTree
from pipeline.data.ratings import RatedStep
from pipeline.language.steps import body
from pipeline.methods.psrlm import judge
from pipeline.methods.psrlm.layers import Layer, Question, layers, questions, rated_layers
from pipeline.methods.psrlm.settings import FILE, Eft
from pipeline.methods.verdicts import turned

Row = JudgedPair


def human_answers(asked: Sequence[tuple[Layer, Question, Question]]) -> dict[str, str]:
    """The verdicts that the ratings already hold, in both orders; people left no explanation."""
    return {q.key: verdict for _, *both in asked for q, verdict in zip(both, ("[[A]]", "[[B]]"), strict=True)}


def judged_pairs(
    asked: Sequence[tuple[Layer, Question, Question]],
    answers: Mapping[str, str],
    missing: Mapping[str, tuple[str, str]] = MappingProxyType({}),
) -> tuple[list[JudgedPair], list[Dropped]]:
    """Annotated pairs, two rows each (both orders), and every layer that was left out with its reason.

    answers: the annotator's text by the question's key; missing: reason and cause where it wrote none. Reasons: those,
    `unreadable`, `inconsistent`, `disagrees_with_prm`. A layer that both orders call a tie is kept with winner `C`;
    `split` says how many of those are used.
    """
    kept: list[JudgedPair] = []
    dropped: list[Dropped] = []
    for layer, straight, swapped in asked:
        if none := missing.get(straight.key) or missing.get(swapped.key):
            dropped.append(Dropped("eft", layer.key, *none))
            continue
        winners = judge.parse(answers[straight.key]), judge.parse(answers[swapped.key])
        if None in winners:
            dropped.append(layer.dropped("unreadable"))
        elif winners[0] != turned(winners[1]):
            dropped.append(layer.dropped("inconsistent"))
        elif winners[0] == "B":
            dropped.append(layer.dropped("disagrees_with_prm"))
        else:
            best, worst = layer.best_score, layer.worst_score
            for question, winner, score_a, score_b in zip(
                (straight, swapped), winners, (best, worst), (worst, best), strict=True
            ):
                kept.append(_row(layer, question, answers[question.key], str(winner), score_a, score_b))
    return kept, dropped


def _row(layer: Layer, asked: Question, judgment: str, winner: str, score_a: float, score_b: float) -> JudgedPair:
    return JudgedPair(
        asked.key, layer.problem_id, layer.prompt, layer.steps, asked.a, asked.b, judgment, winner, score_a, score_b
    )


class Annotation:
    """The annotation of one EFT search: what is asked about its layers, and the rows that the answers make.

    rated: people's ratings, whose layers are added with the verdicts that they hold. problems: how many searched
    problems are asked about, how many there are, and why others are not.
    """

    def __init__(self, folder: Path, settings: Eft, rated: Iterable[RatedStep] = ()) -> None:
        self.settings = settings
        trees = files.read(folder / FILE, SearchTree)
        searched, people = layers(trees), rated_layers(rated)
        self.layers = len(searched) + len(people)
        self._asked, self._unasked = questions(searched, settings)
        self._rated, left = questions(people, settings)
        self._unasked += left
        self.problems = _with_layers(trees, searched, {layer.problem_id for layer, *_ in self._asked})

    def prompts(self, family: str) -> dict[str, str]:
        """The judge's prompt of each question, by its key, for an annotator that reads."""
        return {q.key: judge.prompt(family, q.problem, q.steps, q.a, q.b) for _, *both in self._asked for q in both}

    def by_oracle(self, oracle: ModuleType, family: str) -> dict[str, str]:
        """The judgments of a domain's oracle on what the judge sees, by the question's key."""
        found = {}
        for _, *both in self._asked:
            for q in both:
                text, winner = oracle.compare(q.problem, q.steps, *judge.shown(family, a=q.a, b=q.b).values())
                found[q.key] = f"{text} [[{winner}]]"
        return found

    def rows(
        self, answers: Mapping[str, str], missing: Mapping[str, tuple[str, str]], seed: int, shares: Shares
    ) -> tuple[list[JudgedPair], list[JudgedPair], list[Dropped], dict[str, Any]]:
        """Train rows, test rows, what was left out, and statistics.

        answers: texts by the question's key; missing: reason and cause where there is none. Raises PipelineError where
        too few rows came of the annotation (shares.annotated), whatever people's ratings add.
        """
        kept, dropped = judged_pairs(self._asked, answers, missing)
        lost = counts([row.reason for row in dropped])
        require_share("eft", shares, "annotated", len(kept) // 2, len(self._asked), lost, next(iter(dropped), None))
        more, odd = judged_pairs(self._rated, human_answers(self._rated))
        train, test, surplus = split([*kept, *more], self.settings, seed)
        left_out = [*self._unasked, *dropped, *odd, *surplus]
        return train, test, left_out, statistics(self.layers, train, test, left_out)


def _with_layers(
    trees: Sequence[SearchTree], found: Sequence[Layer], asked: Collection[str]
) -> tuple[int, int, dict[str, int]]:
    having = {layer.problem_id for layer in found}
    without = [tree for tree in trees if tree.problem_id not in asked]
    reasons = ["margin" if tree.problem_id in having else "one_candidate" for tree in without]
    return len(trees) - len(without), len(trees), counts(reasons)


def split(
    rows: Sequence[JudgedPair], settings: Eft, seed: int
) -> tuple[list[JudgedPair], list[JudgedPair], list[Dropped]]:
    """Train rows, test rows, and what neither took, held out by problem.

    The test set has one row a pair, its order drawn by hash, and no ties. Pairs are dropped as `test_set_full` where
    the last held-out problem has more than the set still needs, as `train_set_full` beyond settings.train_pairs (drawn
    by hash), and as `tie` where ties would be more than their share of the train rows.
    """
    tied, rows = [row for row in rows if row.winner == "C"], [row for row in rows if row.winner != "C"]
    by_problem: dict[str, list[JudgedPair]] = {}
    for row in rows:
        by_problem.setdefault(row.problem_id, []).append(row)
    test: list[JudgedPair] = []
    held_out: set[str] = set()
    for problem in sorted(by_problem, key=lambda key: _hash(seed, key)):
        if len(test) >= settings.test_pairs:
            break
        held_out.add(problem)
        pairs = by_problem[problem]
        test += [pairs[i + int(_hash(seed, pairs[i].pair_id), 16) % 2] for i in range(0, len(pairs), 2)]
    surplus = [Dropped("eft", row.pair_id, "test_set_full", body(row.a)) for row in test[settings.test_pairs :]]
    train = [row for row in rows if row.problem_id not in held_out]
    train, beyond = _drawn(train, settings.train_pairs or len(train), seed, "train_set_full")
    allowed = int(len(train) * settings.ties / (1 - settings.ties)) // 2  # pairs; each has two rows
    ties, too_many = _drawn([row for row in tied if row.problem_id not in held_out], allowed, seed, "tie")
    unused = [row for row in tied[::2] if row.problem_id in held_out]
    surplus += beyond + too_many + [Dropped("eft", row.pair_id, "tie", body(row.a)) for row in unused]
    return train + ties, test[: settings.test_pairs], surplus


def _drawn(rows: list[JudgedPair], pairs: int, seed: int, reason: str) -> tuple[list[JudgedPair], list[Dropped]]:
    """At most `pairs` pairs of rows in both orders, drawn by hash and kept in their order, and the others as drops."""
    order = sorted(range(0, len(rows), 2), key=lambda i: _hash(seed, rows[i].pair_id))
    kept = [row for i in sorted(order[:pairs]) for row in rows[i : i + 2]]
    return kept, [Dropped("eft", rows[i].pair_id, reason, body(rows[i].a)) for i in sorted(order[pairs:])]


def statistics(
    found: int, train: Sequence[JudgedPair], test: Sequence[JudgedPair], dropped: Sequence[Dropped]
) -> dict[str, Any]:
    """Layers found, rows of both splits, margins by P("+"), train rows of a problem, and why layers were left out."""
    reasons = counts([row.reason for row in dropped])
    rows = [*train, *test]
    return {
        "layers": found,
        "content": content(rows),
        "margin": quantiles(abs(row.score_a - row.score_b) for row in rows),
        "train_rows_of_a_problem": quantiles(Counter(row.problem_id for row in train).values()),
        "train_rows": len(train),
        "train_ties": sum(row.winner == "C" for row in train),
        "test_rows": len(test),
        "dropped": reasons,
    }


def _hash(seed: int, key: str) -> str:
    return hashlib.sha256(f"{seed}/{key}".encode()).hexdigest()
