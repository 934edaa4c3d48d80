"""One repository of the Hugging Face Hub: what is in it, and guarded commits of what differs from it.

The token is the one of huggingface_hub's own login or of HF_TOKEN; this package never sees it.
"""

from __future__ import annotations

import hashlib
import os
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi, constants, set_client_factory
from huggingface_hub.errors import (
    HfHubHTTPError,
    RemoteEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from huggingface_hub.hf_api import RepoFile
from huggingface_hub.utils import (  # type: ignore[attr-defined]  # httpx is exported when it runs
    disable_progress_bars,
    httpx,
)
from huggingface_hub.utils.sha import git_hash

from pipeline.core.errors import PipelineError
from pipeline.core.redact import redacted
from pipeline.publish.failures import BROKEN, passing, refusal, repository_name

Answer = TypeVar("Answer")
Content = bytes | Path
MAIN = "main"
SILENCE = 120.0  # seconds without a byte after which a request counts as lost
WAITS = (1.0, 2.0, 4.0, 8.0, 16.0)  # seconds before each new try
# What hf_xet reads when its first transfer begins: it tries once and is silent for as long as we are; we try again.
_XET = {"RETRY_MAX_ATTEMPTS": "0", "CONNECT_TIMEOUT": f"{SILENCE / 2:g}s", "READ_TIMEOUT": f"{SILENCE / 2:g}s"}


def connect() -> HfApi:
    """A client that gives up on a silent server instead of waiting for ever (the library's default)."""
    if constants.is_offline_mode():
        raise PipelineError("HF_HUB_OFFLINE is set in the environment; unset it to reach the Hub")
    if not sys.stderr.isatty():
        disable_progress_bars()
    for name, value in _XET.items():
        os.environ.setdefault(f"HF_XET_CLIENT_{name}", value)
    set_client_factory(lambda: httpx.Client(follow_redirects=True, timeout=SILENCE))
    return HfApi()


@dataclass(frozen=True)
class State:
    """A repository at one commit: its id and its files by path."""

    head: str
    files: dict[str, RepoFile]

    def differences(self, files: Mapping[str, Content], gone: Iterable[str] = ()) -> dict[str, str]:
        """What a commit of `files` without `gone` would do: path -> `new`, `changed` or `removed`."""
        differing = [path for path, content in files.items() if not self._has(path, content)]
        changes = {path: "changed" if path in self.files else "new" for path in differing}
        return changes | {path: "removed" for path in gone if path in self.files}

    def _has(self, path: str, content: Content) -> bool:
        if (there := self.files.get(path)) is None:
            return False
        if there.lfs:
            return sha256(content) == there.lfs.sha256
        return git_hash(content if isinstance(content, bytes) else content.read_bytes()) == there.blob_id


class Repository:
    """A dataset or model repository, or one branch of it.

    Every call is repeated after a pause while the Hub fails (5xx, time-outs, broken connections); whatever it
    refuses (401, 403, 404, 409, 412) is a PipelineError of one line that says what to do.
    """

    def __init__(self, api: HfApi, name: str, kind: str = "dataset", branch: str = MAIN) -> None:
        self.api, self.name, self.kind, self.branch = api, repository_name(name), kind, branch

    def state(self, revision: str | None = None) -> State | None:
        """The repository at a revision (default: its branch, `main` while there is no such branch); None if absent."""
        try:
            return self._retried(lambda: self._state(revision or self.branch))
        except RevisionNotFoundError as error:
            if revision is None and self.branch != MAIN:
                return self.state(MAIN)
            raise refusal(self.name, error.response.status_code, error) from error
        except HfHubHTTPError as error:
            if isinstance(error, RepositoryNotFoundError) and error.response.status_code == 404:
                return None
            raise refusal(self.name, error.response.status_code, error) from error

    def _state(self, revision: str) -> State:
        head = str(self.api.repo_info(self.name, repo_type=self.kind, revision=revision).sha)
        tree = self.api.list_repo_tree(self.name, recursive=True, revision=head, repo_type=self.kind)
        return State(head, {entry.path: entry for entry in tree if isinstance(entry, RepoFile)})

    def open(self, public: bool) -> State:
        """Create what is absent of repository and branch; a new repository is private unless `public`."""
        if self.state() is None:
            self._call(lambda: self.api.create_repo(self.name, repo_type=self.kind, private=not public, exist_ok=True))
        if public:
            self._call(lambda: self.api.update_repo_settings(self.name, repo_type=self.kind, visibility="public"))
        if self.branch != MAIN:
            new: dict[str, Any] = {"branch": self.branch, "repo_type": self.kind, "exist_ok": True}
            self._call(lambda: self.api.create_branch(self.name, **new))
        state = self.state()
        if state is None:
            raise PipelineError(f"{self.name}: was made, but the Hub does not show it; push again")
        return state

    def put(self, files: Mapping[str, Content], message: str, parent: str, gone: Iterable[str] = ()) -> str:
        """Commit what differs onto `parent` and return the new head; nothing differs: no commit, the head stays.

        Raises PipelineError if someone else has committed since `parent`. A commit whose answer was lost is
        recognised on the next try, not repeated.
        """

        def once() -> str:
            state = self._state(self.branch)
            changes = state.differences(files, gone)
            if not changes:
                return state.head
            operations = [
                CommitOperationDelete(path) if what == "removed" else CommitOperationAdd(path, files[path])
                for path, what in changes.items()
            ]
            try:
                where: dict[str, Any] = {"repo_type": self.kind, "revision": self.branch, "parent_commit": parent}
                made = self.api.create_commit(self.name, operations, commit_message=message, **where)
            except ValueError as error:
                if "Invalid metadata" not in str(error):
                    raise
                reason = " ".join(str(error).split())
                raise PipelineError(f"{self.name}: the Hub refuses the card: {reason}; correct it there") from error
            return str(made.oid)

        return self._call(once)

    def tag(self, name: str, head: str) -> None:
        """Name a commit; PipelineError if the tag stands at another one."""
        refs = self._call(lambda: self.api.list_repo_refs(self.name, repo_type=self.kind))
        there = next((tag.target_commit for tag in refs.tags if tag.name == name), None)
        if there is None:
            self._call(lambda: self.api.create_tag(self.name, tag=name, revision=head, repo_type=self.kind))
        elif there != head:
            raise PipelineError(f"{self.name}: tag {name!r} stands at another commit; give another --tag")

    def download(self, path: str, revision: str) -> Path | None:
        """A file at a commit, in the Hub's own cache; None if it is not there."""
        try:
            where: dict[str, Any] = {"repo_type": self.kind, "revision": revision}
            return Path(self._call(lambda: self.api.hf_hub_download(self.name, path, **where)))
        except RemoteEntryNotFoundError:
            return None

    def _call(self, call: Callable[[], Answer]) -> Answer:
        try:
            return self._retried(call)
        except RemoteEntryNotFoundError:
            raise
        except HfHubHTTPError as error:
            raise refusal(self.name, error.response.status_code, error) from error

    def _retried(self, call: Callable[[], Answer]) -> Answer:
        for wait in (*WAITS, None):
            try:
                return call()
            except (OSError, RuntimeError, *BROKEN) as error:
                failure = passing(self.name, error)
            reason = redacted(" ".join(str(failure).split()))[:160]
            if wait is None:
                raise PipelineError(
                    f"{self.name}: the Hub does not answer after {len(WAITS) + 1} tries ({reason}); "
                    "start it again later, what is there is kept"
                ) from failure
            print(f"{self.name}: {reason}; again in {wait:g} s", file=sys.stderr, flush=True)
            time.sleep(wait)
        raise AssertionError("unreachable")


def sha256(content: Content) -> str:
    """Hash of bytes or of a file: what the Hub names a large file by. A file that did not change is read once."""
    if isinstance(content, bytes):
        return hashlib.sha256(content).hexdigest()
    stat = content.stat()
    return _of_file(content, stat.st_mtime_ns, stat.st_size)


@cache
def _of_file(path: Path, changed: int, size: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
