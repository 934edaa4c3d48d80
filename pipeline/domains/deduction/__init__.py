"""The second embedded world: deduction in controlled English, with exact proofs, an oracle and a small base model.

In the tradition of ProofWriter (arXiv 2012.13048) and PrOntoQA (arXiv 2210.01240): facts, rules with one premise and
one conclusion (Horn clauses), distractors, a query; each step of the proof applies one rule.
"""

PARTS = {"grading": "pipeline.domains.graders.exact", "solutions": "pipeline.domains.math.solutions"}
