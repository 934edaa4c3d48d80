"""No secret in a message or a file: known values and every usual form of a credential become `***`.

A value is known if a section of params.yaml names its environment variable (`key_variable`), if the variable's own
name says so (`..._API_KEY`, `HF_TOKEN`), or if huggingface_hub keeps it. Every PipelineError is redacted as it is made.
"""

from __future__ import annotations

import base64
import json
import os
import re
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
_FORMS: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE | re.DOTALL), shown)
    for pattern, shown in (
        (r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", HIDDEN),
        # user:password@ in a url; a password may itself hold @ and, where no port stands there, a slash
        (r"(\b[a-z][a-z\d+.-]{0,20}:/{1,3})[^\s/?#\"'<>]*@", rf"\1{HIDDEN}@"),
        (r"(\b[a-z][a-z\d+.-]{0,20}:/{1,3})[^\s/?#@:]*:(?!\d*(?:[/?#\s,;)\]\"'>]|\Z))[^\s@]*@", rf"\1{HIDDEN}@"),
        (rf"(authorization{_GIVEN})(?:(?:bearer|basic|token|digest|negotiate|apikey|key)\s+)?{_VALUE}", rf"\1{HIDDEN}"),
        (r"\b(bearer|basic)(\s+)(?=\S*\d|\S{20})[\w.~+/=:-]{6,}", rf"\1\2{HIDDEN}"),
        (rf"(cookie{_GIVEN})[^\"'\n]+", rf"\1{HIDDEN}"),
        (rf"({_NAMES}{_GIVEN}){_VALUE}", rf"\1{HIDDEN}"),
        (rf"([\"']token[\\\"']+\s*[:=,]\s*b?[\\\"']+){_VALUE}", rf"\1{HIDDEN}"),
        (
            r"([?&;#][\w.%-]*(?:key|token|secret|passw(?:or)?d|pwd|sig|signature|credentials?|auth|authorization)=)"
            r"[^&#\s\"'<>]+",
            rf"\1{HIDDEN}",
        ),
        (
            r"(?<![\w-])(?:hf_(?:oauth_|jwt_)?[\w.-]*[a-z\d]{9}[\w.-]*|(?:sk|pk|rk|gsk|xai|glpat|nvapi|pplx|r8|tgp)[-_]"
            r"(?=[\w-]*\d|[\w-]{20})[\w-]{8,}|gh[opsur]_\w{16,}|github_pat_\w{16,}|xox[a-z]-[\w-]{8,}|akia[a-z\d]{12,}"
            r"|aiza[\w-]{20,}|eyj[\w-]{8,}\.[\w-]{8,}(?:\.[\w-]*)?)",
            HIDDEN,
        ),
    )
)
_remembered: set[str] = set()


def remember(secret: str) -> None:
    """From now on this value is known (the key of an endpoint, whatever its variable is called)."""
    _remembered.add(secret)


def redacted(text: str) -> str:
    """Text for a message or a card: known values and forms of credentials are hidden."""
    text = _without(text, _SHORTEST)
    for form, shown in _FORMS:
        text = form.sub(shown, text)
    return text


def keyless(text: str) -> str:
    """Text that is data (what a model wrote): known values alone are hidden, and only those too long to be words."""
    return _without(text, _CERTAIN)


def _without(text: str, shortest: int) -> str:
    for value in sorted(_known(), key=len, reverse=True):
        if len(value) >= shortest:
            text = text.replace(value, HIDDEN)
    return text


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

    found: set[str] = set()
    for place in (constants.HF_TOKEN_PATH, constants.HF_STORED_TOKENS_PATH):
        if Path(place).is_file():
            lines = Path(place).read_text(encoding="utf-8", errors="replace").splitlines()
            found |= {line.rpartition("=")[2].strip() for line in lines if not line.startswith("[")}
    return found
