/**
 * The few DOM helpers that the pages share. Pages are functions of state: they are drawn at most once per frame,
 * and a write that would change nothing is skipped, so that focus, selection and screen readers are left alone.
 */

/**
 * Finds an element by id. A missing one is a bug of the page, so it throws.
 * @param {string} id
 * @returns {HTMLElement & Record<string, any>}
 */
export function $(id) {
  const found = document.getElementById(id);
  if (!found) throw new Error(`no element #${id}`);
  return found;
}

/**
 * Makes an element. `on…` properties are listeners, `text` is its text, `style` an object of CSS properties
 * (set through the CSSOM: the pages forbid style attributes), everything else an attribute; null and false are left out.
 * @param {string} tag
 * @param {Record<string, any>} [props]
 * @param {...(Node | string | null | undefined | false)} children
 * @returns {HTMLElement}
 */
export function h(tag, props = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (value == null || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "text") element.textContent = value;
    else if (name === "style") for (const [key, css] of Object.entries(value)) element.style.setProperty(key, String(css));
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  for (const child of children) if (child) element.append(child);
  return element;
}

const SVG = "http://www.w3.org/2000/svg";

/** An icon of the sprite; `fill` for the solid ones. @param {string} name @param {boolean} [fill] */
export function icon(name, fill = false) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("class", fill ? "i f" : "i");
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS(SVG, "use");
  use.setAttribute("href", `/static/assets/icons.svg#${name}`);
  svg.append(use);
  return svg;
}

/** @param {Element} element @param {string} value */
export function text(element, value) {
  if (element.textContent !== value) element.textContent = value;
}

/** Sets an attribute; null removes it. @param {Element} element @param {string} name @param {string | number | null} value */
export function attr(element, name, value) {
  if (value === null) element.removeAttribute(name);
  else if (element.getAttribute(name) !== String(value)) element.setAttribute(name, String(value));
}

/** @param {Element} element @param {boolean} visible */
export const show = (element, visible) => element.toggleAttribute("hidden", !visible);

/** @param {Element} element @param {string} name @param {boolean} on */
export const flag = (element, name, on) => element.classList.toggle(name, on);

/** Writes a CSS property through the CSSOM. @param {any} element @param {string} name @param {string | number} value */
export function css(element, name, value) {
  if (element.style.getPropertyValue(name) !== String(value)) element.style.setProperty(name, String(value));
}

/**
 * Makes the children of `parent` match `items`, keeping the rows whose key stays.
 * @template T
 * @param {HTMLElement} parent
 * @param {T[]} items
 * @param {(item: T) => string} key
 * @param {(item: T) => HTMLElement} create
 * @param {(row: HTMLElement, item: T) => void} [update]
 */
export function list(parent, items, key, create, update) {
  /** @type {Map<string, HTMLElement>} */
  const rows = new Map();
  for (const row of /** @type {any} */ (parent.children)) rows.set(row.dataset.key, row);
  let cursor = parent.firstElementChild;
  for (const item of items) {
    const id = key(item);
    let row = rows.get(id);
    if (row) rows.delete(id);
    else (row = create(item)).dataset.key = id;
    if (row === cursor) cursor = cursor.nextElementSibling;
    else parent.insertBefore(row, cursor);
    update?.(row, item);
  }
  for (const row of rows.values()) row.remove();
}

/** A function that runs `draw` once in the next frame, however often it is called. @param {() => void} draw */
export function framed(draw) {
  let waiting = false;
  const run = () => {
    waiting = false;
    draw();
  };
  return () => {
    if (waiting) return;
    waiting = true;
    if (document.hidden) setTimeout(run, 250);
    else requestAnimationFrame(run);
  };
}

/** Initials disc of a chat writer; its colour follows from who it is. @param {string} name @param {string} subject */
export function initial(name, subject) {
  const colours = ["#8fc3ff", "#f2a7c3", "#f3c49b", "#a9d08e", "#f2b8a0", "#9fd3c7", "#c9b6f2", "#f2d97a"];
  let sum = 0;
  for (const letter of subject) sum = (sum * 31 + letter.charCodeAt(0)) >>> 0;
  const style = { background: colours[sum % colours.length] };
  return h("span", { class: "ini", "aria-hidden": "true", style, text: (name.trim()[0] || "?").toUpperCase() });
}

/** Countdown ring: `fraction` 0–1 of the circle is drawn, `mode` is "", "warn" or "pause". */
export function ring(size = "") {
  const root = h("div", { class: `ring ${size}`, role: "timer" });
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 44 44");
  svg.setAttribute("aria-hidden", "true");
  for (let i = 0; i < 2; i++) {
    const circle = document.createElementNS(SVG, "circle");
    for (const [name, value] of [["cx", "22"], ["cy", "22"], ["r", "19"], ["pathLength", "100"]]) circle.setAttribute(name, value);
    svg.append(circle);
  }
  root.append(svg, h("time", { class: "n" }));
  return root;
}

/**
 * @param {Element} root @param {string} label @param {number} fraction @param {"" | "warn" | "pause"} mode
 * @param {string} spoken what a screen reader says when asked
 */
export function setRing(root, label, fraction, mode, spoken) {
  const arc = /** @type {Element} */ (root.querySelectorAll("circle")[1]);
  attr(arc, "stroke-dasharray", `${Math.round(Math.max(0, Math.min(1, fraction)) * 1000) / 10} 100`);
  flag(root, "warn", mode === "warn");
  flag(root, "pause", mode === "pause");
  text(/** @type {Element} */ (root.querySelector("time")), label);
  attr(root, "aria-label", spoken);
}

/** The bar of the three ledger numbers. */
export function stockBar() {
  const bar = h("div", { class: "bar", role: "img" }, h("i"), h("i"), h("i"));
  return h("div", { class: "stock" }, bar, h("div", { class: "lb n" }, h("b"), h("span")));
}

/**
 * @param {Element} root
 * @param {{left: number, held: number, sold: number} | null} stock
 * @param {{left: string, rest: string, spoken: string}} words
 */
export function setStock(root, stock, words) {
  const bar = /** @type {HTMLElement} */ (root.querySelector(".bar"));
  const parts = stock ? [stock.left, stock.held, stock.sold] : [0, 0, 1];
  parts.forEach((part, index) => css(bar.children[index], "flex-grow", part));
  attr(bar, "aria-label", words.spoken);
  const [left, rest] = /** @type {any} */ (root.querySelector(".lb")).children;
  text(left, words.left);
  text(rest, words.rest);
}
