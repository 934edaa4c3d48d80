"""reasoning-gym's own `score_answer` (the extra `reasoning-gym`); right is a full score. Imported in workers alone.

The gold is a JSON text of the dataset's configuration and the item. Some datasets evaluate an answer as Python, here
where it is nothing but literals, or numbers, variables, operators and the functions of calculus.
"""

from __future__ import annotations

import ast
import json
from importlib import import_module
from typing import Any

MEMORY_MB = 4096
_EVALUATING = (
    "algorithmic.string_insertion",
    "algorithmic.spiral_matrix",
    "algorithmic.binary_matrix",
    "games.n_queens",
)
_ANGLES = ("sin", "cos", "tan", "sec", "csc", "cot", "sinh", "cosh", "tanh")
_CALLED = {"Symbol", "Integer", "Float", "Rational", "Abs", "sqrt", "exp", "log", "ln", *_ANGLES}
_CALLED |= {f"a{name}" for name in _ANGLES}


def right(answer: str, gold: str, dataset: str) -> bool:
    """Whether the dataset gives an answer its full score."""
    import reasoning_gym

    made = json.loads(gold)
    scored = reasoning_gym.create_dataset(dataset, **made["config"]).score_answer(answer, made["item"])
    return bool(scored >= 1)


def warm_up(dataset: str) -> None:
    """Import the package, and take from it the means to run an answer as code."""
    from sympy.parsing import sympy_parser

    for name in _EVALUATING:
        vars(import_module(f"reasoning_gym.{name}"))["eval"] = ast.literal_eval
    evaluate = sympy_parser.eval_expr

    def harmless(code: str, *names: Any) -> Any:
        """In the place of SymPy's last step, `eval`. Raises ValueError for code that may do more than calculate."""
        for node in ast.walk(ast.parse(code.strip(), mode="eval")):
            _check(node)
        return evaluate(code, *names)

    sympy_parser.eval_expr = harmless


def _check(node: ast.AST) -> None:
    """Raises ValueError for anything that is no arithmetic of numbers, variables and known functions."""
    match node:
        case ast.Call(func=ast.Name(id=name)) if name in _CALLED:
            return
        case ast.Expression() | ast.BinOp() | ast.UnaryOp() | ast.operator() | ast.unaryop():
            return
        case ast.Name() | ast.Load() | ast.Constant() | ast.keyword() | ast.Tuple():
            return
    raise ValueError(f"an answer may not use {type(node).__name__}")
