"""No secret in a message or a file: known values and every usual form of a credential become `***`.

A value is known if a section of params.yaml names its environment variable (`key_variable`), if the variable's own
name says so (`..._API_KEY`, `HF_TOKEN`), or if huggingface_hub keeps it. Every PipelineError is redacted as it is made.
"""

from __future__ import annotations

import base64
import json
import os
import re
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import quote

HIDDEN = "***"
_SHORTEST = 4  # characters: a shorter value is no secret, and would be found in plain words
_CERTAIN = 12  # characters: so long a value stands in text that a model wrote only if it was put there
_SECRET_NAME = re.compile(
    r"(?:^|_)(?:API_?KEY|ACCESS_?KEY|SECRET_?KEY|KEY|TOKEN|SECRET|PASSWORD|PASSWD)$", re.IGNORECASE
)
_QUOTES = r"[\\\"'\[(]*"
_VALUE = r"(?:(?<=[\"'])[^\"'\\]+|[^\s,;&\"'\\<>}\])]+)"
_NAMES = (
    r"(?:[\w-]{0,40}(?:api|access|secret|private|auth|subscription)[ _-]?key(?: provided)?"
    r"|[\w-]{0,40}(?:access|auth|refresh|session|security|id|bearer|hf|hub|api)[_-]?token|[\w-]{0,40}secret|\bpassw(?:or)?d\b)"
)
_GIVEN = rf"(?:{_QUOTES}\s*[:=]|[\"']\s*,)\s*(?:b(?=[\"']))?{_QUOTES}"
# In each the group `hidden` is the secret.
_FORMS = tuple(
    re.compile(pattern, re.IGNORECASE | re.DOTALL)
    for pattern in (
        r"(?P<hidden>-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z))",
        # user:password@ in a url; a password may itself hold @ and, where no port stands there, a slash
        r"\b[a-z][a-z\d+.-]{0,20}:/{1,3}(?P<hidden>[^\s/?#\"'<>]*)@",
        r"\b[a-z][a-z\d+.-]{0,20}:/{1,3}(?P<hidden>[^\s/?#@:]*:(?!\d*(?:[/?#\s,;)\]\"'>]|\Z))[^\s@]*)@",
        rf"authorization{_GIVEN}(?P<hidden>(?:(?:bearer|basic|token|digest|negotiate|apikey|key)\s+)?{_VALUE})",
        r"\b(?:bearer|basic)\s+(?=\S*\d|\S{20})(?P<hidden>[\w.~+/=:-]{6,})",
        rf"cookie{_GIVEN}(?P<hidden>[^\"'\n]+)",
        rf"{_NAMES}{_GIVEN}(?P<hidden>{_VALUE})",
        rf"[\"']token[\\\"']+\s*[:=,]\s*b?[\\\"']+(?P<hidden>{_VALUE})",
        r"[?&;#][\w.%-]*(?:key|token|secret|passw(?:or)?d|pwd|sig|signature|credentials?|auth|authorization)="
        r"(?P<hidden>[^&#\s\"'<>]+)",
        r"(?<![\w-])(?P<hidden>hf_(?:oauth_|jwt_)?[\w.-]*[a-z\d]{9}[\w.-]*"
        r"|(?:sk|pk|rk|gsk|xai|glpat|nvapi|pplx|r8|tgp)[-_](?=[\w-]*\d|[\w-]{20})[\w-]{8,}|gh[opsur]_\w{16,}"
        r"|github_pat_\w{16,}|xox[a-z]-[\w-]{8,}|akia[a-z\d]{12,}|aiza[\w-]{20,}|eyj[\w-]{8,}\.[\w-]{8,}(?:\.[\w-]*)?)",
    )
)
_remembered: set[str] = set()


def remember(secret: str) -> None:
    """From now on this value is known (the key of an endpoint, whatever its variable is called)."""
    _remembered.add(secret)


def redacted(text: str) -> str:
    """Text for a message or a card: known values and forms of credentials are hidden."""
    places = [match.span("hidden") for form in _FORMS for match in form.finditer(text)]
    return _hidden(text, places + _places(text, _SHORTEST))


def keyless(text: str) -> str:
    """Text that is data (what a model wrote): known values alone are hidden, and only those too long to be words."""
    return _hidden(text, _places(text, _CERTAIN))


def _places(text: str, shortest: int) -> list[tuple[int, int]]:
    """Where known values of at least so many characters stand."""
    values = [re.escape(value) for value in _known() if len(value) >= shortest]
    return [match.span() for value in values for match in re.finditer(value, text)]


def _hidden(text: str, places: Iterable[tuple[int, int]]) -> str:
    """Text with the characters at these places replaced; what overlaps or touches is one place."""
    shown, end = "", 0
    for start, stop in sorted(places):
        if stop > end:
            shown += text[end:start] + ("" if start <= end and shown.endswith(HIDDEN) else HIDDEN)
            end = stop
    return shown + text[end:]


def _known() -> set[str]:
    """Known secrets, and each as it stands in a url, in JSON and in base64."""
    named = {value.strip() for name, value in os.environ.items() if _SECRET_NAME.search(name)}
    values = {value for value in named if len(value) >= 2 * _SHORTEST} | {value.strip() for value in _remembered}
    values |= {os.environ.get(name, "").strip() for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN")} | _stored()
    values = {value for value in values if len(value) >= _SHORTEST}
    return {
        form
        for value in values
        for form in (value, quote(value, safe=""), json.dumps(value)[1:-1], base64.b64encode(value.encode()).decode())
    }


def _stored() -> set[str]:
    """Tokens that `hf auth login` keeps: the one in use, and those by name (`name = token`)."""
    from huggingface_hub import constants

    kept = filter(Path.is_file, map(Path, (constants.HF_TOKEN_PATH, constants.HF_STORED_TOKENS_PATH)))
    lines = [line for file in kept for line in file.read_text(encoding="utf-8", errors="replace").splitlines()]
    return {line.rpartition("=")[2].strip() for line in lines if not line.startswith("[")}
