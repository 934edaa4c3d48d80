"""Pushing: xet fails as everything else does, odd files on the Hub are one line, and a card is a fixed point."""

from __future__ import annotations

import json
import os
import time
from dataclasses import replace
from pathlib import Path

import huggingface_hub
import pytest
import yaml
from hub_stand_in import Failure, Handler, Hub
from huggingface_hub.utils._xet import XET_CONNECTION_INFO_CACHE, abort_xet_session
from test_publish import REPOSITORY, SETTINGS, changed, finished, graph, hub, project, psr, push  # noqa: F401

from pipeline.core.errors import PipelineError
from pipeline.publish import hub as hub_module
from pipeline.publish.card import Facts, dataset_card
from pipeline.publish.pull import pull

CAS = "/v1/xorb-grants/"


class XetHandler(Handler):
    """The stand-in with a token for xet storage, which takes every block and then fails as the rules say."""

    def route(self, path: str) -> tuple[int, dict[str, str], bytes]:
        if "/xet-write-token/" in path:
            token = {"casUrl": self.hub.url, "exp": int(time.time()) + 3600, "accessToken": "xet-secret-0123"}
            return self.json(token)
        return super().route(path)


@pytest.fixture
def xet(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> Hub:  # noqa: F811
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_DISABLE_XET", False)
    monkeypatch.setenv("HF_XET_CLIENT_READ_TIMEOUT", "1s")
    hub.server.RequestHandlerClass = type("Bound", (XetHandler,), {"hub": hub})
    abort_xet_session()
    XET_CONNECTION_INFO_CACHE.clear()
    return hub


@pytest.mark.parametrize("place", ["xet-write-token", CAS])
@pytest.mark.parametrize(
    ("failure", "line"),
    [
        (Failure("", 401, times=99), r"the Hub refuses \(401\): no valid token; run `hf auth login`"),
        (Failure("", 403, times=99), r"the Hub refuses \(403\): your token has no right"),
        (Failure("", 404, times=99), r"the Hub refuses \(404\): not found"),
        (Failure("", 400, times=99), r"the Hub refuses \(400\): .*400"),
        (Failure("", 429, times=99), r"the Hub does not answer after 5 tries \(.*429.*\); start it again later"),
        (Failure("", 500, times=99), r"the Hub does not answer after 5 tries \(.*500.*\); start it again later"),
        (Failure("", 503, times=99), r"the Hub does not answer after 5 tries \(.*503.*\); start it again later"),
        (Failure("", 0, times=99), r"the Hub does not answer after 5 tries \(.*\); start it again later"),
        (Failure("", -1, times=99, seconds=4), r"the Hub does not answer after 5 tries \(.*\); start it again later"),
    ],
    ids=lambda value: str(value.status) if isinstance(value, Failure) else "",
)
def test_what_fails_through_xet_is_one_line_in_time(
    xet: Hub,
    finished: Path,  # noqa: F811
    capsys: pytest.CaptureFixture[str],
    failure: Failure,
    line: str,
    place: str,
) -> None:
    xet.failures = [replace(failure, pattern=place)]
    start = time.monotonic()
    with pytest.raises(PipelineError, match=line) as caught:
        push()
    assert "\n" not in str(caught.value) and time.monotonic() - start < 40
    assert "xet-secret-0123" not in str(caught.value) + capsys.readouterr().err
    assert not xet.dataset(REPOSITORY).titles


def test_xet_is_silent_no_longer_than_everything_else(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RETRY_MAX_ATTEMPTS", "CONNECT_TIMEOUT", "READ_TIMEOUT"):
        monkeypatch.delenv(f"HF_XET_CLIENT_{name}", raising=False)
    hub_module.connect()
    assert os.environ["HF_XET_CLIENT_RETRY_MAX_ATTEMPTS"] == "0"
    assert 2 * float(os.environ["HF_XET_CLIENT_READ_TIMEOUT"].removesuffix("s")) <= hub_module.SILENCE


# ---------------------------------------------------------------- names


@pytest.mark.parametrize(
    "name",
    ["noorg", "org/", "/name", "org/a/b", "https://huggingface.co/datasets/org/a", "org/na me", "org/a.git", "ö/a",
     "org/..", "-org/a", "org/a--b", "datasets/org/a", ".", "org//a", "a" * 100 + "/b"],
)  # fmt: skip
def test_a_name_without_its_namespace_is_one_line_before_anything_is_asked(name: str, hub: Hub, finished: Path) -> None:  # noqa: F811
    for ask in (lambda: push(changed(repository=name)), lambda: pull(name, "main", graph(), replace=False)):
        with pytest.raises(PipelineError, match="not a name of the Hub; give ORG/NAME"):
            ask()
    assert not hub.requests


def test_psr_push_of_such_a_name_writes_nothing(hub: Hub, project: Path) -> None:  # noqa: F811
    before = (project / "publish/params.yaml").read_bytes()
    done = psr(project, hub, "push", "noorg")
    assert (done.returncode, done.stderr) == (1, "error: repository 'noorg': not a name of the Hub; give ORG/NAME\n")
    assert (project / "publish/params.yaml").read_bytes() == before and not (project / "publish/dvc.lock").exists()


# ---------------------------------------------------------------- what stands on the Hub


@pytest.mark.parametrize(
    "manifest",
    [
        b"\xff\xfe\x00", '{"ä": 1}'.encode("latin-1"), "{}".encode("utf-16"), b"", b"{", b"null", b"[1]", b"7", b'"x"',
        b"[" * 100_000, b'{"ift": 1}', b'{"ift": {"train": 1}}', b'{"ift": {"train": {"rows": 1}}}', b"\x00",
        b'{"ift": {"train": {"rows": 1, "sha256": ' + b"9" * 5000 + b"}}}",
    ],
    ids=lambda value: repr(value[:24]),
)  # fmt: skip
def test_a_manifest_that_cannot_be_read_is_one_line(manifest: bytes, hub: Hub, finished: Path) -> None:  # noqa: F811
    hub.create("dataset", REPOSITORY, True).commit("main", "odd", {"manifest.json": manifest})
    for ask in (push, lambda: pull(REPOSITORY, "main", graph(), replace=True)):
        with pytest.raises(
            PipelineError, match=r"org/steps: its manifest.json (is not one of|has the odd name)"
        ) as caught:
            ask()
        assert "\n" not in str(caught.value) and len(str(caught.value)) < 400


HEAD = "---\nlicense: mit\n---\n"


@pytest.mark.parametrize(
    "readme",
    [
        "# Mine\r\n\r\nText.\r\n", HEAD.replace("\n", "\r\n") + "\r\n# Mine\r\n", HEAD + "# Mine\r\nmixed\n",
        "\ufeff" + HEAD + "# Mine\n", "\ufeff" + HEAD.replace("\n", "\r\n") + "# Mine\r\n", HEAD, HEAD.rstrip(), "",
        "\n", "\r\n", "   \n", "# Mine", "\n\n\n# Mine\n\n\n", HEAD + "\n\n\n# Mine\n\n\n", HEAD + "# Mine\rold\r",
        "---\n---\n# Mine\n", "---\n{}\n---\n", "---\n# a comment\nlicense: mit\n---\n",
        "---\nlicense: mit\nextra: 2024-01-02\nlong: " + "word " * 60 + "\n---\n",
        "---\nlanguage: [de]\ntags: ü\n---\nÜber\n", HEAD + "a\n<!-- psr push: end -->\nb\n",
        HEAD + "a\n<!-- psr push: begin (mine) -->\nb\n", HEAD + "text with \u2028 and \x85 in it\n",
        "---\nconfigs: {config_name: own}\n---\n", "---\nsize_categories: 1M<n<10M\n---\n",
    ],
)  # fmt: skip
def test_a_card_that_was_pushed_is_not_pushed_again(readme: str, tmp_path: Path) -> None:
    there = tmp_path / "README.md"
    there.write_bytes(readme.encode())
    once = dataset_card(facts(), there, [])
    there.write_bytes(once)
    assert dataset_card(facts(), there, []) == once
    if "\r\n" in readme:  # saved by an editor with its own line ends: that alone is no reason to push
        assert b"\n" not in once.replace(b"\r\n", b"")
    else:
        assert b"\r" not in once
    assert "# Mine" not in readme or b"# Mine" in once


def facts() -> Facts:
    contents = {"ift": {"train": {"rows": 1, "sha256": "0"}}, "ppd-m2": {"train": {"rows": 1, "sha256": "0"}}}
    sources = {role: {"path": "world"} for role in ("ift", "prm", "eft", "rounds")} | {"ngram": 8}
    settings = SETTINGS.model_copy(update={"license": "mit"})
    return Facts(settings, contents, {}, {}, sources, "abc", {}, {}, "# Results\n", None)


def test_a_readme_saved_with_other_line_ends_is_not_pushed_again(hub: Hub, finished: Path) -> None:  # noqa: F811
    push()
    there = hub.dataset(REPOSITORY)
    saved = there.head.files["README.md"].replace(b"\n", b"\r\n")
    there.commit("main", "by hand", there.head.files | {"README.md": saved})
    commits = len(there.commits)
    for _ in range(2):
        push()
    assert len(there.commits) == commits and there.head.files["README.md"] == saved


@pytest.mark.parametrize(
    "readme",
    ["---\nlicense: ä\n---\n".encode("latin-1"), HEAD.encode("utf-16"), b"---\n7: x\n---\n", b"---\n- a\n---\n"],
)
def test_a_readme_that_cannot_be_read_is_one_line(readme: bytes, hub: Hub, finished: Path) -> None:  # noqa: F811
    hub.create("dataset", REPOSITORY, True).commit("main", "odd", {"README.md": readme})
    with pytest.raises(
        PipelineError, match=r"README\.md on the Hub: .*; (mend it there|save it as UTF-8 there)"
    ) as caught:
        push()
    assert "\n" not in str(caught.value)


# ---------------------------------------------------------------- secrets


def test_no_secret_of_the_parameters_is_published(hub: Hub, finished: Path) -> None:  # noqa: F811
    lock = yaml.safe_load((finished / "dvc.lock").read_text())
    for stage in lock["stages"].values():
        stage["params"]["params.yaml"]["annotator"] |= {"url": "https://me:pa55word@host/v1", "kind": "endpoint"}
        stage["params"]["params.yaml"]["reference"] = {"url": "https://me:pa55word@host/v1?api_key=pa55word"}
        stage["params"]["params.yaml"]["problems"]["ift"]["path"] = "hub:org/x?token=pa55word"
    (finished / "dvc.lock").write_text(yaml.safe_dump(lock, sort_keys=False))
    receipt = push()
    published = b"".join(hub.dataset(REPOSITORY).head.files.values()) + json.dumps(receipt).encode()
    assert b"pa55word" not in published and b"https://***@host/v1" in published
