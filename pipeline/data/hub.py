"""Rows of a dataset on the Hugging Face Hub, streamed batch by batch, and its refusals in one line each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pipeline.core.errors import PipelineError
from pipeline.data.readers import Rows, batch_rows, tops
from pipeline.data.settings import Source
from pipeline.data.values import brief

_BATCH = 1024
_LOGIN = "run `hf auth login` or set HF_TOKEN"
_REFUSALS = {
    401: f"no valid token, or an expired one; {_LOGIN}",
    403: "your token may not read it; ask for access on its page, or use another token",
    429: "too many requests; start it again later",
}


def read(source: Source, name: str, wanted: Sequence[str]) -> Rows:
    """Rows of the dataset `name` with the source's config, split and revision, numbered from 1.

    wanted: paths of columns (none: all); an absent one is a fault before the first row if the dataset says its columns.
    Raises PipelineError naming the dataset.
    """
    import datasets
    from huggingface_hub.utils import httpx  # type: ignore[attr-defined]  # exported when it runs

    number, config = 0, str(source.config)
    try:
        dataset = datasets.load_dataset(
            name, config or None, split=source.split, revision=source.revision or None, streaming=True
        )
        if dataset.column_names is not None:
            dataset = dataset.select_columns(tops(source.path, wanted, dataset.column_names))
        for table in dataset.with_format("arrow").iter(batch_size=_BATCH):
            for row in batch_rows(table):
                number += 1
                yield number, row
    except (datasets.exceptions.DatasetsError, httpx.HTTPError, OSError, ValueError, RuntimeError) as error:
        where = " ".join(filter(None, [name, config, source.split, source.revision]))
        read = f" after row {number}" if number else ""
        raise PipelineError(
            f"{source.path}: dataset {where!r} cannot be read from the Hub{read}: {_reason(error)}"
        ) from error


def _reason(error: Exception) -> str:
    """What the Hub or its client says, and what to do about it."""
    status, message = _status(error), str(error)
    if "gated" in message:
        return f"it is gated; ask for access on its page, then {_LOGIN}"
    if "scripts are no longer supported" in message:
        return "it is a loading script, which is not run; try `revision: refs/convert/parquet` or a copy in Parquet"
    if status in _REFUSALS:
        return f"{_REFUSALS[status]} ({status})"
    if status is not None and status >= 500:
        return f"the Hub fails ({status}); start it again later"
    if isinstance(error, ConnectionError):
        return f"{brief(message, 120)}; check the connection and HF_HUB_OFFLINE"
    return f"{brief(message, 160)}; correct path, config, split or revision in params.yaml, section `problems`"


def _status(error: BaseException | None) -> int | None:
    """The HTTP status behind an error of the clients, or None."""
    while error is not None:
        response: Any = getattr(error, "response", None)
        if response is not None:
            return int(response.status_code)
        error = error.__cause__ or error.__context__
    return None
