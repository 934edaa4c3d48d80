"""What a stage depends on besides its files and parameters: its code and its prompts, as one hash.

The code is the syntax trees of all modules of this repository that the stage's script imports, directly or through
others, without comments, docstrings and the descriptions of parameters; a plug-in's part counts where the script asks
for it (`methods.part(name, "search")`), a grader that problems name where the code grades. The prompts are the files of
the family in force, where the code fills one.
"""

from __future__ import annotations

import ast
import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from pipeline.core import plugins
from pipeline.core.errors import PipelineError

PROMPTS = Path("prompts")
_NAME = re.compile(r"\w[\w.-]*")  # of a file beside a module
_COMPILED = "__pycache__"
_FILLS = "pipeline.language.prompts"
_GRADES = "pipeline.domains.graders.pool"
_KINDS = {"methods": "pipeline.methods", "domains": "pipeline.domains", "pairings": "pipeline.methods.pairings"}


def stage(name: str, chosen: Mapping[str, str], family: str, graders: Sequence[str] = ()) -> str:
    """The hash of `stages/<name>.py`.

    chosen: the plug-in in force by kind (`methods`, `domains`, `pairings`). family: the prompt family in force.
    graders: modules of the graders that problems name, which count where the code grades.
    """
    names = modules(name, chosen, graders)
    digest = hashlib.sha256()
    for module in sorted(names):
        digest.update(f"{module} {_read(module).digest} ".encode())
    if _FILLS in names:
        digest.update(folder(PROMPTS / family).encode())
    return digest.hexdigest()


def modules(name: str, chosen: Mapping[str, str], graders: Sequence[str] = ()) -> set[str]:
    """The dotted names of the repository's modules that a stage's script imports, itself included."""
    script = f"stages.{name}"
    names = _imported([script, *_parts(script, chosen)])
    return names | _imported(graders) if _GRADES in names else names


def _imported(modules: Iterable[str]) -> set[str]:
    todo, seen = list(modules), set[str]()
    while todo:
        module = todo.pop()
        if module not in seen:
            seen.add(module)
            todo += _read(module).imports
    return seen


def asks(name: str) -> set[str]:
    """The kinds of plug-ins whose parts the script of a stage asks for."""
    return {kind for kind, _ in _calls(f"stages.{name}")}


def folder(path: Path) -> str:
    """A hash of the names and bytes of all files of a folder. Raises PipelineError if there is no such folder."""
    if not path.is_dir():
        raise PipelineError(f"prompts.family: there is no folder {path}; give one of those in {path.parent}/")
    digest = hashlib.sha256()
    for file in sorted(path.rglob("*")):
        if file.is_file() and _COMPILED not in file.parts:
            digest.update(f"{file.relative_to(path)} ".encode() + hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()


def values(*parts: Any) -> str:
    """A hash of values, and of files and folders (given as paths)."""
    digest = hashlib.sha256()
    for part in parts:
        is_path = isinstance(part, Path)
        text = folder(part) if is_path and part.is_dir() else part.read_bytes() if is_path else repr(part)
        digest.update(hashlib.sha256(text if isinstance(text, bytes) else text.encode()).digest())
    return digest.hexdigest()


@cache
def source(module: str) -> Path | None:
    """The file of a module of this repository; None for one of a library."""
    path = Path(*module.split("."))
    return next((file for file in (path.with_suffix(".py"), path / "__init__.py") if file.is_file()), None)


def _parts(script: str, chosen: Mapping[str, str]) -> Iterator[str]:
    """A script may ask for parts that a plug-in need not have: an oracle, a base of its own."""
    for kind, role in _calls(script):
        if kind in chosen and source(module := plugins.where(_KINDS[kind], chosen[kind], role)):
            yield module


@cache
def _calls(module: str) -> tuple[tuple[str, str], ...]:
    """(kind, role) of every call `<kind>.part(..., "<role>")` of a script."""
    calls = []
    for node in ast.walk(ast.parse(_file(module).read_text(encoding="utf-8"))):
        match node:
            case ast.Call(ast.Attribute(ast.Name(kind), "part"), [*_, ast.Constant(role)]) if kind in _KINDS:
                calls.append((kind, str(role)))
    return tuple(calls)


def _file(module: str) -> Path:
    if (file := source(module)) is None:
        raise PipelineError(f"{module}: no such module in this repository")
    return file


class _Module(NamedTuple):
    """The repository's modules that a module imports, with the packages that hold it, and its hash: of its syntax tree
    without what changes no result, and of the files beside it that it names."""

    imports: tuple[str, ...]
    digest: str


@cache
def _read(module: str) -> _Module:
    file = _file(module)
    tree, imports, named = ast.parse(file.read_text(encoding="utf-8")), [module.rpartition(".")[0]], set[str]()
    for node in ast.walk(tree):
        match node:
            case ast.Module() | ast.ClassDef() | ast.FunctionDef() | ast.AsyncFunctionDef():
                node.body[:] = node.body[ast.get_docstring(node) is not None :]
            case ast.Import():
                imports += [alias.name for alias in node.names]
            case ast.ImportFrom(module=str() as package):
                imports += [package, *(f"{package}.{alias.name}" for alias in node.names)]
            case ast.Call():
                node.keywords = [keyword for keyword in node.keywords if keyword.arg != "description"]
            case ast.Constant(value=str() as text) if _NAME.fullmatch(text):
                named.add(text)
    beside = [path for path in map(file.parent.joinpath, sorted(named)) if _is_data(path)]
    return _Module(tuple(name for name in imports if name and source(name)), values(ast.dump(tree), *beside))


def _is_data(path: Path) -> bool:
    """Whether a file, or a folder of files, is no code; what Python compiles is code wherever it keeps that."""
    if path.suffix == ".py" or path.name == _COMPILED:
        return False
    return path.is_file() or (path.is_dir() and not (path / "__init__.py").exists())
