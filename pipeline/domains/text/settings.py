"""The section `text` of params.yaml, which has no keys: problems come from files, the Hub and reasoning-gym."""

from pipeline.core.config import Section


class Settings(Section):
    """Problems of files, of the Hub and of reasoning-gym."""
