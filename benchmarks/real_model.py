"""The whole graph on a real chat model and real text, from local files: `psr profile smollm2` in a clone of its own.

    python -m benchmarks.real_model --model FOLDER --train gsm8k_train.jsonl --test gsm8k.jsonl \\
        --ratings prm800k.parquet --run FOLDER

train, test: GSM8K as OpenAI published it. ratings: PRM800K, one candidate step a row. run: is made; a second call goes
on there. The annotator is the model itself; as it copies no solution, the stage `ift` is run once with it for show, and
the graph with the rule. Prints the seconds of every stage, what each kept and dropped, and one prompt of each kind with
its completion as the model saw and wrote it, special tokens and all (docs/real-model.md keeps the last one).
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml
from transformers import AutoTokenizer

from pipeline.core import files
from pipeline.core.config import read_yaml
from pipeline.core.records import JudgedPair, LabelledSolution, Preference, Problem, Solution, Tree
from pipeline.language import prompts
from pipeline.language.renderer import Renderer
from pipeline.methods.psrlm import prm, rows
from pipeline.params.profiles import profile

ROOT = Path(__file__).parent.parent


def prepare(options: argparse.Namespace, segmenter: str) -> None:
    """A clone with the data in data/sources and the profile's params.yaml, pointed at them."""
    run: Path = options.run
    if not run.exists():
        subprocess.run(["git", "clone", "--quiet", str(ROOT), str(run)], check=True)
        sources = run / "data/sources"
        sources.mkdir(parents=True, exist_ok=True)
        shutil.copytree(options.model, sources / "model")
        for name in ("train", "test", "ratings"):
            path: Path = getattr(options, name)
            shutil.copyfile(path, sources / f"{name}{path.suffix}")
    params = profile("smollm2")
    here = {name: f"data/sources/{name}{getattr(options, name).suffix}" for name in ("train", "test", "ratings")}
    solved = {"prompt": "question", "answer": "answer", "format": "gsm8k"}
    problems: dict[str, Any] = params["problems"]
    for role in ("ift", "eft", "rounds"):
        problems[role] |= solved | {"path": here["train"], "solution": "answer"}
    problems["evaluation"]["gsm8k"] |= solved | {"path": here["test"]}
    problems["prm"] |= {"path": here["ratings"], "format": "prm800k"}
    problems["ratings"] = here["ratings"]
    params["base"]["model"] = "data/sources/model"
    params["ift"]["segmenter"] = segmenter
    (run / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False), encoding="utf-8")


def repro(run: Path, *target: str, stderr: int | None = None) -> subprocess.CompletedProcess[str]:
    """`dvc repro` in the clone."""
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "PYTHONPATH": ""}
    return subprocess.run(["dvc", "repro", *target], cwd=run, env=environment, check=False, stderr=stderr, text=True)


def segmentation(run: Path) -> str:
    """The annotator's first segmentation with its prompt, and what the stage `ift` says of them all."""
    lines = repro(run, "ift", stderr=subprocess.PIPE).stderr.splitlines()
    outcome = [line for line in lines if line.startswith("error: ")] or [
        "usable: see data/dropped/ift.parquet for the others"
    ]
    journal = min((run / ".work/ift").glob("*.jsonl"), key=lambda path: path.stat().st_mtime)
    first = json.loads(journal.read_text(encoding="utf-8").splitlines()[0])
    (problem,) = (p for p in files.read(run / "data/problems/ift.parquet", Problem) if p.problem_id == first["key"])
    renderer = Renderer(AutoTokenizer.from_pretrained(run / "data/sources/model"), "math")
    text = prompts.fill("math", "segmentation", problem=problem.prompt, solution=problem.solution or "")
    shown = renderer.tokenizer.decode(renderer.turn(text))
    return f"### Segmentation\n\n```\n{shown}⟦{first['row']['text']}⟧\n```\n\n{outcome[-1]}"


def seconds(run: Path) -> str:
    """Stage by stage, as the run's own list has it."""
    lines = [json.loads(line) for line in (run / ".work/runs.jsonl").read_text(encoding="utf-8").splitlines()]
    names = ("seconds", "requests", "prompt_tokens", "sampled_tokens", "trained_tokens")
    table = [f"| {line['stage']} | " + " | ".join(str(line.get(name, "")) for name in names) + " |" for line in lines]
    return "\n".join(["| stage | " + " | ".join(names) + " |", "|" + " --- |" * (len(names) + 1), *table])


def examples(run: Path) -> str:
    """One prompt of each kind with what follows it, decoded from the very ids."""
    family = read_yaml(run / "params.yaml")["prompts"]["family"]
    renderer = Renderer(AutoTokenizer.from_pretrained(run / "data/m1/model"), family)
    parts: list[str] = []

    def show(kind: str, prompt: list[int], completion: list[int]) -> None:
        decode = renderer.tokenizer.decode
        parts.append(f"### {kind}\n\n```\n{decode(prompt)}⟦{decode(completion)}⟧\n```")

    solution = files.read(run / "data/ift/train.parquet", Solution)[0]
    whole = renderer.prompt("reasoning", problem=solution.prompt)
    start = renderer.reasoning(solution.prompt)
    show("Reasoning (a solution that is trained)", start, [*whole, *renderer.steps(solution.steps)][len(start) :])
    for tree in files.read(run / "data/m2/trees/trees.parquet", Tree)[:1]:
        state = tree.states[-1]
        for candidate in state.candidates[:1]:
            number = len(state.steps) + 1
            text = renderer.completion(candidate.text, number, terminal=candidate.terminal)
            show("Reasoning (a sampled step)", renderer.reasoning(tree.prompt, state.steps), text)
    for pair in files.read(run / "data/eft/psrlm/train.parquet", JudgedPair)[:1]:
        show("Judgment", *rows.token_ids(renderer, pair))
    every = files.read(run / "data/prm/steps/train.parquet", LabelledSolution)
    for rated in [row for row in every if len(set(row.labels)) == 2][:1]:
        row = prm.training_row(renderer, rated)
        labels = [n for n in row["labels"] if n >= 0]
        show("PRM rating (a label after each step's mark, the blank lines)", row["input_ids"][:-1], labels)
    for chosen in files.read(run / "data/m2/pairs/train.parquet", Preference)[:1]:
        ids = renderer.completion(chosen.chosen, len(chosen.steps) + 1, terminal=chosen.chosen_terminal)
        show("A pair's prompt and chosen step", renderer.reasoning(chosen.prompt, chosen.steps), ids)
    return "\n\n".join(parts)


def main() -> None:
    """Prepare, run, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("model", "train", "test", "ratings", "run"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    options = parser.parse_args()
    prepare(options, "annotator")
    shown = segmentation(options.run)
    prepare(options, "rule")
    code = repro(options.run).returncode
    print(seconds(options.run))
    if code:
        sys.exit(code)
    print((options.run / "reports/table.md").read_text(encoding="utf-8").partition("The paper")[0])
    print((options.run / "reports/ledger.csv").read_text(encoding="utf-8"))
    print(examples(options.run), shown, sep="\n\n")


if __name__ == "__main__":
    main()
