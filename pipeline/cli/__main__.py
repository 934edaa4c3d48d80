"""The `psr` command: what users do beside `dvc repro`."""

from __future__ import annotations

import argparse
from pathlib import Path

from pipeline import params
from pipeline.cli import ablate, clean, compare, doctor, plan, show, verify
from pipeline.core import machine
from pipeline.core.command import faults_in_lines, redact_tracebacks
from pipeline.core.files import replacing
from pipeline.publish import commands as publishing


def main() -> None:
    """Entry point of `psr`; bad input is one line on stderr and exit code 1."""
    parser = argparse.ArgumentParser(prog="psr", description="Process-based self-rewarding language models.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    profile = commands.add_parser(
        "profile",
        help="write params.yaml from a profile",
        description="Reads a profile, one of your own (a file *.yaml that names another one in `over`) or one that the "
        "package ships, and writes it as params.yaml, over what stands there:\n\n"
        + "\n".join(f"  {name}: {about}" for name, about in params.profiles().items()),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    profile.add_argument("name", help=f"a file, or one of {', '.join(params.profiles())}")
    profile.add_argument("--output", type=Path, default=Path("params.yaml"), help="the file to write (params.yaml)")
    profile.set_defaults(run=_profile)
    check = commands.add_parser(
        "check",
        help="read params.yaml and machine.yaml strictly and say which model comes from which",
        description="Reads params.yaml and machine.yaml strictly: every unknown, missing or wrong key is a line "
        "that names it, and so is what the files of a base model's folder say against it. Prints which model is made "
        "from which; writes nothing.",
    )
    check.add_argument("--params", type=Path, default=Path("params.yaml"), help="the file to read (params.yaml)")
    check.set_defaults(run=_check)
    for command in (plan, compare, show, ablate, verify, clean, doctor):
        command.add_command(commands)
    publishing.add(commands)
    args = parser.parse_args()
    redact_tracebacks()
    with faults_in_lines():
        args.run(args)


def _profile(args: argparse.Namespace) -> None:
    text = params.text(args.name)
    with replacing(args.output) as temporary:
        temporary.write_text(text, encoding="utf-8")
    params.check(args.output)
    print(f"wrote {args.output} ({args.name}); `dvc repro` runs it")


def _check(args: argparse.Namespace) -> None:
    settings = params.check(args.params)
    machine.load()
    for model in settings.models:
        start = settings.start_of(model)
        print(f"{model}: the base" if start is None else f"{model}: from {start}")


if __name__ == "__main__":
    main()
