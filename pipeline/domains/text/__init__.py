"""Any reasoning in words: problems from files and the Hub, the final answer after `Answer:`, graded as exact text."""

PARTS = {"grading": "pipeline.domains.graders.exact"}
