"""Secrets: known values and every form of a credential are hidden wherever text leaves the pipeline."""

from __future__ import annotations

import base64
import os
import subprocess
import sys
import time
from pathlib import Path

import huggingface_hub
import pytest

from pipeline.core import redact
from pipeline.core.errors import PipelineError
from pipeline.core.redact import keyless, redacted
from pipeline.report import provenance

ROOT = Path(__file__).parent.parent
S3 = "s3cr3t-v4lue-0123"


@pytest.mark.parametrize(
    "text",
    [
        f"https://user:{S3}@host/v1", f"https://{S3}@host/v1", f"http://user:{S3}@127.0.0.1:8000/v1",
        f"ftp://user:a@{S3}@host", f"https://user:a/{S3}@host/v1", f"postgresql+psycopg://u:{S3}@db:5432/x",
        f"url: https://:{S3}@host", f"Authorization: Bearer {S3}", f"authorization: {S3}",
        f"{{'Authorization': 'Bearer {S3}'}}", f'{{"authorization": "Bearer {S3}"}}',
        f'{{\\"Authorization\\": \\"Bearer {S3}\\"}}', f"Authorization: Basic {S3}", f"Authorization=Token {S3}",
        f"(b'Authorization', b'Bearer {S3}')", f'"Authorization": ["Bearer {S3}"]', f"Proxy-Authorization: Basic {S3}",
        f"Illegal header value b'Bearer {S3}'", f"Bearer {S3}", f"bearer  {S3}", f"X-Api-Key: {S3}", f"api-key: {S3}",
        f"'x-api-key': '{S3}'", f"('x-api-key', '{S3}')", f"api_key={S3}", f"apikey={S3}", f'"api_key": "{S3}"',
        f"Incorrect API key provided: {S3}.", f"https://host/v1?api_key={S3}&x=1", f"https://host/v1?key={S3}",
        f"https://host/?a=1&access_token={S3}", f"https://host/#token={S3}", f"https://host/?sig={S3}",
        f"https://bucket/x?X-Amz-Signature={S3}", f"https://bucket/x?X-Amz-Credential={S3}",
        f"https://bucket/x?X-Amz-Security-Token={S3}", f"client_secret={S3}", f"password: {S3}", f"passwd={S3}",
        f'"token": "{S3}"', f"refresh_token: {S3}", f"Cookie: session={S3}; a=b", f"Set-Cookie: id={S3}",
        f"aws_secret_access_key = {S3}", f"Ocp-Apim-Subscription-Key: {S3}", f"HTTPS://User:{S3}@HOST",
        f"xet_access_token={S3}", f"-----BEGIN RSA PRIVATE KEY-----\n{S3}\n-----END RSA PRIVATE KEY-----",
        f'"password": "two words {S3}"',
    ],
)  # fmt: skip
def test_every_form_of_a_credential_is_hidden(text: str) -> None:
    assert S3 not in redacted(text) and "***" in redacted(text)
    assert redacted(redacted(text)) == redacted(text)


@pytest.mark.parametrize(
    "token",
    [
        "hf_AbCdEfGhIjKlMnOpQrStUvWxYz012345", "hf_oauth_AbCdEfGhIjKlMn0123", "sk-abcdefghij0123456789",
        "sk-proj-Ab3dEf_hIjKl-MnOpQrStUvWx", "sk-ant-api03-AbCdEfGh01234567-x", "sk-or-v1-0123456789abcdef",
        "ghp_abcdefghijklmnopqrstuvwxyz0123456789", "github_pat_11ABCDEFG0123456789_abcdef", "gsk_AbCdEfGh0123456789Ab",
        "AKIAIOSFODNN7EXAMPLE", "AIzaSyA-0123456789abcdefghijklmnopqrstu", "xoxb-1234567890-abcdefghij",
        "glpat-AbCdEfGh0123456789ab", "nvapi-AbCdEfGh0123456789ab", "xai-AbCdEfGh0123456789ab",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl",
    ],
)  # fmt: skip
def test_tokens_are_known_by_their_shape(token: str) -> None:
    for text in (token, f"key {token}, again", f"'{token}'", f"({token})", f"{token}."):
        assert token not in redacted(text)


