/** Run of show, what is on screen, and what has been sold, all from the ledger's numbers. */
import { $, attr, css, h, icon, list, maybe, ring, setRing, setStock, show, stockBar, text } from "../dom.js";
import { count, countdown, price } from "../format.js";
import { offer } from "../pricing.js";
import { titleOf } from "../words.js";

/** How a product is sold, where it is not held for whoever taps first. */
const POLICIES = { pay_first: "Pay first", lottery: "By lottery" };
const FLASH_WARN_MS = 10_000;

/** Which of several windows a flash price is, when it is. @param {import("../types").Product} product */
const ofTimes = ({ flash }) => (flash?.repeat ? `${flash.repeat.n} of ${flash.repeat.times}` : "");

/** @param {import("../types").Product} product */
const stockWords = (product) => {
  const { left, held = 0, sold = 0 } = product;
  if (left == null) return { left: product.bucket ?? "", rest: "", spoken: product.bucket ?? "stock hidden" };
  return { left: `${left} left of ${left + held + sold}`, rest: `${held} on hold · ${sold} sold`, spoken: `${left} left, ${held} on hold, ${sold} sold of ${left + held + sold}` };
};

export class Run {
  /**
   * @param {import("../feed.js").Feed} feed
   * @param {{pin: (sku: string) => void, unpin: () => void, flash: (product: any) => void, endFlash: (product: any) => void, restock: (product: any) => void, auction: (product: any) => void}} page
   */
  constructor(feed, page) {
    this.feed = feed;
    this.page = page;
    this.selected = "";
    this.bigRing = ring("lg");
    this.bar = stockBar();
    this.nextButton = h("button", { class: "btn act grow", "data-testid": "pin-next", onclick: () => page.pin(this.next()) }, h("span", { class: "clip" }), h("kbd", { text: "N" }));
    this.endButton = h("button", { class: "btn line grow", "data-testid": "end-flash", onclick: () => page.endFlash(this.pinned()) }, "End flash ", h("kbd", { text: "E" }));
    this.image = h("img", { class: "th", width: 84, height: 84, alt: "" });
    this.words = h("div", { class: "grow" }, h("div", { class: "kick" }, icon("bolt", true), h("span")), h("div", { class: "b clip nowt", "data-testid": "on-screen-title" }), h("div", { class: "price n" }, h("b"), h("s"), h("span", { class: "off" })));
    this.filled = h("div", { class: "row" }, this.image, this.words, this.bigRing);
    this.none = h("p", { class: "mut", text: "Nothing is pinned. Press 1–9, or Pin in the run of show." });
    this.unpinButton = h("button", { class: "btn line grow", "data-testid": "unpin", onclick: () => page.unpin() }, "Unpin ", h("kbd", { text: "0" }));
    $("now").append(this.filled, this.bar, this.none, h("div", { class: "row" }, this.unpinButton, this.endButton, this.nextButton));
  }

  get state() {
    return /** @type {import("../types").State} */ (this.feed.state);
  }

  /** The studio acts on what is so, not on what a delayed picture shows. @returns {import("../types").Product | null} */
  pinned() {
    const sku = this.state.pins.at(-1)?.sku;
    return sku ? (this.state.products[sku] ?? null) : null;
  }

  /** The product after the pinned one that is not sold out. */
  next() {
    const { skus, products } = this.state;
    const from = skus.indexOf(this.pinned()?.sku ?? "");
    for (let step = 1; step <= skus.length; step++) {
      const sku = skus[(from + step) % skus.length];
      if (products[sku].left !== 0) return sku;
    }
    return skus[0];
  }

  /** @param {import("../types").Product} product */
  offer(product) {
    return offer(this.state.show, product, this.feed.now(), this.feed.now());
  }

  draw() {
    this.drawNow();
    this.drawRows();
    this.drawSales();
  }

  drawNow() {
    const product = this.pinned();
    for (const part of [this.filled, this.bar, this.unpinButton]) show(part, Boolean(product));
    show(this.none, !product);
    const next = this.next();
    const nextTitle = this.state.products[next]?.title ?? "";
    text(/** @type {any} */ (this.nextButton.firstElementChild), product ? `Next: ${nextTitle}` : `Pin ${nextTitle}`);
    show(this.nextButton, Boolean(nextTitle) && next !== product?.sku);
    show(this.endButton, product && this.offer(product).own);
    if (!product) return;
    const { currency } = this.state.show;
    const now = this.offer(product);
    const { flash } = now;
    const [kick, title, prices] = /** @type {any} */ (this.words.children);
    show(kick.firstElementChild, Boolean(flash));
    const words = !flash ? (now.campaign?.title ?? "On screen now") : flash.phase === "announced" ? `Flash starts in ${countdown(flash.remaining_ms)}` : flash.paused ? "Flash, timer paused" : "Flash running";
    text(kick.lastElementChild, [words, now.own ? ofTimes(product) : ""].filter(Boolean).join(" · "));
    text(title, product.title);
    attr(this.image, "src", product.image_url ?? "/static/assets/bag.svg");
    const [amount, was, off] = prices.children;
    text(amount, price(now.price_minor, currency));
    text(was, now.was_minor ? price(now.was_minor, currency) : "");
    text(off, now.percent ? `−${now.percent}%` : "");
    show(this.bigRing, Boolean(flash));
    if (flash) setRing(this.bigRing, countdown(flash.remaining_ms), flash.fraction, flash.paused ? "pause" : flash.remaining_ms <= FLASH_WARN_MS ? "warn" : "", `${countdown(flash.remaining_ms)} left`);
    setStock(this.bar, product, stockWords(product));
  }

