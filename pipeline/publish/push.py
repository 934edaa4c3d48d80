"""Push a run: its configs one after another, the card last, then the checkpoints that the settings name.

What the Hub has already is not sent again, so a push that was broken off goes on where it was, and the same bytes
pushed twice make no second commit.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from pipeline.core import files
from pipeline.core.errors import PipelineError
from pipeline.core.records import Overlap
from pipeline.publish import configs, hub, lock
from pipeline.publish.card import Facts, dataset_card, model_card
from pipeline.publish.recipe import snippet
from pipeline.publish.settings import AUTO, Settings

CARD = "README.md"
Contents = Mapping[str, hub.Content]


def push(
    settings: Settings,
    places: configs.Artifacts,
    recorded: lock.Lock,
    starts: Mapping[str, str | None],
    rounds: Mapping[str, str],
) -> dict[str, Any]:
    """Publish a run and return the receipt: repositories with commit and the hash of every file.

    starts: each model and the one it was trained from. rounds: the method of each round. Raises PipelineError for
    an artifact that is not what `recorded` says, and for everything the Hub refuses.
    """
    if not settings.repository:
        raise PipelineError("publish.repository is empty; `psr push ORG/NAME` sets it")
    for model in settings.models:
        if model not in starts:
            raise PipelineError(f"publish.models: no model {model!r}; give some of {', '.join(starts)}")
    api = hub.connect()
    with tempfile.TemporaryDirectory(prefix="psr-push-") as folder:
        collected = list(configs.collect(places, recorded, rounds, starts, Path(folder)))
        facts = _facts(settings, places, recorded, collected, starts, rounds)
        receipt = _push_dataset(_Target(api, settings, settings.repository, "dataset"), collected, facts)
        for model in settings.models:
            target = _Target(api, settings, f"{settings.repository}-{model}", "model")
            weights = recorded.verified(places.models / model / "model")
            contents: dict[str, hub.Content] = {path.name: path for path in sorted(weights.iterdir()) if path.is_file()}
            contents[CARD] = model_card(_of_model(facts, recorded, weights), model, starts[model], target.there(CARD))
            target.put(model, contents)
            receipt |= target.receipt(contents)
    return receipt


class _Target:
    """One repository during a push: commits what differs onto the last head, or in a dry run says what it would."""

    def __init__(self, api: Any, settings: Settings, name: str, kind: str) -> None:
        self.repository = hub.Repository(api, name, kind, settings.branch)
        self.settings, self.name = settings, name
        state = self.repository.state() if settings.dry_run else self.repository.open(settings.public)
        if state is None:
            print(f"{name}: would be created, {'public' if settings.public else 'private'}")
        self.state = state or hub.State("", {})
        self.head = self.state.head

    def there(self, path: str) -> Path | None:
        """A file of the repository as it was when the push began."""
        return self.repository.download(path, self.state.head) if path in self.state.files else None

    def put(self, what: str, contents: Contents, gone: Sequence[str] = ()) -> None:
        """Commit contents under the message `what`, if they differ."""
        changes = self.state.differences(contents, gone)
        if changes and not self.settings.dry_run:
            self.head = self.repository.put(contents, what, self.head, gone)
        listed = ", ".join(f"{path} {change}" for path, change in changes.items()) or "nothing new"
        would = "would commit " if changes and self.settings.dry_run else ""
        print(f"{self.name}: {would}{what}: {listed}", flush=True)

    def receipt(self, contents: Contents) -> dict[str, Any]:
        """Tag the last commit where the settings name a tag, and list what is where."""
        if self.settings.tag and not self.settings.dry_run:
            self.repository.tag(self.settings.tag, self.head)
        hashes = {path: hub.sha256(content) for path, content in contents.items()}
        return {self.name: {"type": self.repository.kind, "commit": self.head, "sha256": hashes}}


def _push_dataset(target: _Target, collected: Sequence[configs.Config], facts: Facts) -> dict[str, Any]:
    before = target.there(configs.MANIFEST)
    old = configs.published_contents(before, target.name) if before else {}
    stale = sorted(configs.locations(old) - configs.locations(facts.contents))
    everything: dict[str, hub.Content] = {}
    for config in collected:
        target.put(config.name, config.files)
        everything |= config.files
    last: dict[str, hub.Content] = {
        CARD: dataset_card(facts, target.there(CARD), [name for name in old if name not in facts.contents]),
        configs.MANIFEST: (json.dumps(facts.contents, indent=2, sort_keys=True) + "\n").encode(),
    }
    target.put("card", last, stale)
    return target.receipt(everything | last)


def _facts(
    settings: Settings,
    places: configs.Artifacts,
    recorded: lock.Lock,
    collected: Sequence[configs.Config],
    starts: Mapping[str, str | None],
    rounds: Mapping[str, str],
) -> Facts:
    outputs = [places.ift, places.eft, places.prm, *(places.models / model / "pairs" for model in rounds)]
    stages = recorded.upstream(outputs)
    names = ("ift", "prm_data", "prm", "prm_eval", f"eft-{places.eft.name}")
    reports = {name: places.reports / "data" / f"{name}.json" for name in names}
    for model in rounds:
        folder = places.reports / "models" / model
        reports |= {f"{name}-{model}": folder / f"{name}.json" for name in ("search", "pairs")}
    overlaps = files.read(recorded.verified(places.problems) / "overlaps.parquet", Overlap)
    return Facts(
        settings=settings,
        contents=configs.manifest(collected),
        statistics={name: files.read_json(recorded.verified(path)) for name, path in reports.items()},
        overlaps=files.counts([f"{overlap.role} by {overlap.rule}" for overlap in overlaps]),
        sources=recorded.parameter("problems", "problems"),
        revision=lock.git_revision(recorded.path),
        parameters=lock.parameters(stages),
        hashes=lock.hashes(stages),
        recipe=next((_recipe(settings, places, recorded, model, str(starts[model])) for model in rounds), None),
        table=recorded.verified(places.reports / "table.md").read_text(encoding="utf-8"),
    )


def _recipe(settings: Settings, places: configs.Artifacts, recorded: lock.Lock, model: str, start: str) -> str:
    """The start is the checkpoint on the Hub where it is pushed too, else the run's own folder."""
    pushed = f"{settings.repository}-{start}" if start in settings.models else ""
    return snippet(recorded, settings.repository, model, pushed or str(places.models / start / "model"))


def _of_model(facts: Facts, recorded: lock.Lock, weights: Path) -> Facts:
    stages = recorded.upstream([weights])
    return replace(facts, parameters=lock.parameters(stages), hashes=lock.hashes(stages))


def named(settings: Settings, recorded: lock.Lock) -> Settings:
    """The settings with the tag `auto`, and the branch `auto`, replaced by a name made from the lock's content."""
    name = f"run-{hub.sha256(recorded.path)[:12]}"
    return settings.model_copy(update={key: name for key in ("tag", "branch") if getattr(settings, key) == AUTO})
