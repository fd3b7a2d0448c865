/** The show's bag in the studio: which products are for sale and in what order, and sets of them to come back to. */
import { newKey } from "../api.js";
import { $, attr, h, show, text } from "../dom.js";
import { titleOf } from "../words.js";
import { attempt, cause, toast } from "../tools.js";

/**
 * The id under which a set of this title is kept: its own when there is one of that title, else one that none has yet. Pure.
 * @param {string} title @param {{id: string, title: string}[]} sets
 */
export function setId(title, sets) {
  const same = sets.find((set) => set.title === title);
  if (same) return same.id;
  const base = title.normalize("NFKD").replace(/[^A-Za-z0-9]+/g, "-").replace(/^-+|-+$/g, "").slice(0, 60).toLowerCase() || "set";
  const taken = new Set(sets.map(({ id }) => id));
  let id = base;
  for (let n = 2; taken.has(id); n++) id = `${base}-${n}`;
  return id;
}

/** `skus` with the one at `from` moved by `step`; unchanged at the ends. Pure. @param {string[]} skus @param {number} from @param {number} step */
export function moved(skus, from, step) {
  const to = from + step;
  if (to < 0 || to >= skus.length) return skus;
  const next = [...skus];
  [next[from], next[to]] = [next[to], next[from]];
  return next;
}

export class Bag {
  /** @param {import("../feed.js").Feed} feed */
  constructor(feed) {
    this.feed = feed;
    /** All products: those in the bag first, in their order. @type {string[]} */
    this.order = [];
    this.inside = new Set();
    /** @type {{id: string, title: string, skus: string[]}[]} */
    this.kept = [];
    this.dialog = /** @type {HTMLDialogElement} */ (/** @type {any} */ ($("dialog")));
    this.rows = h("ol", { class: "bagrows scroll", "data-testid": "bag-rows" });
    this.sets = h("div", { class: "row wrap", "data-testid": "bag-sets" });
    this.title = h("input", { maxlength: "80", placeholder: "Name of a set", "aria-label": "Name of a set", "data-testid": "set-title" });
    this.error = h("p", { class: "box bad", role: "alert", hidden: true, "data-testid": "bag-error" });
  }

  get chosen() {
    return this.order.filter((sku) => this.inside.has(sku));
  }

  open() {
    const { skus, products } = this.feed.state;
    this.order = [...skus, ...Object.keys(products).filter((sku) => !skus.includes(sku))];
    this.inside = new Set(skus);
    this.dialog.className = "dlg slim";
    this.dialog.replaceChildren(h("form", { onsubmit: (/** @type {Event} */ event) => this.save(event) }, h("div", { class: "l" },
      h("h2", { text: "The bag" }), h("p", { class: "sm mut", text: "What viewers see and can buy, in this order. Holds stay valid when a product leaves." }),
      this.sets, this.rows,
      h("div", { class: "row" }, h("span", { class: "inp grow" }, this.title), h("button", { type: "button", class: "btn line t44", text: "Keep as a set", "data-testid": "set-keep", onclick: () => void attempt(() => this.keep()) })),
      this.error, h("div", { class: "row" }, h("button", { type: "button", class: "btn line t44 grow", text: "Cancel", onclick: () => this.dialog.close() }), h("button", { class: "btn act t44 grow", "data-testid": "bag-save", text: "Change the bag" })))));
    show(this.error, false);
    this.draw();
    void attempt(() => this.loadSets());
    this.dialog.showModal();
  }

  draw() {
    const { products } = this.feed.state;
    this.rows.replaceChildren(...this.order.map((sku, at) => {
      const mark = h("input", { type: "checkbox", checked: this.inside.has(sku), "data-testid": `bag-${sku}`, onchange: () => this.inside[/** @type {any} */ (mark).checked ? "add" : "delete"](sku) });
      const step = (/** @type {number} */ by, /** @type {string} */ name, /** @type {string} */ sign) => h("button", { type: "button", class: "btn s ghost", "aria-label": `${name}: ${products[sku].title}`, disabled: at + by < 0 || at + by >= this.order.length, text: sign, onclick: () => {
        this.order = moved(this.order, at, by);
        this.draw();
        /** @type {any} */ (this.rows.children[at + by].querySelector(`[aria-label^="${name}"]`)).focus();
      } });
      return h("li", { class: "row" }, h("label", { class: "row grow t44" }, mark, h("span", { class: "clip", text: titleOf(products[sku]) })), step(-1, "Up", "↑"), step(1, "Down", "↓"));
    }));
  }

  async loadSets() {
    this.kept = (await this.feed.api.call("GET", "/sets")).sets;
    this.sets.replaceChildren(...this.kept.map((set) => h("span", { class: "row" },
      h("button", { type: "button", class: "btn s", text: `${set.title} · ${set.skus.length}`, "data-testid": `set-${set.id}`, onclick: () => this.take(set.skus) }),
      h("button", { type: "button", class: "btn s ghost", "aria-label": `Forget the set ${set.title}`, text: "×", onclick: () => void attempt(() => this.drop(set.id)) }))));
  }

  /** A set into the bag, as far as its products are still there; saved with the rest. @param {string[]} skus */
  take(skus) {
    this.order = [...skus, ...this.order.filter((sku) => !skus.includes(sku))];
    this.inside = new Set(skus);
    this.draw();
  }

  async keep() {
    const title = /** @type {any} */ (this.title).value.trim();
    if (!title || !this.chosen.length) return void toast("Name the set, and mark what is in it.");
    await this.feed.api.call("PUT", `/sets/${setId(title, this.kept)}`, { body: { title, skus: this.chosen }, key: newKey() });
    /** @type {any} */ (this.title).value = "";
    await this.loadSets();
  }

  /** @param {string} id */
  async drop(id) {
    await this.feed.api.call("DELETE", `/sets/${id}`);
    await this.loadSets();
  }

  /** @param {Event} event */
  async save(event) {
    event.preventDefault();
    try {
      await this.feed.api.call("PUT", "/bag", { body: { skus: this.chosen }, key: newKey() });
      this.dialog.close();
    } catch (error) {
      const { sku } = /** @type {any} */ (error).body ?? {};
      const title = this.feed.state.products[sku]?.title;
      text(this.error, title ? `${title}: ${cause(error)}` : cause(error));
      show(this.error, true);
      attr(this.error, "tabindex", "-1");
      this.error.focus();
    }
  }
}
