/** DOM helpers. A write that would change nothing is skipped, so that focus, selection and screen readers are left alone. */

/** The element with this id; a missing one is a bug of the page. */
export function $(id) {
  const found = document.getElementById(id);
  if (!found) throw new Error(`no element #${id}`);
  return found;
}

/** Makes an element: `on…` listeners, `text`, `style` (an object; CSP forbids the attribute), attributes. Null and false are left out. */
export function h(tag, props = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (value == null || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "text") element.textContent = value;
    else if (name === "style") for (const key in value) css(element, key, value[key]);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.filter(Boolean));
  return element;
}

function svg(tag, attributes, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const name in attributes) element.setAttribute(name, attributes[name]);
  element.append(...children);
  return element;
}

/** An icon of the sprite; `fill` for the solid ones. */
export const icon = (name, fill = false) =>
  svg("svg", { class: fill ? "i f" : "i", "aria-hidden": "true" }, svg("use", { href: `/static/assets/icons.svg#${name}` }));

export function text(element, value) {
  if (element.textContent !== value) element.textContent = value;
}

/** Sets an attribute; null removes it. */
export function attr(element, name, value) {
  if (value === null) element.removeAttribute(name);
  else if (element.getAttribute(name) !== String(value)) element.setAttribute(name, value);
}

export const show = (element, visible) => element.toggleAttribute("hidden", !visible);
export const flag = (element, name, on) => element.classList.toggle(name, on);
/** Text of an element that is there only while it has some. */
export function maybe(element, value) {
  text(element, value);
  show(element, Boolean(value));
}

export function css(element, name, value) {
  if (element.style.getPropertyValue(name) !== String(value)) element.style.setProperty(name, value);
}

/** Makes the children of `parent` match `items`, keeping the rows whose `key(item)` stays. */
export function list(parent, items, key, create, update) {
  const rows = new Map([...parent.children].map((row) => [row.dataset.key ?? row, row]));
  let cursor = parent.firstElementChild;
  for (const item of items) {
    const id = key(item);
    let row = rows.get(id);
    rows.delete(id);
    if (!row) (row = create(item)).dataset.key = id;
    if (row === cursor) cursor = cursor.nextElementSibling;
    else parent.insertBefore(row, cursor);
    update?.(row, item);
  }
  for (const row of rows.values()) row.remove();
}

/** A function that runs `draw` once in the next frame, however often it is called. */
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

const COLOURS = ["#8fc3ff", "#f2a7c3", "#f3c49b", "#a9d08e", "#f2b8a0", "#9fd3c7", "#c9b6f2", "#f2d97a"];

/** Initials disc of a chat writer. */
export function initial(name, subject) {
  let sum = 0;
  for (const letter of subject) sum = (sum * 31 + letter.charCodeAt(0)) >>> 0;
  return h("span", { class: "ini", "aria-hidden": "true", style: { background: COLOURS[sum % COLOURS.length] }, text: (name.trim()[0] || "?").toUpperCase() });
}

export function ring(size = "") {
  const circle = () => svg("circle", { cx: 22, cy: 22, r: 19, pathLength: 100 });
  return h("div", { class: `ring ${size}`, role: "timer" }, svg("svg", { viewBox: "0 0 44 44", "aria-hidden": "true" }, circle(), circle()), h("time", { class: "n" }));
}

/** `fraction` 0–1 of the circle is drawn; `mode` is "", "warn" or "pause"; `spoken` is for who asks a screen reader. */
export function setRing(root, label, fraction, mode, spoken) {
  attr(root.querySelectorAll("circle")[1], "stroke-dasharray", `${Math.round(Math.max(0, Math.min(1, fraction)) * 1000) / 10} 100`);
  flag(root, "warn", mode === "warn");
  flag(root, "pause", mode === "pause");
  text(root.lastElementChild, label);
  attr(root, "aria-label", spoken);
}

/** The bar of the three ledger numbers; `setStock` fills it. */
export const stockBar = () => h("div", { class: "stock" }, h("div", { class: "bar", role: "img" }, h("i"), h("i"), h("i")), h("div", { class: "lb n" }, h("b"), h("span")));

export function setStock(root, { left, held, sold }, words) {
  const [bar, label] = root.children;
  (left == null ? [0, 0, 1] : [left, held, sold]).forEach((part, index) => {
    css(bar.children[index], "flex-grow", part);
    show(bar.children[index], part > 0);
  });
  attr(bar, "aria-label", words.spoken);
  text(label.firstElementChild, words.left);
  text(label.lastElementChild, words.rest);
}

/** A part of a page that comes with its first use: `made` is null until then, `get` loads it, once, or again after a failure.
 * @template T @param {() => Promise<T>} load @returns {{made: T | null, get: () => Promise<T | null>}} */
export function later(load) {
  /** @type {Promise<T | null> | null} */
  let loading = null;
  const part = {
    made: /** @type {T | null} */ (null),
    get: () => (loading ??= load().then((made) => (part.made = made), () => {
      loading = null;
      return null;
    })),
  };
  return part;
}
