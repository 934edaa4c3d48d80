"""Problems of the world of deduction by role, apart from each other and from those held out."""

from pipeline.domains.deduction import exact, theories
from pipeline.domains.worlds import Problems

_problems = Problems(theories, exact, sizes=(1, 4))  # rules of a proof
evaluation, training = _problems.evaluation, _problems.training
