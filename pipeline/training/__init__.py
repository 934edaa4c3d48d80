"""Training: the base from scratch, and with TRL (this room alone knows it) the PRM, SFT and step-wise DPO."""

from pipeline.training.common import adopt, read_tokenizer, save
from pipeline.training.preference import implicit_margins, preference_rows, train_preferences
from pipeline.training.pretrain import fresh_model, pretrain
from pipeline.training.supervised import Rows, judgment_row, scoring_row, solution_row, train_supervised

__all__ = [
    "Rows",
    "adopt",
    "fresh_model",
    "implicit_margins",
    "judgment_row",
    "preference_rows",
    "pretrain",
    "read_tokenizer",
    "save",
    "scoring_row",
    "solution_row",
    "train_preferences",
    "train_supervised",
]
