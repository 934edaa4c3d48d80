"""Whether the weights of a model folder are whole and finite: one tensor is held at a time, no code of a model runs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from pipeline.core.errors import PipelineError
from pipeline.core.files import read_json

_INDEX = "model.safetensors.index.json"
# What a trained model has of the model that it began with.
_KEPT = ("model_type", "architectures", "hidden_size", "intermediate_size", "num_hidden_layers", "vocab_size")


def faults(folder: Path, start: Path | None = None) -> Iterator[str]:
    """What is wrong, a line each: a file or the configuration cannot be read, a tensor is missing or not finite.

    start: the folder of the model that it was trained from.
    """
    from safetensors import SafetensorError

    from pipeline.training import loadable  # takes seconds

    files = sorted(folder.glob("*.safetensors"))
    for path in files:
        try:
            for name, odd, count in loadable.not_finite(path):
                yield f"{path}: {name}: {odd} of {count} values are not finite; train it again"
        except (SafetensorError, OSError) as error:
            yield f"{path}: cannot be read ({error}); train it again"
            return
    if not files:
        yield f"{folder}: has no weights (*.safetensors); train it again"
        return
    try:
        laid = loadable.laid_out(folder, loadable.configuration(folder))
        if (index := folder / _INDEX).is_file():  # of no use beside whole weights, but an output all the same
            dict(json.loads(index.read_bytes())["weight_map"])
    except loadable.Unloadable as error:
        yield f"{folder / error.part}: cannot be loaded ({error}); train it again"
        return
    except (LookupError, TypeError, ValueError) as error:
        yield f"{folder / _INDEX}: cannot be loaded ({error}); train it again"
        return
    yield from (f"{folder}: {name}: no file has this tensor; train it again" for name in laid.missing)
    for name, has, wanted in laid.mismatched:
        yield f"{folder}: {name}: has shape {has}, config.json says {wanted}"
    for name in laid.unexpected:
        yield f"{folder}: {name}: is no tensor of the model that config.json says; train it again"
    if start:
        yield from _against(folder, start)


def _against(folder: Path, start: Path) -> Iterator[str]:
    """What a trained model has otherwise than the one that it began with."""
    try:
        own, before = (read_json(one / "config.json") for one in (folder, start))
        other = [name for name in _KEPT if own.get(name) != before.get(name)]
    except (AttributeError, PipelineError, UnicodeDecodeError):
        return  # has a line already
    if other:
        yield f"{folder}: has another {other[0]} than {start}, from which it was trained; train it again"
