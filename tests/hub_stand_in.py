"""A small stand-in for the Hugging Face Hub over loopback HTTP, for the real clients (tests alone have one).

It keeps repositories with their commits, branches and tags in memory and answers the calls that huggingface_hub and
datasets make: create, settings, info, tree, paths-info, preupload, LFS batch and upload, commit, resolve, refs and card
validation. Failures are injected by rule: a status, a silence, a broken connection, or an answer lost after the deed.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import yaml

WRITER, READER = "hf_writer", "hf_reader"
LFS = (".parquet", ".safetensors")
LICENSES = ("apache-2.0", "cc-by-4.0", "mit", "other")
SIZES = ("n<1K", "1K<n<10K", "10K<n<100K", "100K<n<1M", "1M<n<10M")


@dataclass
class Commit:
    oid: str
    title: str
    files: dict[str, bytes]


@dataclass
class Repo:
    private: bool
    commits: dict[str, Commit] = field(default_factory=dict)
    branches: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)

    def commit(self, branch: str, title: str, files: dict[str, bytes]) -> Commit:
        """A new head of `branch` with exactly these files."""
        oid = hashlib.sha1(repr((len(self.commits), branch, title, sorted(files))).encode()).hexdigest()
        self.commits[oid] = Commit(oid, title, files)
        self.branches[branch] = oid
        return self.commits[oid]

    def at(self, revision: str) -> Commit | None:
        """The commit of a branch, tag or commit id."""
        return self.commits.get(self.branches.get(revision) or self.tags.get(revision) or revision)

    @property
    def head(self) -> Commit:
        return self.commits[self.branches["main"]]

    @property
    def titles(self) -> list[str]:
        """Titles of all commits after the first, oldest first."""
        return [commit.title for commit in self.commits.values()][1:]


@dataclass
class Failure:
    """Requests whose `METHOD path` matches get `status` (0: the connection breaks; -1: silence for `seconds`).

    after: the request is carried out first and its answer lost. skip: so many matching requests pass before.
    """

    pattern: str
    status: int
    times: int = 1
    after: bool = False
    seconds: float = 0.0
    skip: int = 0


class Refused(Exception):
    """An answer other than 200: status, the Hub's error code and message."""

    def __init__(self, status: int, message: str, code: str = "") -> None:
        super().__init__(message)
        self.status, self.code = status, code


class Hub:
    """The server; a context manager. `repos` by (type, id), `requests` as `METHOD path`, `failures` still to come."""

    def __init__(self) -> None:
        self.repos: dict[tuple[str, str], Repo] = {}
        self.objects: dict[str, bytes] = {}
        self.requests: list[str] = []
        self.failures: list[Failure] = []
        self.lock = threading.Lock()
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (Handler,), {"hub": self}))
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def __enter__(self) -> Hub:
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.server.server_close()

    def create(self, kind: str, repo_id: str, private: bool) -> Repo:
        """A new repository with the Hub's first commit."""
        repo = self.repos[kind, repo_id] = Repo(private)
        repo.commit("main", "initial commit", {".gitattributes": b"*.parquet filter=lfs\n"})
        return repo

    def dataset(self, repo_id: str) -> Repo:
        return self.repos["dataset", repo_id]

    def environment(self, home: Any, token: str = WRITER) -> dict[str, str]:
        """Environment variables for a client in a process of its own: this endpoint, an empty cache, no Xet."""
        return {
            "HF_ENDPOINT": self.url,
            "HF_HOME": str(home),
            "HF_TOKEN": token,
            "HF_HUB_DISABLE_XET": "1",
            "HF_HUB_DISABLE_TELEMETRY": "1",
        }

    def failure(self, request: str) -> Failure | None:
        with self.lock:
            self.requests.append(request)
            for rule in self.failures:
                if not rule.times or not re.search(rule.pattern, request):
                    continue
                if not rule.skip:
                    rule.times -= 1
                    return rule
                rule.skip -= 1
        return None


