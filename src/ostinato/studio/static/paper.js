/** Printing: the notation that is shown and nothing else, no line of it cut by the end of a page. */

import { html } from "./elements.js";

const WIDTH = 680; // pixels: A4 and US Letter have more between margins of 15 mm

/** Print the views that are in a set, or the one that is its `chosen`. */
export function printScores(opened) {
  let paper = null;
  const take = () => {
    paper?.remove();
    paper = null;
  };
  addEventListener("beforeprint", () => {
    take();
    const views = (opened.chosen ? [opened.chosen] : [...opened]).filter(({ abc }) => abc);
    if (!views.length) return;
    paper = html("div", { class: "paper" });
    document.body.append(paper);
    for (const view of views) {
      const place = html("div", {});
      paper.append(html("section", {}, html("h1", {}, view.name), place));
      place.replaceWith(...view.engraveOn(place, WIDTH).lines());
    }
  });
  addEventListener("afterprint", () => {
    take();
    opened.chosen = null;
  });
}
