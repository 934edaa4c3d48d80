"""Run as a worker process; see `pipeline.domains.math.worker`."""

from pipeline.domains.math.worker import main

main()
