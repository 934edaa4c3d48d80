"""The oracle: whether a step is right, from a problem's text; in the place of the paper's human labels and of o1.

It serves PRM and EFT data and measurements made after the fact. No stage of a round may import it; a test walks the
imports.
"""

from pipeline.domains.arithmetic import exact, graphs, misconceptions
from pipeline.domains.math.final import end
from pipeline.domains.worlds import Oracle

_oracle = Oracle(graphs.read, exact, misconceptions.write_steps, end)
right, compare, mark, labelled = _oracle.right, _oracle.compare, _oracle.mark, _oracle.labelled
