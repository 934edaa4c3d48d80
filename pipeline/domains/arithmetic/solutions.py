"""Solutions of the embedded world are cut into steps as mathematical ones are."""

from pipeline.domains.math.solutions import broken, by_line

__all__ = ["broken", "by_line"]