class Handler(BaseHTTPRequestHandler):
    hub: Hub
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        self.handle_one()

    do_HEAD = do_POST = do_PUT = do_GET

    def handle_one(self) -> None:
        self.body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        url = urlsplit(self.path)
        self.query = {key: values[-1] for key, values in parse_qs(url.query).items()}
        rule = self.hub.failure(f"{self.command} {unquote(url.path)}")
        if rule and not rule.after:
            return self.fail(rule)
        try:
            status, headers, content = self.route(unquote(url.path))
        except Refused as refused:
            headers = {"X-Error-Message": str(refused)} | ({"X-Error-Code": refused.code} if refused.code else {})
            status, content = refused.status, json.dumps({"error": str(refused)}).encode()
        if rule:
            return self.fail(rule)
        self.answer(status, headers, content)

    def fail(self, rule: Failure) -> None:
        if rule.status > 0:
            return self.answer(rule.status, {}, b'{"error": "injected"}')
        time.sleep(rule.seconds)
        self.close_connection = True

    def answer(self, status: int, headers: dict[str, str], content: bytes) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(content)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def route(self, path: str) -> tuple[int, dict[str, str], bytes]:
        if path == "/api/repos/create":
            return self.json(self.create(json.loads(self.body)))
        if path == "/api/validate-yaml":
            return self.validate(json.loads(self.body))
        if match := re.fullmatch(r"/lfs/(\w{64})", path):
            return self.upload(match[1])
        if match := re.fullmatch(r"/(datasets/)?([^/]+/[^/]+)\.git/info/lfs/objects/batch", path):
            self.repo("dataset" if match[1] else "model", match[2], writes=True)
            return self.json(
                {"transfer": "basic", "objects": [self.batch(o) for o in json.loads(self.body)["objects"]]}
            )
        if match := re.fullmatch(r"/(datasets/)?([^/]+/[^/]+)/resolve/([^/]+)/(.+)", path):
            return self.resolve(self.repo("dataset" if match[1] else "model", match[2]), match[3], match[4])
        if match := re.fullmatch(r"/api/(dataset|model)s/([^/]+/[^/]+)(?:/(.*))?", path):
            return self.api(match[1], match[2], *(match[3] or "").split("/", 1))
        raise Refused(404, f"no such page: {path}")

    def json(self, value: Any, status: int = 200) -> tuple[int, dict[str, str], bytes]:
        return status, {"Content-Type": "application/json"}, json.dumps(value).encode()

    # ------------------------------------------------------------------ rights

    def repo(self, kind: str, repo_id: str, writes: bool = False) -> Repo:
        """The repository, if the token may see it, and change it where `writes`."""
        token = (self.headers.get("Authorization") or "").removeprefix("Bearer ")
        if token and token not in (WRITER, READER):
            raise Refused(401, "Invalid credentials in Authorization header")
        stored = self.hub.repos.get((kind, repo_id))
        if stored is None or (stored.private and not token):
            raise Refused(404 if token else 401, "Repository not found", "RepoNotFound")
        if writes:
            self.require_writer()
        return stored

    def require_writer(self) -> None:
        token = (self.headers.get("Authorization") or "").removeprefix("Bearer ")
        if token == READER:
            raise Refused(403, "You need a token with write access")
        if token != WRITER:
            raise Refused(401, "Invalid credentials in Authorization header")

    # ------------------------------------------------------------------ repositories

    def create(self, body: dict[str, Any]) -> dict[str, Any]:
        self.require_writer()
        kind, repo_id = body.get("type", "model"), f"{body['organization']}/{body['name']}"
        if body["organization"] == "strangers":
            raise Refused(403, "You don't have the rights to create a repo under this namespace")
        if (kind, repo_id) in self.hub.repos:
            raise Refused(409, "You already created this repo")
        self.hub.create(kind, repo_id, body.get("visibility") == "private")
        return {"url": f"{self.hub.url}/{'datasets/' if kind == 'dataset' else ''}{repo_id}"}

    def api(self, kind: str, repo_id: str, what: str, rest: str = "") -> tuple[int, dict[str, str], bytes]:
        repo = self.repo(kind, repo_id, writes=self.command in ("POST", "PUT") and what != "paths-info")
        if what in ("", "revision"):
            return self.json(self.info(repo_id, repo, self.commit_of(repo, rest or "main")))
        if what == "refs":
            return self.json(
                {"branches": refs("heads", repo.branches), "tags": refs("tags", repo.tags), "converts": []}
            )
        if what == "tree":
            revision, _, folder = rest.partition("/")
            return self.json(tree(self.commit_of(repo, revision).files, folder, self.query.get("recursive") == "true"))
        if what == "paths-info":
            wanted = parse_qs(self.body.decode())["paths"]
            return self.json(paths_info(self.commit_of(repo, rest).files, wanted))
        if what == "settings":
            repo.private = json.loads(self.body)["visibility"] == "private"
            return self.json({})
        if what == "branch":
            if rest in repo.branches:
                raise Refused(409, "Reference already exists")
            repo.branches[rest] = self.commit_of(repo, json.loads(self.body).get("startingPoint", "main")).oid
            return self.json({})
        if what == "tag":
            name = json.loads(self.body)["tag"]
            if name in repo.tags:
                raise Refused(409, "Tag reference exists already")
            repo.tags[name] = self.commit_of(repo, rest).oid
            return self.json({})
        if what == "preupload":
            files = self.commit_of(repo, rest).files
            return self.json({"files": [upload_mode(file, files) for file in json.loads(self.body)["files"]]})
        if what == "commit":
            with self.hub.lock:
                return self.json(self.change(repo, rest, f"{'datasets/' if kind == 'dataset' else ''}{repo_id}"))
        raise Refused(404, f"no such call: {what}")

    def commit_of(self, repo: Repo, revision: str) -> Commit:
        commit = repo.at(revision)
        if commit is None:
            raise Refused(404, f"Invalid rev id: {revision}", "RevisionNotFound")
        return commit

    def info(self, repo_id: str, repo: Repo, commit: Commit) -> dict[str, Any]:
        siblings = [{"rfilename": path} for path in sorted(commit.files)]
        return {"id": repo_id, "sha": commit.oid, "private": repo.private, "siblings": siblings, "tags": []}

    def change(self, repo: Repo, branch: str, page: str) -> dict[str, Any]:
        if branch not in repo.branches:
            raise Refused(404, f"Invalid rev id: {branch}", "RevisionNotFound")
        lines = [json.loads(line) for line in self.body.splitlines()]
        header = lines[0]["value"]
        parent = header.get("parentCommit")
        if parent and parent != repo.branches[branch]:
            raise Refused(412, "A commit has happened since. Please refresh and try again.")
        files = dict(repo.commits[repo.branches[branch]].files)
        for line in lines[1:]:
            value = line["value"]
            match line["key"]:
                case "file":
                    files[value["path"]] = base64.b64decode(value["content"])
                case "lfsFile":
                    if value["oid"] not in self.hub.objects:
                        raise Refused(400, f"LFS pointer to a missing object: {value['path']}")
                    files[value["path"]] = self.hub.objects[value["oid"]]
                case "deletedFile":
                    del files[value["path"]]
        commit = repo.commit(branch, header["summary"], files)
        return {"commitUrl": f"{self.hub.url}/{page}/commit/{commit.oid}", "commitOid": commit.oid}

    # ------------------------------------------------------------------ files

    def batch(self, wanted: dict[str, Any]) -> dict[str, Any]:
        if wanted["oid"] in self.hub.objects:
            return wanted
        return {**wanted, "actions": {"upload": {"href": f"{self.hub.url}/lfs/{wanted['oid']}"}}}

    def upload(self, oid: str) -> tuple[int, dict[str, str], bytes]:
        if hashlib.sha256(self.body).hexdigest() != oid:
            raise Refused(400, "the content is not what its oid says")
        self.hub.objects[oid] = self.body
        return 200, {}, b""

    def content(self, data: bytes, headers: dict[str, str]) -> tuple[int, dict[str, str], bytes]:
        """The whole file or the requested range."""
        headers = {"Accept-Ranges": "bytes", "Content-Type": "application/octet-stream", **headers}
        if match := re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", "")):
            first, last = int(match[1]), min(int(match[2] or len(data) - 1), len(data) - 1)
            return 206, {**headers, "Content-Range": f"bytes {first}-{last}/{len(data)}"}, data[first : last + 1]
        return 200, headers, data

    def resolve(self, repo: Repo, revision: str, path: str) -> tuple[int, dict[str, str], bytes]:
        commit = self.commit_of(repo, revision)
        headers = {"X-Repo-Commit": commit.oid}
        if path not in commit.files:
            raise Refused(404, f"Entry not found: {path}", "EntryNotFound")
        data = commit.files[path]
        if path.endswith(LFS):
            oid = hashlib.sha256(data).hexdigest()
            headers |= {"X-Linked-Etag": f'"{oid}"', "X-Linked-Size": str(len(data))}
        return self.content(data, headers | {"ETag": f'"{git_oid(data)}"'})

    def validate(self, body: dict[str, Any]) -> tuple[int, dict[str, str], bytes]:
        errors = card_errors(body["content"], body["repoType"])
        return self.json({"errors": [{"message": text} for text in errors], "warnings": []}, 400 if errors else 200)


