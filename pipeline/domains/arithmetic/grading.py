"""Final answers of the embedded world are graded as mathematics."""

from pipeline.domains.math.grading import Grader, alike

__all__ = ["Grader", "alike"]
