"""Dataset and model cards made from a run, merged into a card that is already there.

Our text stands between two marks; what a person wrote outside them stays. In the metadata, values that are there
stay, lists are united, and only what counts the data (configs, size) is ours to replace.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from huggingface_hub import DatasetCard, ModelCard

from pipeline.core.errors import PipelineError
from pipeline.core.redact import redacted
from pipeline.core.terminal import markdown
from pipeline.data.settings import GENERATED
from pipeline.publish.configs import location
from pipeline.publish.recipe import filled
from pipeline.publish.settings import Settings

BEGIN = "<!-- psr push: begin (made from the run; write outside these two marks, it stays) -->"
END = "<!-- psr push: end -->"
PAPER = "https://arxiv.org/abs/2503.03746"
_USE = """Preference pairs, with TRL 1.16 (a loss of `["sigmoid"]` alone works as well):

```python
{}
```
"""
_OWN = "its own opinion of its steps"
_GOLD = "pairs of solutions that **gold answers** chose: an upper reference, not self-rewarding"
_LINE_END = re.compile(r"\r\n?")
_SEARCHES = "the whole searches behind those pairs"
WHAT = {
    "ift": "problems with solutions segmented into steps (instruction fine-tuning)",
    "eft": "two candidate next steps with an annotator's explanation and verdict (evaluation fine-tuning)",
    "prm": "solutions with a label for each step, TRL's stepwise-supervision format",
    "ppd": "best and worst next step (SRLM: solution), judged by the model itself; TRL's preference format",
    "trees": "the whole searches behind those pairs: states, candidates, verdicts",
    "solutions": "the whole solutions behind those pairs, scored by the model itself (SRLM)",
}


@dataclass(frozen=True)
class Facts:
    """What a card says of a run.

    contents: manifest of the configs; statistics: by artifact; overlaps: prompts left out, by role and rule;
    sources: the section `problems`; parameters, hashes: from dvc.lock; table: the report's table of all models;
    recipe: code that trains the first round.
    """

    settings: Settings
    contents: Mapping[str, Any]
    statistics: Mapping[str, Any]
    overlaps: Mapping[str, int]
    sources: Mapping[str, Any]
    revision: str
    parameters: Mapping[str, Any]
    hashes: Mapping[str, str]
    table: str
    recipe: str | None


def dataset_card(facts: Facts, there: Path | None, gone: Sequence[str]) -> bytes:
    """The card of the dataset; there: the README.md that is there already; gone: configs that are ours no more."""
    rows = sum(split["rows"] for config in facts.contents.values() for split in config.values())
    data = {
        "license": facts.settings.license,
        "language": list(facts.settings.language),
        "pretty_name": facts.settings.title,
        "size_categories": [size_category(rows)],
        "task_categories": ["text-generation"],
        "tags": ["dpo", "trl", "preference", "process-reward", "self-rewarding", "reasoning", "arxiv:2503.03746"],
        "configs": [
            {"config_name": name, "data_files": [{"split": key, "path": location(name, key)} for key in splits]}
            for name, splits in facts.contents.items()
        ],
    }
    return _merged(DatasetCard, there, data, _body("dataset.md", facts), gone)


def model_card(facts: Facts, model: str, start: str | None, there: Path | None) -> bytes:
    """The card of one checkpoint, with the table of all models of the run."""
    data = {
        "license": facts.settings.license,
        "language": list(facts.settings.language),
        "library_name": "transformers",
        "pipeline_tag": "text-generation",
        "datasets": [facts.settings.repository],
        "tags": ["trl", "dpo", "self-rewarding", "reasoning", "arxiv:2503.03746"],
    }
    how = "the base model" if start is None else f"trained from {start}"
    variants = [entry for name, entry in facts.parameters.items() if name.startswith("variants.")]
    by = _GOLD if any(entry.get("gold") for entry in variants) else _OWN
    return _merged(ModelCard, there, data, _body("model.md", facts, model=model, how=how, by=by), ())


def _body(template: str, facts: Facts, **more: str) -> str:
    fields = {
        "title": facts.settings.title,
        "repository": facts.settings.repository,
        "paper": PAPER,
        "configs": _configs(facts.contents),
        "use": "" if facts.recipe is None else _USE.format(facts.recipe),
        "statistics": "\n".join(f"- **{name}**: {_line(value)}" for name, value in facts.statistics.items()),
        "overlaps": _overlaps(facts),
        "revision": facts.revision,
        "parameters": yaml.safe_dump(dict(facts.parameters), sort_keys=True, allow_unicode=True).strip(),
        "hashes": markdown(["output", "md5"], [[f"`{path}`", f"`{md5}`"] for path, md5 in facts.hashes.items()]),
        "table": facts.table.replace("\n#", "\n##").removeprefix("# Results").strip(),
        **more,
    }
    return redacted(filled(template, fields))


def _configs(contents: Mapping[str, Any]) -> str:
    rows = [
        [f"`{name}`", key, str(split["rows"]), WHAT.get(name.partition("-")[0], _SEARCHES)]
        for name, splits in contents.items()
        for key, split in splits.items()
    ]
    return markdown(["config", "split", "rows", "what a row is"], rows)


def _overlaps(facts: Facts) -> str:
    """What was compared with the evaluation problems, what was left out, and what was not compared."""
    sources = {role: facts.sources[role] for role in ("ift", "prm", "eft", "rounds")}
    inside = [role for role, source in sources.items() if source["path"] == GENERATED]
    compared = [role for role in sources if role not in inside]
    paragraphs = []
    if compared:
        paragraphs.append(
            f"Training prompts ({', '.join(compared)}) that share {facts.sources['ngram']} words in a row with an "
            "evaluation problem, equal one with its numbers masked, or contain a shorter one, are left out; "
            f"prompts left out: {_line(facts.overlaps)}."
        )
    if inside:
        paragraphs.append(
            f"Problems of {', '.join(inside)} are generated by the domain {facts.parameters['domain']}, which keeps "
            "its evaluation problems apart by construction; no text was compared."
        )
    return "\n\n".join(paragraphs)


def _line(value: Any) -> str:
    """Nested statistics as one line of words and numbers."""
    if isinstance(value, Mapping):
        parts = [
            f"{name} ({_line(part)})" if isinstance(part, Mapping) else f"{name} {_line(part)}"
            for name, part in value.items()
        ]
        return ", ".join(parts) or "none"
    return value if isinstance(value, str) else json.dumps(value)


def size_category(rows: int) -> str:
    """The Hub's name for a number of rows."""
    names = ("n<1K", "1K<n<10K", "10K<n<100K", "100K<n<1M", "1M<n<10M", "10M<n<100M")
    return names[min(max(len(str(rows)) - 3, 0), len(names) - 1)]


