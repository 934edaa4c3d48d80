"""Run as a worker process; see `pipeline.answers.worker`."""

from pipeline.answers.worker import main

main()
