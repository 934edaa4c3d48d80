"""Checks params.yaml whole and refuses a model that cannot fit this machine; writes what each stage depends on.

That is a hash of code and of prompts.
"""

from pipeline import params
from pipeline.core import files
from pipeline.core.command import Stage, run
from pipeline.planning import hardware, needs


def main(stage: Stage) -> None:
    needs.refuse(params.check(stage.params), stage.machine, hardware.devices())
    files.write_json(stage.code_file, params.fingerprints(stage.params))


if __name__ == "__main__":
    run(main, reads=[], writes=["code_file"])
