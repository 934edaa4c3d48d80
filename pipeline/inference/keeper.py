"""Run a command in a process group of its own, and end the whole group when standard input ends.

The stage that starts this holds the other end of it, so a server ends with its stage, however that ends: a killed vLLM
server leaves its engine behind, and a killed stage its servers.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress

_GRACE = 15.0  # seconds between the signal to end and the one that nothing survives


def main() -> int:
    """Run the command that the arguments are; its exit code."""
    child = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL, start_new_session=True)
    threading.Thread(target=_end_with_input, args=(child.pid,), daemon=True).start()
    code = child.wait()
    _signal(child.pid, signal.SIGKILL)
    return code if code >= 0 else 128 - code


def _end_with_input(group: int) -> None:
    while os.read(0, 1024):
        pass
    _signal(group, signal.SIGTERM)
    time.sleep(_GRACE)
    _signal(group, signal.SIGKILL)


def _signal(group: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.killpg(group, number)


if __name__ == "__main__":
    sys.exit(main())
