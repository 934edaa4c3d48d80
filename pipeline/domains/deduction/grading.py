"""Final answers of this world are single words, compared as texts."""

from pipeline.domains.graders.exact import alike, right

__all__ = ["alike", "right"]
