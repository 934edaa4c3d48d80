"""What the Hub refuses is one line with the mend; what it gives is read as exactly as a local file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hub_stand_in import READER, WRITER, Failure, Handler, Hub, Refused
from test_hub_sources import CARD, parquet, read

from pipeline.core.errors import PipelineError
from pipeline.data import hub as hub_rows
from pipeline.data.problems import held_out
from pipeline.data.settings import Source


class Mine(Hub):
    """The stand-in with another token in the client's environment, and a status that gates every repository."""

    def __init__(self, token: str = WRITER, gate: int = 0) -> None:
        super().__init__()
        self.token, self.gate = token, gate

    def environment(self, home: Any, token: str = WRITER) -> dict[str, str]:
        return super().environment(home, self.token)


@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("token", "gate", "failure", "more", "message"),
    [
        ("", 401, None, {}, "it is gated; ask for access on its page, then run `hf auth login` or set HF_TOKEN"),
        (READER, 403, None, {}, "it is gated; ask for access on its page"),
        ("hf_expired", 0, None, {}, "no valid token, or an expired one; run `hf auth login`"),
        (WRITER, 0, Failure(r"resolve/.*parquet", 401, times=99), {}, "no valid token, or an expired one"),
        (WRITER, 0, Failure(r"resolve/.*parquet", 403, times=99), {}, "may not read it"),
        (WRITER, 0, Failure("", 503, times=999), {}, "the Hub fails (503); start it again later"),
        (
            WRITER,
            0,
            None,
            {"problems.py": b"import datasets"},
            "a loading script, which is not run; try `revision: refs",
        ),
    ],
)
def test_what_the_hub_refuses_is_one_line_with_the_mend(
    token: str,
    gate: int,
    failure: Failure | None,
    more: dict[str, bytes],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    whole = Handler.repo

    def gated(self: Handler, kind: str, repo_id: str, writes: bool = False) -> Any:
        if gate:
            raise Refused(gate, f"Access to dataset {repo_id} is restricted", "GatedRepo")
        return whole(self, kind, repo_id, writes)

    monkeypatch.setattr(Handler, "repo", gated)
    with Mine(token) as hub:
        repo = hub.create("dataset", "org/problems", False)
        tables = {f"{name}.parquet": parquet("a") for name in ("main/train", "main/test", "other/train")}
        repo.commit("main", "first", {"README.md": CARD, **tables, **more})
        hub.failures = [failure] if failure else []
        (line,) = read(hub, tmp_path, {"config": "main"})
    assert isinstance(line, str) and message in line and "org/problems" in line
    assert "\n" not in line and len(line) < 300 and (not token or token not in line)


def test_golds_of_the_hub_are_as_exact_as_those_of_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import datasets

    table = pa.table(
        {
            "prompt": [[{"role": "user", "content": f"p{n}"}] for n in range(4)],
            "reward_model": [{"ground_truth": text, "style": "rule"} for text in ("200", None, "x", "y")],
            "narrow": pa.array([0.1, 2.0**24, None, 3.0], pa.float32()),
            "wide": pa.array([1.0, float("nan"), 5.764607523034235e17, 0.1]),
        }
    )
    streamed = datasets.Dataset(table).to_iterable_dataset()
    monkeypatch.setattr(datasets, "load_dataset", lambda *_, **__: streamed)
    expected = {"reward_model.ground_truth": ["200", "x", "y"], "narrow": ["0.1", "3"], "wide": ["1", "0.1"]}
    path = tmp_path / "a.parquet"
    pq.write_table(table, path)
    for column, golds in expected.items():
        for place in ("hub:org/problems", str(path)):
            dropped: list[Any] = []
            problems = held_out(Source(path=place, rows=0, prompt="prompt", answer=column), "math", 1, dropped)
            assert [problem.answer for problem in problems] == golds and len(dropped) == 4 - len(golds)
    with pytest.raises(PipelineError, match="column 'q' is missing; it has prompt, reward_model, narrow, wide"):
        held_out(Source(path="hub:org/problems", rows=0, prompt="q"), "math", 1, [])


def test_the_line_never_grows_with_what_the_client_says(monkeypatch: pytest.MonkeyPatch) -> None:
    import datasets

    def fails(*_: object, **__: object) -> None:
        raise ValueError("BuilderConfig 'x' not found. Available: " + ", ".join(map(str, range(10_000))))

    monkeypatch.setattr(datasets, "load_dataset", fails)
    with pytest.raises(PipelineError, match="correct path, config, split or revision") as caught:
        list(hub_rows.read(Source(path="hub:org/problems", rows=0), "org/problems", ()))
    assert len(str(caught.value)) < 320