def _merged(kind: Any, there: Path | None, data: Mapping[str, Any], body: str, gone: Sequence[str]) -> bytes:
    written = there.read_bytes() if there else b"---\n{}\n---\n"
    try:
        card = kind(_LINE_END.sub("\n", written.decode("utf-8-sig")))
    except UnicodeDecodeError as error:
        raise PipelineError(f"README.md on the Hub: not UTF-8 (byte {error.start}); save it as UTF-8 there") from error
    except (yaml.YAMLError, ValueError, TypeError) as error:
        reason = " ".join(str(error).split())[:200]
        raise PipelineError(f"README.md on the Hub: its YAML block cannot be read ({reason}); mend it there") from error
    for name, value in data.items():
        card.data[name] = _united(name, card.data.get(name), value, gone)
    before, begin, rest = card.text.partition(BEGIN)
    after = rest.partition(END)[2] if begin else ""
    card.text = (before if begin or not before.strip() else before.rstrip() + "\n\n") + f"{BEGIN}\n\n{body}\n\n{END}"
    card.text = (card.text if there else "\n" + card.text) + (after or "\n")
    line_end = "\r\n" if b"\r\n" in written else "\n"  # as it was saved, so that the same card is the same bytes
    return str(card).replace("\n", line_end).encode()


def _united(name: str, there: Any, ours: Any, gone: Sequence[str]) -> Any:
    """A metadata value that is there together with ours."""
    if there is None or name == "size_categories":
        return ours
    kept = there if isinstance(there, list) else [there]
    if name == "configs":
        if not all(isinstance(config, dict) for config in kept):
            raise PipelineError("README.md on the Hub: `configs` is no list of configs; mend it there")
        mine = {config["config_name"] for config in ours} | set(gone)
        return [*(config for config in kept if config.get("config_name") not in mine), *ours]
    if isinstance(ours, list):
        return [*kept, *(value for value in ours if value not in kept)]
    return there
