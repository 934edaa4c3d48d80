"""Solutions of this world are cut into steps as mathematical ones are: every line is one."""

from pipeline.domains.math.solutions import broken, by_line

__all__ = ["broken", "by_line"]
