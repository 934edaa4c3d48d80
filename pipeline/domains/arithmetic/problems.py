"""Problems of the embedded world by role, apart from each other and from those held out."""

from pipeline.domains.arithmetic import exact, graphs
from pipeline.domains.worlds import Problems

_problems = Problems(graphs, exact, sizes=(2, 7))  # steps of a solution before its answer
evaluation, training = _problems.evaluation, _problems.training
