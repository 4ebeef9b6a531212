"""How long the studio's page takes from a click on Generate to four variations of 8 bars on the screen.

    python benchmarks/studio_click.py [--browser=/usr/bin/chromium] [--clicks=20]

A studio and a browser without a window are started. The page itself takes the
time, until the browser has painted. The machine should have nothing else to do.
"""

import argparse
import statistics

from machine import machine
from playwright.sync_api import sync_playwright

from studio import studio


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--browser", default="/usr/bin/chromium", help="Chromium's program")
    parser.add_argument("--clicks", type=int, default=20, help="how many clicks; the first warms up")
    args = parser.parse_args()
    print(machine("msgspec", "numpy", "starlette", "uvicorn", "playwright"))
    milliseconds = []
    with studio("") as port, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=args.browser, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1280, "height": 1000})
        page.goto(f"http://127.0.0.1:{port}/")
        page.get_by_label("New bars").fill("6")  # eight with the two bars of the example
        for _ in range(args.clicks):
            page.get_by_role("button", name="Generate", exact=True).click()
            page.wait_for_selector("#results[data-milliseconds]")
            milliseconds.append(float(page.locator("#results").get_attribute("data-milliseconds") or "nan"))
            page.evaluate("delete document.getElementById('results').dataset.milliseconds")
        browser.close()
    first, *others = milliseconds
    print(
        f"first click {first:.0f} ms, then {statistics.median(others):.0f} ms median of {len(others)} "
        f"({min(others):.0f}..{max(others):.0f})"
    )


if __name__ == "__main__":
    main()
