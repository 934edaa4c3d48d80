"""Final answers are compared as texts, where a source names no other grader."""

from pipeline.domains.graders.exact import alike, right

__all__ = ["alike", "right"]
