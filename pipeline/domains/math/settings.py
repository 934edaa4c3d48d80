"""The section `math` of params.yaml, which has no keys: mathematical problems come from files and the Hub."""

from pipeline.core.config import Section


class Settings(Section):
    """Mathematical problems of files and of the Hub."""