@pytest.mark.parametrize(
    "text",
    [
        "annotator.url: http://127.0.0.1:9/v1 cannot be reached (All connection attempts failed)",
        "annotator.key_variable: the environment variable OPENAI_API_KEY is not set",
        "params.yaml: annotator.max_tokens_spent: must be int, is 'x'", "see https://host:8443/a/b?page=2#top for more",
        "no token; run `hf auth login` or set HF_TOKEN", "hf_hub_download, hf_transfer, hf_xet", "task-specific",
        "sk-learn",
        "pad_token: <eos>, eos_token is missing", "a basic step of the bearer", "Bearer authentication is required",
        "tokens: 64", "mail a@b.org", "the password, please", "{'prompt': 'x', 'max_tokens': 5}",
        "search@m2: 3 of 4", "git@github.com:org/name.git", "http://[::1]:8000/v1", "monkey: 5",
    ],
)  # fmt: skip
def test_plain_words_stay(text: str) -> None:
    assert redacted(text) == text


@pytest.mark.parametrize(
    "name",
    ["OPENAI_API_KEY", "HF_TOKEN", "MY_SECRET", "DB_PASSWORD", "AWS_SECRET_ACCESS_KEY", "AZURE_OPENAI_KEY", "key"],
)
def test_values_of_variables_that_hold_secrets_are_known_in_every_spelling(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    value = 'pa"ss/wörd+1&2'
    monkeypatch.setenv(name, f"{value}\n")
    for form in (
        value,
        "pa%22ss%2Fw%C3%B6rd%2B1%262",
        'pa\\"ss/w\\u00f6rd+1&2',
        base64.b64encode(value.encode()).decode(),
    ):
        assert redacted(f"said {form} and") == "said *** and"


def test_the_key_of_an_endpoint_is_known_whatever_its_variable_is_called(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redact, "_remembered", set())
    assert redacted("said plumtree") == "said plumtree"
    redact.remember("plumtree\n")
    assert redacted("said plumtree") == "said ***"
    assert keyless("the plumtree grows") == "the plumtree grows"
    redact.remember("plumtree-0123456789")
    assert keyless("echo plumtree-0123456789") == "echo ***"


@pytest.mark.parametrize("key", ["secret", "Bearer", "password", "host", "https", S3[:6], f"{S3}@host", f": {S3}"])
def test_a_known_value_that_overlaps_a_form_uncovers_nothing(key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redact, "_remembered", {key})
    for text in (f"client_secret={S3}", f"Bearer {S3}", f"password: {S3}", f"https://u:{S3}@host/v1", f"a {key} b"):
        assert S3 not in redacted(text) and key not in redacted(text)


def test_tokens_that_the_hubs_login_keeps_are_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "token").write_text("oldtoken-in-use\n")
    (tmp_path / "stored_tokens").write_text("[work]\nhf_token = oldtoken-by-name\n")
    monkeypatch.setattr(huggingface_hub.constants, "HF_TOKEN_PATH", str(tmp_path / "token"))
    monkeypatch.setattr(huggingface_hub.constants, "HF_STORED_TOKENS_PATH", str(tmp_path / "stored_tokens"))
    assert redacted("a oldtoken-in-use b oldtoken-by-name") == "a *** b ***"


def test_a_pipeline_error_holds_no_secret_wherever_it_is_printed() -> None:
    error = PipelineError(f"annotator.url: 'https://me:{S3}@host/v1' is odd")
    assert str(error) == "annotator.url: 'https://***@host/v1' is odd"


@pytest.mark.parametrize("command", ["stage", "cli"])
def test_neither_a_line_nor_a_traceback_of_a_command_shows_a_secret(command: str, tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text(f"annotator: https://me:{S3}@host\nseed: [")
    script = tmp_path / "stage.py"
    script.write_text(
        "from pipeline.core.command import run\n\n\ndef main(stage):\n"
        f"    raise ValueError('https://me:{S3}@host Bearer {S3}')\n\n\nrun(main)\n"
    )
    words = ["-m", "pipeline.cli", "check", "--params", f"https://me:{S3}@host/params.yaml"]
    if command == "stage":
        words = [str(script)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, *words], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1 and "***@host" in done.stderr and S3 not in done.stdout + done.stderr


def test_a_report_shows_the_parameters_without_their_secrets(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text(
        f"annotator:\n  url: https://me:{S3}@host/v1  # mine\n  key_variable: A_KEY\n"
    )
    shown = provenance.gather(tmp_path / "params.yaml").params
    assert shown == "annotator:\n  url: https://***@host/v1  # mine\n  key_variable: A_KEY\n"


def test_a_long_text_is_redacted_in_a_moment() -> None:
    start = time.monotonic()
    for text in ("a" * 20_000, "a." * 10_000, "http://" * 2_000, "sk-" * 5_000, "api_key" * 2_000, "-" * 20_000):
        redacted(text)
    assert time.monotonic() - start < 10
