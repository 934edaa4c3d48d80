"""The one error type that a user sees as a single line."""

import errno

from pipeline.core.redact import redacted

# Numbers of an OSError that says no more than that a file cannot be written or opened here.
STORAGE = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EACCES, errno.EPERM, errno.EROFS}


class PipelineError(Exception):
    """Bad input: one line that names file, row or parameter, the cause and what to do; no secret in it."""

    def __init__(self, message: str) -> None:
        super().__init__(redacted(message))
