"""How long the studio's page takes to show itself, and from a click on Generate to four variations on the screen.

    python benchmarks/studio_click.py [--browser=/usr/bin/chromium] [--clicks=20]

A studio and a browser without a window are started. The page itself takes the
time, until the browser has painted. The variations have 8 bars. The machine
should have nothing else to do.
"""

import argparse
import statistics

from machine import machine
from playwright.sync_api import sync_playwright

from studio import studio

VISITS = 9
PAINTED = "performance.getEntriesByName('first-contentful-paint')[0].startTime"
SENT = """() => {
    const files = ["navigation", "resource"].flatMap((type) => performance.getEntriesByType(type));
    const own = files.filter(({ name }) => !name.includes("/api/"));
    return [own.reduce((sum, { transferSize }) => sum + transferSize, 0), own.length];
}"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--browser", default="/usr/bin/chromium", help="Chromium's program")
    parser.add_argument("--clicks", type=int, default=20, help="how many clicks; the first warms up")
    args = parser.parse_args()
    print(machine("msgspec", "numpy", "starlette", "uvicorn", "playwright"))
    milliseconds, paints = [], []
    with studio("") as port, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=args.browser, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1280, "height": 1000})
        page.goto(f"http://127.0.0.1:{port}/")
        page.wait_for_selector("html[data-ready]")
        page.get_by_label("New bars").fill("6")  # eight with the two bars of the example
        for _ in range(args.clicks):
            page.get_by_role("button", name="Generate", exact=True).click()
            page.wait_for_selector("#results[data-milliseconds]")
            milliseconds.append(float(page.locator("#results").get_attribute("data-milliseconds") or "nan"))
            page.evaluate("delete document.getElementById('results').dataset.milliseconds")
        for _ in range(VISITS):
            context = browser.new_context(viewport={"width": 1280, "height": 1000})
            page = context.new_page()
            page.goto(f"http://127.0.0.1:{port}/")
            page.wait_for_selector("html[data-ready]")
            paints.append([page.evaluate(PAINTED), page.evaluate("performance.now()")])
            num_bytes, files = page.evaluate(SENT)
            context.close()
        painted, ready = map(statistics.median, zip(*paints, strict=True))
        print(f"the page: {num_bytes:,} bytes in {files} files")
        print(f"painted after {painted:.0f} ms, ready after {ready:.0f} ms, medians of {VISITS} first visits")
        browser.close()
    first, *others = milliseconds
    print(
        f"first click {first:.0f} ms, then {statistics.median(others):.0f} ms median of {len(others)} "
        f"({min(others):.0f}..{max(others):.0f})"
    )


if __name__ == "__main__":
    main()
