"""How large the exports of the built-in models are, and how fast their page makes melodies in Chromium.

    python benchmarks/export.py [--browser=/usr/bin/chromium] [--calls=5]

Each page is opened from the disk, without a network. Times are the best of some calls, from the message to the worker
to its answer; beside them stands the longest that the page meanwhile kept something else waiting. The machine should
have nothing else to do.
"""

import argparse
import tempfile
from pathlib import Path

from machine import machine
from playwright.sync_api import sync_playwright

from ostinato.export import suits_magenta, suits_magenta_js
from ostinato.export.javascript import javascript_files, weights
from ostinato.export.magenta import magenta_bundle
from ostinato.export.magentajs import magentajs_files
from ostinato.export.onnx import onnx_files
from ostinato.export.page import page_html
from ostinato.shipped import SHIPPED_MODELS, load_shipped

MEASURE = """async (calls) => {
    const packed = Uint8Array.from(atob(document.getElementById("weights").textContent), (each) => each.charCodeAt(0));
    const unpacked = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
    const bytes = await new Response(unpacked).arrayBuffer();
    const worker = new Worker(URL.createObjectURL(new Blob([document.getElementById("worker").textContent])));
    const ask = (message) => new Promise((resolve) => {
        worker.onmessage = ({ data }) => resolve(data.result);
        worker.postMessage({ id: 0, ...message });
    });
    const began = performance.now();
    const { canEnd } = await ask({ load: bytes });
    const told = { load: performance.now() - began, longest: 0 };
    let last;
    const look = () => {
        told.longest = Math.max(told.longest, performance.now() - last);
        last = performance.now();
    };
    const best = async (options) => {
        const times = [];
        for (let seed = 0; seed < calls; seed += 1) {
            last = performance.now();
            const timer = setInterval(look, 4);
            const start = performance.now();
            await ask({ generate: { ...options, seed } });
            times.push(performance.now() - start);
            clearInterval(timer);
        }
        return Math.min(...times);
    };
    told.one = await best({ numSteps: 128, primer: [60] });
    told.four = await best({ numSteps: 128, primer: [60], numOutputs: 4 });
    if (canEnd) told.ending = await best({ numBars: 8, primer: [60], numOutputs: 4 });
    return told;
}"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--browser", default="/usr/bin/chromium", help="Chromium's program")
    parser.add_argument("--calls", type=int, default=5, help="how many of each kind")
    args = parser.parse_args()
    print(machine("numpy", "onnx", "playwright"))
    print("| model | page | weights, 8 bits | 16 bits | ONNX, step | Magenta.js | Magenta |")
    print("|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        for name in SHIPPED_MODELS:
            bundle = load_shipped(name)
            page = page_html(bundle).encode()
            (Path(folder) / f"{name}.html").write_bytes(page)
            sizes = [
                len(page),
                len(javascript_files(bundle)["model.safetensors"]),
                len(weights(bundle, 16)),
                len(onnx_files(bundle)["step"]),
            ]
            magentajs = magentajs_files(bundle) if suits_magenta_js(bundle.config) else {}
            shards = sum(len(data) for file, data in magentajs.items() if file.startswith("group1"))
            magenta = len(magenta_bundle(bundle)) if suits_magenta(bundle.config) else 0
            told = [f"{size:,}" if size else "" for size in (*sizes, shards, magenta)]
            print(f"| `{name}` | {' | '.join(told)} |")
        print("\n| model | reading | 128 steps | four melodies of them | four of 8 bars with an end | longest wait |")
        print("|---|---|---|---|---|---|")
        browser = playwright.chromium.launch(executable_path=args.browser, args=["--no-sandbox"])
        for name in SHIPPED_MODELS:
            context = browser.new_context(offline=True)
            visited = context.new_page()
            visited.set_default_timeout(600_000)
            visited.goto((Path(folder) / f"{name}.html").as_uri())
            visited.wait_for_selector("html[data-ready]")
            times = visited.evaluate(MEASURE, args.calls)
            columns = [times.get(each) for each in ("load", "one", "four", "ending", "longest")]
            print(f"| `{name}` | {' | '.join('' if each is None else f'{each:.0f} ms' for each in columns)} |")
            context.close()
        browser.close()


if __name__ == "__main__":
    main()
