/** The sheets over the watch page: hold, result, bag, paid partnership, keys. One <dialog>; the video plays on under it. */
import { $, attr, h, icon, list, ring, setRing, show, text } from "../dom.js";
import { countdown, price } from "../format.js";
import { holdLeft } from "../pricing.js";
import { full, stockWords, WORDS } from "../words.js";

const TEST_CARDS = [["tok_ok", "Works"], ["tok_declined", "Declined"], ["tok_slow", "Slow"], ["tok_error", "No answer"]];
const HOLD_WARN_MS = 30_000;

export class Sheets {
  /**
   * @param {import("../feed.js").Feed} feed
   * @param {{pay: (order: any, token: string) => void, giveBack: (order: any) => void, buy: (sku: string) => void,
   *   offer: (product: any) => import("../types").Offer, button: (product: any) => {label: string, enabled: boolean}, payNote: (order: any) => string | null}} page
   */
  constructor(feed, page) {
    this.feed = feed;
    this.page = page;
    this.dialog = /** @type {HTMLDialogElement} */ (/** @type {any} */ ($("sheet")));
    this.kind = "";
    this.holdId = "";
    this.holdMs = 120_000;
    this.card = "tok_ok";
    /** @type {() => void} */
    this.update = () => {};
    this.dialog.addEventListener("close", () => (this.kind = ""));
    this.dialog.addEventListener("click", (event) => event.target === this.dialog && this.dialog.close());
  }

  /** @param {string} kind @param {string} label @param {HTMLElement} content @param {() => void} [update] */
  open(kind, label, content, update = () => {}) {
    this.kind = kind;
    this.update = update;
    attr(this.dialog, "aria-label", label);
    this.dialog.replaceChildren(h("div", { class: "grab" }), content);
    if (!this.dialog.open) this.dialog.showModal();
    update();
  }

  close() {
    this.dialog.close();
  }

  get state() {
    return /** @type {import("../types").State} */ (this.feed.state);
  }

  /** @param {string} sku */
  product(sku) {
    return this.state.products[sku];
  }

  /** The hold: time left, what it costs in all, Pay, Give it back. @param {import("../types").Order} order */
  hold(order) {
    const { currency } = this.state.show;
    const product = this.product(order.sku);
    this.holdId = order.id;
    this.holdMs = Math.max(holdLeft(this.state.show, order, this.feed.now()), 30_000);
    const circle = ring("lg");
    const until = h("p", { class: "sm mut" });
    const note = h("p", { class: "box warn", role: "status", "data-testid": "pay-note", hidden: true });
    const pay = h("button", { class: "btn act xl", "data-testid": "pay", onclick: () => this.page.pay(order, this.card) });
    const back = h("button", { class: "btn ghost t44", "data-testid": "give-back", text: WORDS.back, onclick: () => this.page.giveBack(order) });
    const line = (/** @type {string} */ label, /** @type {number} */ minor, cls = "") => h("div", { class: cls }, h("span", { text: label }), h("span", { text: full(minor, currency) }));
    const quantity = order.quantity > 1 ? ` × ${order.quantity}` : "";
    const content = h("div", { "data-testid": "hold-sheet" },
      h("div", { class: "row" }, circle, h("div", { class: "grow" }, h("h2", { text: WORDS.held }), until)),
      h("div", { class: "cell" }, this.image(product, 56), h("div", { class: "grow" },
        h("div", { class: "b clip", text: (product?.title ?? order.sku) + quantity }), h("b", { class: "sm n", text: full(order.unit_price_minor, currency) }))),
      this.state.show.test_mode && this.cards(),
      h("div", { class: "lines n" },
        line(order.lines?.[0]?.flash ? WORDS.flashItem : WORDS.item, order.goods_minor ?? order.total_minor),
        order.shipping_minor > 0 && line(WORDS.shipping, order.shipping_minor),
        line(WORDS.total, order.total_minor, "tot")),
      note, h("div", { class: "acts" }, pay, back));
    this.open("hold", WORDS.held, content, () => {
      const now = this.state.orders[order.id] ?? order;
      const frozen = this.state.show.frozen;
      const left = holdLeft(this.state.show, now, this.feed.now());
      this.holdMs = Math.max(this.holdMs, left);
      setRing(circle, countdown(left), left / this.holdMs, frozen ? "pause" : left < HOLD_WARN_MS ? "warn" : "", `${countdown(left)} left on your hold`);
      text(until, frozen ? WORDS.frozen : WORDS.until(this.feed.now() + left));
      const code = this.page.payNote(order);
      const busy = code === "" || now.state === "paying";
      /** @type {Record<string, string>} */
      const notes = { declined: WORDS.declined(left), payment_in_progress: WORDS.inProgress, payment_unknown: WORDS.unknown, slow: WORDS.slow };
      text(note, code ? (notes[code] ?? `${WORDS.refused}: ${code}`) : "");
      show(note, Boolean(code));
      text(pay, busy ? WORDS.paying : WORDS.pay(full(order.total_minor, currency)));
      for (const button of [pay, back]) attr(button, "disabled", busy ? "" : null);
    });
  }

  cards() {
    const box = h("div", { class: "seg sm", role: "group", "aria-label": WORDS.testPay, "data-testid": "test-cards" });
    for (const [token, label] of TEST_CARDS) {
      const button = h("button", { type: "button", "aria-pressed": String(token === this.card), "data-testid": token, text: label, onclick: () => {
        this.card = token;
        for (const other of /** @type {any} */ (box.children)) attr(other, "aria-pressed", String(other === button));
      } });
      box.append(button);
    }
    return box;
  }

