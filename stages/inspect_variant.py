"""What the report shows of a variant: all that was left out of its pairs and its training."""

from pipeline.core import files
from pipeline.core.command import arguments, run
from pipeline.core.records import Dropped


def main() -> None:
    args = arguments(__doc__, reads=["pairs", "dropped"], writes=["excerpt"])
    dropped = files.read(args.pairs / "dropped.parquet", Dropped) + files.read(args.dropped, Dropped)
    files.write(args.excerpt / "dropped.parquet", Dropped, dropped)


if __name__ == "__main__":
    run(main)
