"""Ways of judging side by side on the same states: what each costs, and what it chooses.

    python -m benchmarks.judging RUN [RUN ...]        # states of each run's trees, by the models that searched them
    python -m benchmarks.judging RUN --rounds         # also every round searched again with every verdict
    python -m benchmarks.judging RUN --train          # also M2 trained on the pairs of each way, and its accuracy
    python -m benchmarks.judging RUN --train "explain, two waves" --through 3    # the first three rounds by one way
    python -m benchmarks.judging --model FOLDER --problems round.parquet --params params.yaml

The reference is the paper's: every pair explained in both orders. A way's best and worst are compared with the
reference's where that names some (no tie). Where the domain has an oracle, it says afterwards how often a pair is a
right step against a wrong one; no way of judging sees that. Writes reports/judging.md and reports/judging.json.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.judged_rounds import SEARCHES, WAYS, rounds, rounds_of, settings_of, spent, trained, trees
from benchmarks.judging_report import document
from pipeline import domains
from pipeline.core import files, machine, plugins
from pipeline.core.config import Prompts, build, read_yaml
from pipeline.core.means import proportion
from pipeline.core.records import Problem, Tree
from pipeline.inference.engines import open_engines
from pipeline.inference.loop import run
from pipeline.inference.requests import Engine, seed_of
from pipeline.inference.settings import Inference
from pipeline.language.renderer import Renderer, end_ids
from pipeline.methods.psrlm import judge, search
from pipeline.methods.psrlm.judge import Ranking
from pipeline.methods.psrlm.settings import FILE, Judge

OUT = Path("reports")


@dataclass(frozen=True)
class At:
    """A state with at least two usable candidates. right: of each, by the oracle; None without one."""

    prompt: str
    steps: tuple[str, ...]
    texts: tuple[str, ...]
    votes: tuple[int, ...]
    place: int
    right: tuple[bool, ...] | None


def states(searched: Iterable[Tree], domain: str, count: int) -> list[At]:
    """`count` judged states, drawn by hash."""
    which = (domains.__name__, domain, "oracle")
    oracle = plugins.part(*which) if plugins.has(*which) else None
    drawn = []
    for tree in searched:
        for visit, state in enumerate(tree.states):
            usable = [one for one in state.candidates if one.usable]
            if len(usable) > 1:
                texts, votes = zip(*((one.text, one.votes) for one in usable), strict=True)
                right = tuple(oracle.right(tree.prompt, state.steps, text) for text in texts) if oracle else None
                place = seed_of("judging", tree.problem_id, visit)
                drawn.append(At(tree.prompt, state.steps, texts, votes, place, right))
    return sorted(drawn, key=lambda at: at.place)[:count]


def judged(
    engine: Engine, renderer: Renderer, at: Sequence[At], settings: Judge, window: int
) -> tuple[list[Ranking], dict[str, float]]:
    """Every state judged in one way, and what that took."""
    tasks = {
        str(n): judge.rank(renderer, one.prompt, one.steps, one.texts, settings, one.place, one.votes)
        for n, one in enumerate(at)
    }
    rankings: dict[str, Ranking] = {}
    start = time.monotonic()
    usage = run({"policy": engine}, tasks.items(), window, rankings.__setitem__)
    seconds = time.monotonic() - start
    verdicts = [verdict for ranking in rankings.values() for verdict in ranking.verdicts]
    cost = {"calls": usage.requests, "sampled": usage.sampled_tokens, "prompt": usage.prompt_tokens, "seconds": seconds}
    cost |= {"verdicts": len(verdicts), "unreadable": sum(one.winner is None for one in verdicts) / len(verdicts)}
    return [rankings[key] for key in tasks], cost


def compared(at: Sequence[At], rankings: Sequence[Ranking], reference: Sequence[Ranking]) -> dict[str, Any]:
    """Agreement with the reference where it is no tie, pairs, and how many of them the oracle calls right."""
    decided = [(one, other) for one, other in zip(rankings, reference, strict=True) if not other.tied]
    numbers: dict[str, Any] = {"states": len(at), "decided": len(decided)}
    for name in ("best", "worst") if decided else ():
        same = [not one.tied and getattr(one, name) == getattr(other, name) for one, other in decided]
        numbers[name], numbers[f"{name}_se"] = proportion(same)
    pairs = [(one, ranking) for one, ranking in zip(at, rankings, strict=True) if not ranking.tied]
    numbers["pairs"] = len(pairs)
    condorcet = [(one, r) for one, r in pairs if r.scores[r.best] == len(one.texts) - 1]
    for name, chosen in (("", pairs), ("condorcet_", condorcet)):
        labels = [(one.right[r.best], one.right[r.worst]) for one, r in chosen if one.right]
        numbers[f"{name}pairs"] = len(chosen)
        if labels:
            way_round = [label == (True, False) for label in labels]
            numbers[f"{name}right"], numbers[f"{name}right_se"] = proportion(way_round)
            numbers[f"{name}inverted"] = sum(label == (False, True) for label in labels) / len(labels)
    return numbers


def opened(model: Path, params: Mapping[str, Any], stack: ExitStack) -> tuple[Engine, Renderer]:
    """The model's engine, closed with `stack`, and its renderer."""
    inference = build(Inference, params["inference"], "inference")
    prompts = build(Prompts, params["prompts"], "prompts")
    engine = stack.enter_context(open_engines({"policy": model}, inference, machine.load().inference))["policy"]
    final = plugins.part(domains.__name__, params["domain"], "final")
    return engine, Renderer(engine.tokenizer, prompts.family, prompts.chat, final.end, end_ids(model))