def git_oid(data: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


def refs(kind: str, commits: dict[str, str]) -> list[dict[str, str]]:
    return [{"name": name, "ref": f"refs/{kind}/{name}", "targetCommit": oid} for name, oid in commits.items()]


def entry(path: str, data: bytes) -> dict[str, Any]:
    listed: dict[str, Any] = {"type": "file", "path": path, "size": len(data), "oid": git_oid(data)}
    if path.endswith(LFS):
        listed["lfs"] = {"oid": hashlib.sha256(data).hexdigest(), "size": len(data), "pointerSize": 130}
    return listed


def folders(files: dict[str, bytes]) -> set[str]:
    return {path.rsplit("/", depth)[0] for path in files for depth in range(1, path.count("/") + 1)}


def tree(files: dict[str, bytes], folder: str, recursive: bool) -> list[dict[str, Any]]:
    """The Hub's listing of a folder; 404 where there is none."""
    start = f"{folder}/" if folder else ""
    if folder and folder not in folders(files):
        raise Refused(404, f"{folder} does not exist", "EntryNotFound")
    below = [entry(path, data) for path, data in sorted(files.items()) if path.startswith(start)]
    inside = [{"type": "directory", "path": p, "oid": git_oid(p.encode()), "size": 0} for p in sorted(folders(files))]
    everything = below + [one for one in inside if one["path"].startswith(start)]
    return [one for one in everything if recursive or "/" not in one["path"].removeprefix(start)]


def paths_info(files: dict[str, bytes], wanted: list[str]) -> list[dict[str, Any]]:
    listed = [entry(path, files[path]) for path in wanted if path in files]
    inside = [path for path in wanted if path in folders(files)]
    return listed + [{"type": "directory", "path": path, "oid": git_oid(path.encode())} for path in inside]


def upload_mode(file: dict[str, Any], files: dict[str, bytes]) -> dict[str, Any]:
    path, large = file["path"], file["path"].endswith(LFS)
    mode = {"path": path, "uploadMode": "lfs" if large else "regular", "shouldIgnore": False}
    if path in files:
        mode["oid"] = hashlib.sha256(files[path]).hexdigest() if large else git_oid(files[path])
    return mode


def card_errors(content: str, kind: str) -> list[str]:
    """What the Hub's check of a card would refuse: the parts of its rules that our cards touch."""
    match = re.match(r"---\r?\n(.*?)\r?\n---", content, re.DOTALL)
    if not match:
        return ["no YAML block"]
    data = yaml.safe_load(match[1])
    errors = [
        f'"{name}" must be text' for name in ("license", "pretty_name") if not isinstance(data.get(name, ""), str)
    ]
    if data.get("license", "mit") not in LICENSES:
        errors.append(f'"license" {data["license"]!r} is unknown')
    for name in ("language", "tags", "task_categories", "size_categories"):
        if name in data and not (isinstance(data[name], list) and all(isinstance(part, str) for part in data[name])):
            errors.append(f'"{name}" must be a list of texts')
    errors += [
        f'"language" {code!r} is no code' for code in data.get("language", []) if not re.fullmatch(r"\w{2,3}", code)
    ]
    if kind == "dataset":
        errors += [
            f'"size_categories" {size!r} is unknown' for size in data.get("size_categories", []) if size not in SIZES
        ]
        names = [part.get("config_name") for part in data.get("configs", [])]
        if len(set(names)) != len(names) or None in names:
            errors.append('"configs" need names of their own')
        for part in data.get("configs", []):
            if not all({"split", "path"} == set(file) for file in part["data_files"]):
                errors.append('"data_files" need split and path')
    return errors
