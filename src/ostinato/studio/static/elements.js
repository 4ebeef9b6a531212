/** Short ways to make HTML and SVG elements. */

const SVG = "http://www.w3.org/2000/svg";

/** An HTML element; attributes named on… are event handlers, false and null ones are left out. */
export function html(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

/** An SVG element, by the same rules. */
export function svg(tag, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG, tag), attributes, children);
}

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

/** A picture out of the sprite in index.html; it says nothing to a screen reader. */
export function icon(name) {
  return svg("svg", { class: "icon", "aria-hidden": "true" }, svg("use", { href: `#icon-${name}` }));
}

/** A button with an icon, a visible text or both; `label` is its whole name where the text is not. */
export function button({ icon: picture, text, label, className = "", ...attributes }) {
  const parts = [];
  if (picture) parts.push(icon(picture));
  if (text) parts.push(html("span", {}, text));
  return html(
    "button",
    {
      type: "button",
      class: `button ${className}`.trim(),
      "aria-label": label,
      title: text ? null : label,
      ...attributes,
    },
    ...parts,
  );
}

/** Show whether a toggle is on. */
export function press(toggle, pressed) {
  toggle.setAttribute("aria-pressed", String(pressed));
}

export function isPressed(toggle) {
  return toggle.getAttribute("aria-pressed") === "true";
}
