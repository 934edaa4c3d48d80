"""PSRLM: steps, judged pairwise (the paper's method)."""
