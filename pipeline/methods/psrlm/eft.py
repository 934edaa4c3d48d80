"""EFT data: best and worst of a layer as a pair, filtered, annotated in both orders (paper, section 3.2)."""

from __future__ import annotations

import hashlib
import itertools
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType, ModuleType
from typing import Any

from pipeline.core import files
from pipeline.core.files import content, counts, quantiles
from pipeline.core.means import grouped
from pipeline.core.products import Shares, require_share
from pipeline.core.records import Dropped, JudgedPair, SearchTree
from pipeline.data.ratings import RatedStep
from pipeline.language.steps import body
from pipeline.methods.psrlm import judge
from pipeline.methods.psrlm.layers import Asking, Layer, layers, questions, rated_layers
from pipeline.methods.psrlm.settings import FILE, Eft
from pipeline.methods.verdicts import turned

Row = JudgedPair


def human_answers(rated: Sequence[Asking]) -> dict[str, str]:
    """The verdicts that the ratings already hold, in both orders; people left no explanation."""
    return {q.key: verdict for _, *both in rated for q, verdict in zip(both, ("[[A]]", "[[B]]"), strict=True)}


def judged_pairs(
    asking: Sequence[Asking],
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
    for layer, straight, swapped in asking:
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
            scores = layer.best_score, layer.worst_score
            for q, winner, shown in zip((straight, swapped), map(str, winners), (scores, scores[::-1]), strict=True):
                where = q.key, layer.problem_id, layer.prompt, layer.steps
                kept.append(JudgedPair(*where, q.a, q.b, answers[q.key], winner, *shown))
    return kept, dropped


class Annotation:
    """The annotation of one EFT search: questions about its layers, and the rows that the answers make.

    rated: people's ratings, whose layers are added with the verdicts that they hold. problems: how many searched
    problems have a question, how many there are, and why others have none.
    """

    def __init__(self, folder: Path, settings: Eft, rated: Iterable[RatedStep] = ()) -> None:
        self.settings = settings
        trees = files.read(folder / FILE, SearchTree)
        searched, people = layers(trees), rated_layers(rated)
        self.layers = len(searched) + len(people)
        self._questions, without = questions(searched, settings)
        self._rated, more = questions(people, settings)
        self._without = without + more  # a question
        self.problems = _with_questions(trees, searched, {layer.problem_id for layer, *_ in self._questions})

    def prompts(self, family: str) -> dict[str, str]:
        """The judge's prompt of each question, by its key, for an annotator that reads."""
        return {q.key: judge.prompt(family, q.problem, q.steps, q.a, q.b) for _, *both in self._questions for q in both}

    def by_oracle(self, oracle: ModuleType, family: str) -> dict[str, str]:
        """The judgments of a domain's oracle on what the judge sees, by the question's key."""
        judgments = {}
        for q in itertools.chain.from_iterable(both for _, *both in self._questions):
            text, winner = oracle.compare(q.problem, q.steps, *judge.shown(family, a=q.a, b=q.b).values())
            judgments[q.key] = f"{text} [[{winner}]]"
        return judgments

    def rows(
        self, answers: Mapping[str, str], missing: Mapping[str, tuple[str, str]], seed: int, shares: Shares
    ) -> tuple[list[JudgedPair], list[JudgedPair], list[Dropped], dict[str, Any]]:
        """Train rows, test rows, what was left out, and statistics; arguments as of `judged_pairs`.

        Raises PipelineError where too few rows came of the annotation (shares.annotated), beside people's ratings.
        """
        kept, dropped = judged_pairs(self._questions, answers, missing)
        lost = counts([row.reason for row in dropped])
        require_share("eft", shares, "annotated", len(kept) // 2, len(self._questions), lost, next(iter(dropped), None))
        more, odd = judged_pairs(self._rated, human_answers(self._rated))
        train, test, surplus = split([*kept, *more], self.settings, seed)
        left_out = [*self._without, *dropped, *odd, *surplus]
        return train, test, left_out, statistics(self.layers, train, test, left_out)


def _with_questions(
    trees: Sequence[SearchTree], layers: Sequence[Layer], problems: Collection[str]
) -> tuple[int, int, dict[str, int]]:
    having = {layer.problem_id for layer in layers}
    without = [tree for tree in trees if tree.problem_id not in problems]
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
    by_problem = grouped(rows, lambda row: row.problem_id)
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
    layers: int, train: Sequence[JudgedPair], test: Sequence[JudgedPair], dropped: Sequence[Dropped]
) -> dict[str, Any]:
    """Layers, rows of both splits, margins by P("+"), train rows of a problem, and why layers were left out."""
    rows = [*train, *test]
    return {
        "layers": layers,
        "content": content(rows),
        "margin": quantiles(abs(row.score_a - row.score_b) for row in rows),
        "train_rows_of_a_problem": quantiles(Counter(row.problem_id for row in train).values()),
        "train_rows": len(train),
        "train_ties": sum(row.winner == "C" for row in train),
        "test_rows": len(test),
        "dropped": counts(row.reason for row in dropped),
    }


def _hash(seed: int, key: str) -> str:
    return hashlib.sha256(f"{seed}/{key}".encode()).hexdigest()
