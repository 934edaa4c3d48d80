"""Final answers: find them in a model's text, and compare them with the gold answer, hang-proof."""

from pipeline.domains.math.compare import alike, gold_text
from pipeline.domains.math.extract import extract_answer
from pipeline.domains.math.grade import Grade
from pipeline.domains.math.grader import Grader
from pipeline.language.boxes import boxed

__all__ = ["Grade", "Grader", "alike", "boxed", "extract_answer", "gold_text"]
