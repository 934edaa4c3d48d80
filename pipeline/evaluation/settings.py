"""What params.yaml says of evaluation."""

from __future__ import annotations

from pydantic import Field

from pipeline.core.config import Count, Name, Positive, Sampling, Section
from pipeline.core.plan import Method
from pipeline.methods.psrlm.settings import Search


class Judge(Section):
    """A model measured on the held-out EFT rows of a method.

    shots: worked examples before the question, for models that never learned to judge (the paper's M0: 3).
    """

    model: Name
    method: Method
    shots: Count = 0


class Scale(Section):
    """Step search at evaluation, beside a majority vote at equal tokens."""

    models: tuple[Name, ...]
    problems: Positive = Field(description="of each split")
    search: Search = Field(description="as psrlm.search, for evaluation alone")
    sampling: Sampling = Field(description="of the solutions that vote")
