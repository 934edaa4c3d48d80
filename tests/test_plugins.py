"""Methods, domains and pairings hold the parts that stages ask for."""

from __future__ import annotations

import ast
import importlib
import re
from pathlib import Path

import pytest

from pipeline import domains, methods
from pipeline.core import plugins
from pipeline.core.errors import PipelineError
from pipeline.methods import pairings

METHOD = {
    "settings": ("Settings",),
    "eft_search": ("EftSearch", "Row", "FILE", "models", "tasks", "statistics", "too_long"),
    "eft": ("Eft", "Row", "Annotation"),
    "rows": ("Row", "token_ids", "text"),
    "search": ("Search", "Row", "FILE", "search", "statistics", "too_long"),
    "pairs": ("Pairs", "preferences"),
    "measure": ("Search", "Held", "Row", "key", "task", "quality"),
    "inspect": ("trees",),
}
DOMAIN = {
    "settings": ("Settings",),
    "final": ("end", "read"),
    "grading": ("right",),
    "solutions": ("by_line", "broken"),
}
GENERATING = {
    "problems": ("evaluation", "training"),
    "oracle": ("right", "compare", "mark", "labelled"),
    "base": ("SHIPPED", "train"),
}


@pytest.mark.parametrize("name", methods.LISTED)
@pytest.mark.parametrize("role", METHOD)
def test_a_method_has_every_part(name: str, role: str) -> None:
    part = plugins.part(methods.__name__, name, role)
    assert not [wanted for wanted in METHOD[role] if not hasattr(part, wanted)]


@pytest.mark.parametrize("name", domains.LISTED)
def test_a_domain_has_every_part_and_one_that_makes_problems_has_all_of_its_own(name: str) -> None:
    wanted = DOMAIN | (GENERATING if plugins.has(domains.__name__, name, "problems") else {})
    for role, names in wanted.items():
        part = plugins.part(domains.__name__, name, role)
        assert not [one for one in names if not hasattr(part, one)], role


@pytest.mark.parametrize("name", pairings.LISTED)
def test_a_pairing_says_which_second_model_it_asks_and_what_it_needs(name: str) -> None:
    part = plugins.part(pairings.__name__, name, "pairs")
    assert part.BY in ("start", "before") and callable(part.cost) and callable(part.pairs)


def test_a_module_in_extensions_is_a_plugin_whose_borrowed_parts_are_anothers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "extensions").mkdir()
    for toy in (Path(__file__).parent / "extensions").glob("*.py"):
        (tmp_path / "extensions" / toy.name).write_text(toy.read_text())
        assert len(toy.read_text().splitlines()) <= 80
    importlib.invalidate_caches()
    assert plugins.where(methods.__name__, "votes", "search") == "extensions.votes"
    assert plugins.where(methods.__name__, "votes", "eft") == "pipeline.methods.psrlm.eft"
    for role, names in METHOD.items():
        part = plugins.part(methods.__name__, "votes", role)
        assert not [one for one in names if not hasattr(part, one)], role
    for role, names in {**DOMAIN, **GENERATING}.items():
        part = plugins.part(domains.__name__, "sums", role)
        assert not [one for one in names if not hasattr(part, one)], role
    with pytest.raises(PipelineError, match="no method 'vote'; give one of psrlm, srlm, or the name of a module in"):
        plugins.part(methods.__name__, "vote", "search")


def test_no_method_and_no_generated_domain_is_named_outside_its_own_folder() -> None:
    """Data keys and the domains `math` and `text` have words in common, so those two are left out."""
    name = re.compile(r"(.+[-@])?(psrlm|srlm|arithmetic|deduction)")
    lists = {"methods/__init__.py", "domains/__init__.py", "params/renamed.py"}
    library = Path(methods.__file__).parent.parent
    known = {
        "params/schema.py",  # a variant's stage reads that section (dvc.yaml)
        "planning/stages.py",  # the step search at evaluation is that method's
        "publish/pull.py",  # the EFT data that are published
    }
    named = set()
    for path in library.rglob("*.py"):
        place = str(path.relative_to(library))
        if name.search(place) or place in lists:
            continue
        strings = [node.value for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Constant)]
        named |= {place for text in strings if isinstance(text, str) and name.fullmatch(text)}
    assert named == known