  drawRows() {
    const { skus, products, show: { currency } } = this.state;
    const on = this.pinned()?.sku;
    text($("run-note"), skus.length ? `${skus.length} products · press 1–9 to pin` : "Add products through the API; they appear here at once.");
    list($("run"), skus.map((sku) => products[sku]), (product) => product.sku, (product) => this.row(product), (row, product) => {
      const [key, , words, bar, acts] = /** @type {any} */ (row.children);
      const place = skus.indexOf(product.sku) + 1;
      const now = this.offer(product);
      attr(row, "aria-current", product.sku === on ? "true" : null);
      text(key, place <= 9 ? String(place) : "");
      css(key, "visibility", place <= 9 ? "visible" : "hidden");
      text(words.children[0], titleOf(product));
      const [amount, was, tag] = words.children[1].children;
      text(amount, price(now.price_minor, currency));
      maybe(was, now.was_minor && !now.flash ? price(now.was_minor, currency) : ""); // no room beside the tag
      const nth = now.own ? ofTimes(product) : "";
      text(tag, now.flash ? [countdown(now.flash.remaining_ms), nth.replace(" of ", "/")].filter(Boolean).join(" · ") : product.left === 0 ? `Sold out${product.waiting ? ` · ${product.waiting} waiting` : ""}` : POLICIES[product.hold_policy] ?? "");
      attr(tag, "title", now.flash ? `Flash price${nth && `, ${nth}`}${now.flash.phase === "announced" ? ", not yet" : ""}` : null);
      attr(tag, "class", `tag m ${now.flash ? "act" : product.left === 0 ? "warn" : ""}`);
      show(tag, Boolean(tag.textContent));
      setStock(bar, product, { ...stockWords(product), left: product.left == null ? "" : `${product.left} left`, rest: product.left == null ? "" : `${product.sold} sold` });
      const [screen, pin, flash, auction, stock] = acts.children;
      show(screen, product.sku === on);
      show(pin, product.sku !== on && product.left !== 0);
      show(flash, product.left !== 0);
      attr(flash, "disabled", now.own ? "" : null);
      show(auction, product.left !== 0);
      show(stock, product.left === 0);
    });
  }

  /** @param {import("../types").Product} product */
  row(product) {
    const { sku } = product;
    const current = () => this.state.products[sku];
    const select = () => (this.selected = sku);
    return h("div", { class: "pr", "data-testid": `product-row-${sku}`, onpointerenter: select, onfocusin: select }, h("kbd"),
      h("img", { class: "th", src: product.image_url ?? "/static/assets/bag.svg", width: 44, height: 44, alt: "" }),
      h("div", { class: "grow" }, h("div", { class: "b clip" }), h("div", { class: "xs n row" }, h("b"), h("s", { class: "mut" }), h("span"))), stockBar(),
      h("div", { class: "acts" }, h("span", { class: "tag onair", text: "On screen" }),
        h("button", { class: "btn s", "data-testid": `pin-${sku}`, onclick: () => this.page.pin(sku) }, icon("pin"), "Pin"),
        h("button", { class: "btn s", "data-testid": `flash-${sku}`, "aria-label": `Launch a flash price for ${product.title}`, onclick: () => this.page.flash(current()) }, icon("bolt")),
        h("button", { class: "btn s", "data-testid": `auction-${sku}`, "aria-label": `Auction one ${product.title}`, onclick: () => this.page.auction(current()) }, icon("gavel")),
        h("button", { class: "btn s", "data-testid": `restock-${sku}`, text: "Add stock", onclick: () => this.page.restock(current()) })));
  }

  drawSales() {
    const products = Object.values(this.state.products).filter((product) => product.left != null);
    const sum = (/** @type {"left" | "held" | "sold"} */ part) => products.reduce((total, product) => total + (product[part] ?? 0), 0);
    text($("sold"), count(sum("sold")));
    text($("s-held"), `${count(sum("held"))} on hold`);
    text($("s-left"), `${count(sum("left"))} left`);
    text($("on-hold"), `${count(sum("held"))} on hold now`);
    const best = [...products].sort((a, b) => (b.sold ?? 0) - (a.sold ?? 0)).slice(0, 4);
    const most = Math.max(1, best[0]?.sold ?? 0);
    list($("fun"), best, (product) => product.sku, () => h("div", {}, h("span", { class: "clip" }), h("i"), h("b")), (row, product) => {
      const [name, bar, sold] = /** @type {any} */ (row.children);
      text(name, product.title);
      css(bar, "inline-size", `${Math.round(((product.sold ?? 0) / most) * 100)}%`);
      text(sold, count(product.sold ?? 0));
    });
  }
}
