"""Final answers of mathematical solutions: boxed, read as the Qwen2.5-Math harness does, graded hang-proof."""

from pipeline.domains.math.boxes import answer_end as end
from pipeline.domains.math.compare import alike, gold_text
from pipeline.domains.math.extract import boxed
from pipeline.domains.math.extract import extract_answer as read
from pipeline.domains.math.grader import Grader

__all__ = ["Grader", "alike", "boxed", "end", "gold_text", "read"]
