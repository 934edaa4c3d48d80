"""Run as a worker process; see `pipeline.domains.graders.worker`."""

from pipeline.domains.graders.worker import main

main()
