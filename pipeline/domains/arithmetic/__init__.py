"""The embedded world: word problems with exact answers, an oracle and a small base model.

In the tradition of iGSM (arXiv 2407.20311): a problem is a dependency graph of quantities, its
sentences are shuffled, each step of the solution computes one quantity, each number is one token.
"""

PARTS = {role: f"pipeline.domains.math.{role}" for role in ("final", "grading", "solutions")}
