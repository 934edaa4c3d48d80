"""A user's own function, `python:<module>:<function>`: `right(answer, gold) -> bool` of a module of this repository.

It is imported in workers alone. An answer over which it raises, or for which it gives neither True nor False, is
unreadable; one that takes too long is a timeout. Its module, and what that imports of this repository, count in the
cache key.
"""

from __future__ import annotations

import ast
import re
from importlib import import_module
from pathlib import Path
from typing import Any

MEMORY_MB = 4096  # of address space: a module may import large libraries
_NAME = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*:[A-Za-z_]\w*", re.ASCII)


def fault(name: str) -> str | None:
    """What is wrong with `<module>:<function>`, None where nothing is; the module is read and not imported."""
    if not _NAME.fullmatch(name):
        return "must be python:<module>:<function>, for example python:extensions.riddles:right"
    module, _, function = name.partition(":")
    path = Path(*module.split("."))
    file = next((file for file in (path.with_suffix(".py"), path / "__init__.py") if file.is_file()), None)
    if file is None:
        return f"names {path}.py, which is not in this folder; write it, or correct the name"
    if function not in _names(file):
        return f"names {function}, which {file} does not define; write it, or correct the name"
    return None


def _names(file: Path) -> set[str]:
    """The names that a module defines or imports. A module that is no Python defines none."""
    try:
        body = ast.parse(file.read_text(encoding="utf-8")).body
    except (SyntaxError, ValueError):
        return set()
    names = {node.name for node in body if isinstance(node, ast.FunctionDef | ast.ClassDef)}
    names |= {t.id for node in body if isinstance(node, ast.Assign) for t in node.targets if isinstance(t, ast.Name)}
    imports = [node for node in body if isinstance(node, ast.ImportFrom)]
    return names | {alias.asname or alias.name for node in imports for alias in node.names}


def right(answer: str, gold: str, name: str) -> Any:
    """What the function says of an answer."""
    module, _, function = name.partition(":")
    return getattr(import_module(module), function)(answer, gold)


def warm_up(name: str) -> None:
    """Import the module, before the first pair."""
    import_module(name.partition(":")[0])
