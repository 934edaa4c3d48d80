"""The one error type that a user sees as a single line."""

from pipeline.core.redact import redacted


class PipelineError(Exception):
    """Bad input: the message is one line that names file, row or parameter, the cause and the mend; no secret in it."""

    def __init__(self, message: str) -> None:
        super().__init__(redacted(message))
