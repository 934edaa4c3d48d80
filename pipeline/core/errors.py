"""The one error type that a user sees as a single line."""


class PipelineError(Exception):
    """Bad input: the message is one line that names file, row or parameter, the cause and the mend."""
