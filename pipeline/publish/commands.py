"""`psr push` and `psr pull`."""

from __future__ import annotations

import argparse
import os
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import yaml

from pipeline.core import config
from pipeline.core.command import die_with_parent
from pipeline.core.errors import PipelineError
from pipeline.core.files import replacing
from pipeline.publish.settings import AUTO, Settings

GRAPH = Path("publish/dvc.yaml")
SETTINGS = Path("publish/params.yaml")
HEADER = (
    "# Where `psr push` publishes a run; it writes this file, and pipeline/publish/settings.py explains each key.\n"
)


def add(commands: Any) -> None:
    """Add both subcommands to the parser of `psr`."""
    push = commands.add_parser(
        "push",
        help="publish the run's data sets (and checkpoints) on the Hugging Face Hub",
        description="Reads the finished run and publishes it: one dataset repository with the configs ift, eft, prm, "
        "ppd-<model> and trees-<model>, and a card made from the run. What is there already is not sent again. Writes "
        f"{SETTINGS} and runs {GRAPH}, whose output is the receipt. The token is that of `hf auth login` or HF_TOKEN.",
    )
    push.add_argument("repository", metavar="ORG/NAME", help="the dataset repository; made if it is absent")
    push.add_argument("--public", action="store_true", help="make it public (a new repository is private)")
    push.add_argument("--dry-run", action="store_true", help="print what would change, change nothing")
    push.add_argument(
        "--models", nargs="+", default=[], metavar="MODEL", help="push these checkpoints to ORG/NAME-MODEL"
    )
    push.add_argument(
        "--branch", nargs="?", default="main", const=AUTO, metavar="NAME", help=_named("push to a branch")
    )
    push.add_argument("--tag", nargs="?", default="", const=AUTO, metavar="NAME", help=_named("tag the last commit"))
    push.set_defaults(run=_push)
    pull = commands.add_parser(
        "pull",
        help="bring a published run's data back as inputs of this pipeline",
        description="Reads from the Hub the IFT, EFT and PRM data and the preference pairs of a run that `psr push` "
        "published, checks every file's hash and writes them where dvc.yaml has them.",
    )
    pull.add_argument("repository", metavar="ORG/NAME", help="the dataset repository")
    pull.add_argument("--revision", default="main", help="a branch, tag or commit (default: main)")
    pull.add_argument("--replace", action="store_true", help="overwrite other data that stand there")
    pull.add_argument("--graph", type=Path, default=Path("dvc.yaml"), help="says where the data belong (dvc.yaml)")
    pull.set_defaults(run=_pull)


def _named(what: str) -> str:
    return f"{what}; without NAME it is named after the run (run-<hash of dvc.lock>)"


def _push(args: argparse.Namespace) -> None:
    from pipeline.publish.failures import repository_name

    repository_name(args.repository)
    given = {name: getattr(args, name) for name in ("repository", "public", "models", "branch", "tag")}
    section = config.read_yaml(SETTINGS).get("publish", {}) | given
    config.build(Settings, section, f"{SETTINGS}: publish")
    if args.dry_run:
        with tempfile.TemporaryDirectory() as folder:
            settings = Path(folder) / "params.yaml"
            _write(settings, section | {"dry_run": True})
            command = yaml.safe_load(GRAPH.read_text(encoding="utf-8"))["stages"]["push"]["cmd"]
            code = _called(*shlex.split(command), "--settings", str(settings))
    else:
        _write(SETTINGS, section)
        # DVC cannot see the Hub, so the stage runs even if nothing changed here.
        code = _called("dvc", "repro", "--force", str(GRAPH))
    if code:
        raise PipelineError(f"{args.repository}: the push did not finish; the reason stands above")


def _called(*command: str) -> int:
    """Run a command with the programs of this Python's environment; its exit code. It dies with this process."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    environment = {**os.environ, "PATH": path}
    return subprocess.run(command, env=environment, check=False, preexec_fn=die_with_parent).returncode


def _write(path: Path, section: dict[str, Any]) -> None:
    with replacing(path) as temporary:
        temporary.write_text(HEADER + yaml.safe_dump({"publish": section}, sort_keys=False), encoding="utf-8")


def _pull(args: argparse.Namespace) -> None:
    from pipeline.publish.pull import pull

    for path in pull(args.repository, args.revision, config.read_yaml(args.graph), args.replace):
        print(path)
    print("`dvc repro --single-item fingerprint base sft@m1` trains on them; a plain `dvc repro` makes them anew")
