"""The pictures of README.md from finished runs: the accuracy curve, and one search in the report's tree viewer.

    python -m benchmarks.pictures RUN [RUN ...]       # a curve for each run; the tree is of the first one's report

Writes docs/pictures/accuracy.svg and docs/pictures/tree.png, the latter with a headless Chromium and its driver.
"""

from __future__ import annotations

import argparse
import base64
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.gates import Run
from pipeline.core import plan
from pipeline.core.command import fail
from pipeline.core.errors import PipelineError
from pipeline.core.files import replacing
from pipeline.report import chart
from pipeline.report.chart import Chart, Point, Series

OUT = Path("docs/pictures")
WIDTH, HEIGHT = 760, 900  # CSS pixels of the tree: what README shows without scaling, and less than a screen
BYTES = 200_000


def curve(runs: Sequence[Path], trained: bool = False) -> Chart:
    """Average greedy accuracy of M0 and of each model of a run's first method, with one standard error.

    trained: from the first trained model on, on a scale that shows the errors, the runs a little apart.
    """
    lines = []
    for index, folder in enumerate(runs):
        apart = 0.1 * (index - len(runs) // 2) if trained else 0.0
        run = Run(folder)
        models = run.plan
        method = next(iter(models.roots.values())).method
        points = [
            Point(models.iteration(m) + apart, 100 * part["accuracy"], "" if apart else m, 100 * part["accuracy_se"])
            for m in (plan.BASE, *run.chain(method))
            if models.iteration(m) >= trained and (part := run.metrics.get(m, {}).get("average"))
        ]
        lines.append(Series(f"seed {models.seed}", tuple(points)))
    title = "the trained ones, ± one standard error" if trained else "greedy accuracy, %"
    return Chart("greedy accuracy by round", "", title, tuple(lines), y_range=None if trained else (0, 100))


def beside(left: Chart, right: Chart) -> str:
    """Two charts as one SVG file."""
    place, inner = chart.WIDTH + 10, chart.svg(right).partition("</title>")[2]
    wide = chart.standalone(left).replace(f'viewBox="0 0 {chart.WIDTH} ', f'viewBox="0 0 {place + chart.WIDTH} ', 1)
    return wide.replace("</svg>", f'<g transform="translate({place} 0)">{inner.removesuffix("</svg>")}</g></svg>')


@contextmanager
def browser() -> Iterator[Any]:
    """Headless Chromium that records what it loads and what it complains about. Raises PipelineError without one."""
    program, driver = shutil.which("chromium") or shutil.which("google-chrome"), shutil.which("chromedriver")
    if not program or not driver:
        raise PipelineError("no Chromium with chromedriver here (Debian: apt install chromium chromium-driver)")
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = program
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"performance": "ALL", "browser": "ALL"})
    opened = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    try:
        yield opened
    finally:
        opened.quit()


def look(opened: Any, width: int, scheme: str) -> None:
    """Set the window's width in CSS pixels and the preferred colours."""
    size = {"width": width, "height": 844, "deviceScaleFactor": 1, "mobile": width < 500}
    opened.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    feature = {"name": "prefers-color-scheme", "value": scheme}
    opened.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})


def tree(page: Path) -> bytes:
    """A PNG of the page's tree viewer as it opens, the first judgments unfolded."""
    if not page.is_file():
        raise PipelineError(f"{page}: no such file; give the folder of a run that `dvc repro` has ended")
    with browser() as opened:
        look(opened, WIDTH, "light")
        opened.get(page.resolve().as_uri())
        opened.find_element("css selector", "#tree .judgments summary").click()
        place = opened.execute_script("return document.getElementById('viewer').getBoundingClientRect().toJSON()")
        top = place["y"] + opened.execute_script("return window.scrollY")
        clip = {"x": 0, "y": top, "width": WIDTH, "height": min(HEIGHT, place["height"]), "scale": 1}
        taken = opened.execute_cdp_cmd("Page.captureScreenshot", {"clip": clip, "captureBeyondViewport": True})
    return base64.b64decode(taken["data"])


def write(runs: Sequence[Path], folder: Path) -> None:
    """Both pictures. Raises PipelineError without a browser, and where the PNG is too heavy for a README."""
    with replacing(folder / "accuracy.svg") as temporary:
        temporary.write_text(beside(curve(runs), curve(runs, trained=True)), encoding="utf-8")
    picture = tree(runs[0] / "reports/index.html")
    if len(picture) > BYTES:
        raise PipelineError(f"{folder / 'tree.png'}: {len(picture)} bytes, more than {BYTES}; show fewer states")
    with replacing(folder / "tree.png") as temporary:
        temporary.write_bytes(picture)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", type=Path, nargs="+", help="folders of finished runs")
    try:
        write(parser.parse_args(arguments).runs, OUT)
    except PipelineError as error:
        fail(error)


if __name__ == "__main__":
    main()