  /** @param {import("../types").Product | undefined} product @param {number} size */
  image(product, size) {
    return h("img", { class: "th", src: product?.image_url || "/static/assets/bag.svg", width: size, height: size, alt: "" });
  }

  /**
   * One icon, one heading, one sentence, one primary, one ghost.
   * @param {{kind: string, icon: string, tone?: string, title: string, body: string, extra?: HTMLElement | null,
   *   primary: string, act?: () => void, ghost?: string}} parts
   */
  result({ kind, icon: name, tone = "", title, body, extra = null, primary, act, ghost }) {
    const close = () => this.close();
    const go = () => {
      close();
      act?.();
    };
    const content = h("div", { class: "res", "data-testid": "result", "data-kind": kind },
      h("span", { class: `disc ${tone}` }, icon(name)), h("h2", { text: title }), h("p", { class: "note", text: body }), extra,
      h("div", { class: "acts" }, h("button", { class: "btn act xl", "data-testid": "result-primary", text: primary, onclick: go }),
        ghost && h("button", { class: "btn ghost t44", text: ghost, onclick: close })));
    text($("say-now"), `${title}. ${body}`);
    this.open("result", title, content);
  }

  /** @param {import("../types").Order | undefined} order */
  receipt(order) {
    if (!order) return null;
    const half = (/** @type {string} */ label, /** @type {string} */ value, cls = "") => h("div", { class: `grow ${cls}` }, h("div", { class: "xs mut", text: label }), h("b", { class: "sm n", text: value }));
    return h("div", { class: "cell" }, half(WORDS.order, order.id.slice(-8).toUpperCase()), half(WORDS.paid, full(order.total_minor, this.state.show.currency), "end"));
  }

  /** Every product, one honest line each; open holds come first. */
  bag() {
    const rows = h("ul", { class: "bag" });
    const close = h("button", { class: "rib", "aria-label": WORDS.close, onclick: () => this.close() }, icon("x"));
    const foot = h("p", { class: "note" });
    const content = h("div", { "data-testid": "bag-sheet" }, h("div", { class: "split" }, h("h2", { text: WORDS.bag }), close), rows, foot);
    this.open("bag", WORDS.bag, content, () => {
      this.rows(rows, 56, true);
      text(foot, this.state.skus.length ? WORDS.ledger : WORDS.nothing);
    });
  }

  /**
   * Product rows, in the bag and in the desktop column.
   * @param {HTMLElement} parent @param {number} size @param {boolean} strong @param {string} [without] sku to leave out
   */
  rows(parent, size, strong, without) {
    const { state } = this;
    const products = state.skus.filter((sku) => sku !== without).map((sku) => state.products[sku]);
    list(parent, products, (product) => product.sku, (product) => h("li", { class: "row", "data-testid": `product-${product.sku}` },
      this.image(product, size),
      h("div", { class: "grow" }, h("div", { class: "b sm clip title" }), h("div", { class: "row n sm prices" }, h("b"), h("s", { class: "mut" }), h("span", { class: "tag act" })), h("div", { class: "xs mut n clip stk" })),
      h("button", { class: `btn t44 ${strong ? "act" : "line s"}`, "data-testid": `buy-${product.sku}`, onclick: () => this.page.buy(product.sku) })),
    (row, product) => {
      const offer = this.page.offer(product);
      const button = this.page.button(product);
      const [title, prices, stock] = /** @type {any} */ (row.children[1]).children;
      const flash = offer.flash?.phase === "running" ? offer.flash : null;
      text(title, product.title);
      text(prices.children[0], price(offer.price_minor, state.show.currency));
      text(prices.children[1], offer.was_minor ? price(offer.was_minor, state.show.currency) : "");
      show(prices.children[1], Boolean(offer.was_minor));
      text(prices.children[2], flash ? `Flash ${countdown(flash.remaining_ms)}` : "");
      show(prices.children[2], Boolean(flash));
      text(stock, product.left === 0 ? WORDS.soldOut : stockWords(product).left);
      const buy = /** @type {HTMLElement} */ (row.lastElementChild);
      text(buy, button.enabled ? (button.label.startsWith("Buy") ? "Buy" : "Pay") : product.left === 0 ? WORDS.soldOut : "Buy");
      attr(buy, "aria-label", `${button.label}: ${product.title}`);
      attr(buy, "disabled", button.enabled ? null : "");
    });
  }

  partnership() {
    const paid = this.state.skus.map((sku) => this.product(sku)).filter((product) => (product.commission_bps ?? 0) > 0);
    const rows = paid.map((product) => h("div", { class: "cell" }, this.image(product, 48),
      h("div", { class: "grow" }, h("div", { class: "b sm clip", text: product.title }), h("div", { class: "xs mut clip", text: product.disclosure ?? product.seller ?? "" })),
      h("span", { class: "tag n", text: `${(product.commission_bps ?? 0) / 100}%` })));
    this.open("paid", WORDS.partnership, h("div", {}, h("h2", { text: WORDS.partnership }), h("p", { class: "sm mut", text: WORDS.partnershipText }), ...rows,
      h("button", { class: "btn t44", text: WORDS.got, onclick: () => this.close() })));
  }

  /** @param {string[][]} keys */
  keys(keys) {
    this.open("keys", "Shortcuts", h("div", { class: "keymap" }, h("h2", { text: "Shortcuts" }),
      ...keys.map(([key, what]) => h("div", {}, h("span", { text: what }), h("kbd", { text: key })))));
  }
}
