"""The frozen types of every hand-over between stages; each type is also its Arrow schema (`files`)."""

from pipeline.core.records.rows import *  # noqa: F403
from pipeline.core.records.searches import *  # noqa: F403
