"""How the final answer of a mathematical solution is marked and read: a box, as the Qwen2.5-Math harness reads it."""

from pipeline.domains.math.boxes import answer_end as end
from pipeline.domains.math.extract import extract_answer as read

__all__ = ["end", "read"]
