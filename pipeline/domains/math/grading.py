"""How final answers are compared: by text, number and algebra, hang-proof."""

from pipeline.domains.math.compare import alike
from pipeline.domains.math.grader import Grader

__all__ = ["Grader", "alike"]
