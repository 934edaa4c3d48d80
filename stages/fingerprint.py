"""Checks params.yaml whole, and writes what of the code and of the prompts each stage depends on."""

from pipeline import params
from pipeline.core import files
from pipeline.core.command import Stage, run


def main(stage: Stage) -> None:
    files.write_json(stage.code_file, params.fingerprints(stage.params))


if __name__ == "__main__":
    run(main, reads=[], writes=["code_file"])