def table(engine: Engine, renderer: Renderer, at: Sequence[At], params: Mapping[str, Any]) -> dict[str, Any]:
    """Numbers of every way by its name. A first pass, not counted, fills the prefix cache for all alike."""
    window = machine.load().inference.concurrent_problems
    paper = {"verdict": "explain", "schedule": "pairs", "orders": "both"}
    settings = {name: settings_of(params, {"judge": paper | over}).judge for name, over in WAYS.items()}
    judged(engine, renderer, at, settings["logprob"], window)
    numbers: dict[str, Any] = {}
    reference: list[Ranking] = []
    for name, one in settings.items():
        rankings, cost = judged(engine, renderer, at, one, window)
        reference = reference or rankings
        numbers[name] = cost | compared(at, rankings, reference)
        print(name, json.dumps(files.rounded(numbers[name])), flush=True)
    return numbers


def of_run(folder: Path, count: int) -> dict[str, Any]:
    """The tables of the first and the last round's states, each judged by the model that searched them."""
    params = read_yaml(folder / "params.yaml")
    chosen = list(rounds_of(params))
    numbers = {}
    for key in dict.fromkeys((chosen[0], chosen[-1])):
        at = states(trees(folder / "data" / key / "trees" / FILE), params["domain"], count)
        model = params["rounds"][key]["from"]
        with ExitStack() as stack:
            numbers[model] = table(*opened(folder / "data" / model / "model", params, stack), at, params)
    return numbers


def of_model(model: Path, problems: Path, params: Mapping[str, Any], count: int) -> dict[str, Any]:
    """The table of a model on states that it reaches itself, judging by log-odds on the way."""
    how = settings_of(params, {"judge": {"verdict": "logprob"}})
    searched: dict[str, Tree] = {}
    with ExitStack() as stack:
        engine, renderer = opened(model, params, stack)
        tasks = [(p.problem_id, search.search(renderer, p, how, 1)) for p in files.read(problems, Problem)]
        run({"policy": engine}, tasks, machine.load().inference.concurrent_problems, searched.__setitem__)
        return {model.name: table(engine, renderer, states(searched.values(), params["domain"], count), params)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="*", type=Path, help="folders of finished runs")
    parser.add_argument("--states", type=int, default=200, help="of each round (200); 0: no table of states")
    parser.add_argument("--rounds", action="store_true", help="search every round again with every verdict")
    parser.add_argument("--train", nargs="*", metavar="WAY", help="train M2 by these ways; none named: all")
    parser.add_argument("--through", type=int, default=1, help="of --train: rounds, each from the one before (1)")
    parser.add_argument("--model", type=Path, help="a model folder, in the place of a run's")
    parser.add_argument("--problems", type=Path, help="of --model: a Parquet file of data/problems")
    parser.add_argument("--params", type=Path, default=Path("params.yaml"), help="of --model: the parameters in force")
    args = parser.parse_args()
    file = OUT / "judging.json"
    report: dict[str, Any] = files.read_json(file) if file.is_file() else {"states": {}, "rounds": {}, "trained": {}}
    with tempfile.TemporaryDirectory() as folder:
        for one in (path.resolve() for path in args.runs):
            report.setdefault("spent", {})[one.name] = spent(one)
            if args.states:
                report["states"][one.name] = of_run(one, args.states)
            if args.rounds:
                report["rounds"][one.name] = rounds(one, Path(folder) / one.name)
            if args.train is not None:
                ways = {way: SEARCHES[way] for way in args.train or SEARCHES}
                numbers = report["trained"].setdefault(one.name, {})
                for number, (way, over) in enumerate(ways.items()):
                    numbers[way] = trained(one, Path(folder) / f"{one.name}-{number}", over, args.through)
                    files.write_json(file, report)
    if args.model:
        report["states"][args.model.name] = of_model(args.model, args.problems, read_yaml(args.params), args.states)
    files.write_json(file, report)
    file.with_suffix(".md").write_text(document(report), encoding="utf-8")
    print(document(report))


if __name__ == "__main__":
    main()
