"""The frozen types of every hand-over between stages; each type is also its Arrow schema (`files`)."""

from pipeline.core.records.grade import Grade
from pipeline.core.records.rows import (
    Answered,
    Dropped,
    Duplicate,
    JudgedPair,
    LabelledSolution,
    Overlap,
    Preference,
    Problem,
    ScoredSolution,
    Solution,
    Text,
)
from pipeline.core.records.searches import (
    Candidate,
    Node,
    SampledSolution,
    SampleSet,
    Scoring,
    SearchTree,
    SecondRanking,
    State,
    Tree,
    Verdict,
)

__all__ = [
    "Answered",
    "Candidate",
    "Dropped",
    "Duplicate",
    "Grade",
    "JudgedPair",
    "LabelledSolution",
    "Node",
    "Overlap",
    "Preference",
    "Problem",
    "SampleSet",
    "SampledSolution",
    "ScoredSolution",
    "Scoring",
    "SearchTree",
    "SecondRanking",
    "Solution",
    "State",
    "Text",
    "Tree",
    "Verdict",
]
