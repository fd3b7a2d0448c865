/** The sheets over the watch page: hold, outcome, bag, paid partnership, keys. One <dialog>; the video plays on under it. */
import { $, attr, h, icon, maybe, ring, setRing, show, text } from "../dom.js";
import { countdown, money, price, timeOfDay } from "../format.js";
import { holdLeft, withCoupon } from "../pricing.js";
import { titleOf, WORDS } from "../words.js";
import { productRows, thumb } from "./rows.js";

const TEST_CARDS = [["tok_ok", "Works"], ["tok_declined", "Declined"], ["tok_slow", "Slow"], ["tok_error", "Silent"]];
const HOLD_WARN_MS = 30_000;
const LINES_MAX = 20; // of an order
const KEYS = [["B", "Buy the pinned product"], ["G", "Bag"], ["M", "Sound"], ["K", "Pause the picture"], ["F", "Full screen"], ["H", "Send a heart"], ["/", "Write in chat"], ["?", "This list"], ["Esc", "Close"]];
const NOTES = {
  declined: (left, first) => `Your bank said no. ${first ? "The item is back on the shelf until you pay" : `The item is still held for ${countdown(left)}`}. Try another card.`,
  payment_in_progress: () => "Another payment for this is being tried. Wait for its answer.",
  payment_unknown: () => "The bank has not answered yet. You are not charged twice; this page tells you how it ends.",
  slow: () => "The bank is taking its time. Your item stays held.",
  sold_out: () => "Others were faster: there is none left. Nothing was charged.",
  limit_reached: () => "You have all that one person may have. Nothing was charged.",
  show_closed: () => "The show is not open now. Nothing was charged.",
  not_for_sale: () => "The host has taken it out of the bag. Nothing was charged.",
  coupon_used_up: () => "Others used the coupon up. Nothing was charged.",
  sales_paused: () => "Sales are paused. Nothing was charged; try again when they go on.",
};

/** Why nothing of a bag was held, in a few words about the one product. */
const AGAIN = new Map([
  ["price_changed", (_, now) => `now ${now}`],
  ["not_for_sale", () => WORDS.notForSale.toLowerCase()],
  ["sold_out", ({ left }) => (left ? `only ${left} left` : WORDS.soldOut.toLowerCase())],
  ["limit_reached", ({ limit }) => `at most ${limit} for each`],
]);

/** Why a price is the price, by the rule that gave it. */
const WHY = { list: "the regular price", flash: "a flash price", show_flash: "a price for the whole show", campaign: "a price for some days", draw: "the price of a draw" };

/** How a tap or an order ends: icon, tone, heading, sentence, and what can be done next. Pure. */
function outcomeOf(code, detail, product, now) {
  const left = product?.left ? ` ${product.left} still available at ${now}.` : "";
  if (detail.several && AGAIN.has(code)) return { icon: "bag", tone: "warn", title: `${product?.title ?? "Something"}: ${AGAIN.get(code)(detail, now)}`, body: "Nothing of your bag was held or charged.", again: "Back to the bag", ghost: "Close" };
  return {
    price_changed: { icon: "alert", tone: "warn", title: "The price changed", body: `It rose before your tap arrived. It is ${now} now${WHY[detail.price_reason?.rule] ? `, ${WHY[detail.price_reason.rule]}` : ""}. Nothing was charged.`, again: `Buy for ${now}`, ghost: "Not now" },
    hold_expired: { icon: "clock", title: detail.order?.pay_first ? "Your time to pay is over" : "Your hold ended", body: `You were not charged.${left}`, again: left && (detail.order?.pay_first ? "Try again" : "Hold one again"), ghost: "Close" },
    sold_out: { icon: "bag", title: WORDS.soldOut, body: `0 left${product?.held ? `, ${product.held} on hold` : ""}. Nothing was charged.` },
    limit_reached: { icon: "users", title: WORDS.limit(detail.limit, detail.limit), body: WORDS.limitRule(detail.limit) },
    not_for_sale: { icon: "bag", title: WORDS.notForSale, body: `The host has taken ${product?.title ?? "this"} out of the bag. Nothing was charged.` },
    mixed_sellers: { icon: "users", tone: "warn", title: "Two sellers", body: `${product?.title ?? "One of these"} has another seller. Buy it by itself. Nothing was charged.` },
    coupon_over: { icon: "clock", tone: "warn", title: "The coupon is over", body: "Nothing was charged. You can buy at the price you see.", again: `Buy for ${now}`, ghost: "Not now" },
    coupon_used_up: { icon: "users", tone: "warn", title: "The coupon is used up", body: "Others were faster. Nothing was charged. You can buy at the price you see.", again: `Buy for ${now}`, ghost: "Not now" },
    coupon_not_for: { icon: "bag", tone: "warn", title: "The coupon takes nothing off here", body: "Nothing was charged. You can buy at the price you see.", again: `Buy for ${now}`, ghost: "Not now" },
    sales_paused: { icon: "pause", title: WORDS.salesArePaused, body: WORDS.moderatorCheck },
    show_closed: { icon: "clock", title: "The show is not open", body: "Nothing was charged." },
    banned: { icon: "ban", title: WORDS.banned, body: WORDS.bannedText },
    guests_closed: { icon: "shield", title: WORDS.buyersClosed, body: "This show sells to known buyers only. Nothing was charged." },
    paid: { icon: "check", tone: "ok", title: "It’s yours", body: `${product?.title ?? "Your order"}. Your payment went through.` },
    in_stock: { icon: "bag", tone: "ok", title: "There is one now", body: "You can buy it at once." },
    waitlist_full: { icon: "users", title: "The waitlist is full", body: "As many people wait for this as may wait." },
    given_back: { icon: "undo", title: "Given back", body: "You were not charged." },
  }[code] ?? { icon: "alert", tone: "warn", title: "That did not work", body: detail.detail ?? detail.title ?? code };
}

export class Sheets {
  dialog = $("sheet");
  kind = "";
  holdId = "";
  holdMs = 120_000;
  card = "tok_ok";
  /** sku → units in the bag. */
  picked = new Map();
  update = () => {};

  constructor(feed, page) {
    this.feed = feed;
    this.page = page;
    this.dialog.addEventListener("close", () => {
      this.kind = "";
      page.draw();
    });
    this.dialog.addEventListener("click", (event) => event.target === this.dialog && this.dialog.close());
  }

  get state() {
    return this.feed.state;
  }

  open(kind, label, content, update = () => {}) {
    Object.assign(this, { kind, update });
    attr(this.dialog, "aria-label", label);
    this.dialog.replaceChildren(h("div", { class: "grab" }), content);
    if (!this.dialog.open) this.dialog.showModal();
    update();
    this.page.draw();
  }

  close() {
    this.dialog.close();
  }

  money(minor) {
    return money(minor, this.state.show.currency);
  }

  /** The hold: time left, what it costs in all, Pay, Give it back. */
  hold(order) {
    this.holdId = order.id;
    this.holdMs = Math.max(holdLeft(this.state.show, order, this.feed.now()), HOLD_WARN_MS);
    const circle = ring("lg");
    const turn = Boolean(order.lines[0].waited);
    const first = Boolean(order.pay_first);
    const heading = first ? "Yours once paid" : turn ? "One came back" : order.lines[0].draw ? "You have one" : "Held for you";
    const until = h("p", { class: "sm mut" });
    const note = h("p", { class: "box warn", role: "status", "data-testid": "pay-note", hidden: true });
    const pay = h("button", { class: "btn act xl", "data-testid": "pay", onclick: () => this.page.pay(order, this.state.show.test_mode ? this.card : "checkout") });
    const back = h("button", { class: "btn ghost t44", "data-testid": "give-back", text: turn ? "Pass" : first ? "Let it go" : "Give it back", onclick: () => this.page.giveBack(order) });
    const line = (label, minor, type = "") => h("div", { class: type }, h("span", { text: label }), h("span", { text: this.money(minor) }));
    const content = h("div", { "data-testid": "hold-sheet" },
      h("div", { class: "row held" }, circle, h("div", { class: "grow" }, h("h2", { text: heading }), until)),
      ...order.lines.map((each) => this.bought(each)),
      this.state.show.test_mode && this.cards(),
      h("div", { class: "lines n" }, line(order.lines.length > 1 ? `${order.lines.length} products` : order.lines[0].flash ? "Item, flash price" : "Item", order.goods_minor), order.shipping_minor > 0 && line("Shipping", order.shipping_minor), line("Total, tax included", order.total_minor, "tot")),
      note, h("div", { class: "acts" }, pay, back));
    this.open("hold", heading, content, () => {
      const now = this.state.orders[order.id] ?? order;
      const { frozen } = this.state.show;
      const left = holdLeft(this.state.show, now, this.feed.now());
      const code = this.page.payNote(order);
      const busy = code === "" || now.state === "paying";
      this.holdMs = Math.max(this.holdMs, left);
      setRing(circle, countdown(left), left / this.holdMs, frozen ? "pause" : left < HOLD_WARN_MS ? "warn" : "", `${countdown(left)} left to pay`);
      const others = first && !busy ? "Nothing is reserved until you pay: others can still take it." : frozen ? "Timers are frozen. Nobody else can take it." : `Nobody else can take it until ${timeOfDay(this.feed.now() + left)}.`;
      text(until, `${others} ${turn ? "If you pass, the next person gets it." : "If time runs out you pay nothing."}`);
      maybe(note, code ? (NOTES[code]?.(left, first) ?? `That did not work: ${code}`) : "");
      text(pay, busy ? "Paying…" : order.total_minor ? `Pay ${this.money(order.total_minor)}` : "Claim it");
      for (const button of [pay, back]) attr(button, "disabled", busy ? "" : null);
    });
  }

  /** One product of an order. */
  bought({ sku, quantity, unit_price_minor }) {
    const product = this.state.products[sku];
    return h("div", { class: "cell", "data-testid": "hold-line" }, thumb(product, 56), h("div", { class: "grow" },
      h("div", { class: "b clip", text: `${product ? titleOf(product) : sku}${quantity > 1 ? ` × ${quantity}` : ""}` }), h("b", { class: "sm n", text: this.money(unit_price_minor) })));
  }

  /** The cards of the test gateway. */
  cards() {
    const box = h("div", { class: "seg", role: "group", "aria-label": "Test card", "data-testid": "test-cards" });
    box.append(...TEST_CARDS.map(([token, label]) => h("button", { "aria-pressed": String(token === this.card), "data-testid": token, text: label, onclick: ({ currentTarget }) => {
      this.card = token;
      for (const other of box.children) attr(other, "aria-pressed", other === currentTarget);
    } })));
    return box;
  }

  /** One icon, one heading, one sentence, one primary, one ghost. `again` asks once more, at the price now. */
  outcome(code, detail, product, price_minor, again) {
    const found = outcomeOf(code, detail, product, product && price(price_minor, this.state.show.currency));
    const close = () => this.close();
    const act = found.again ? () => (close(), again()) : close;
    const half = (label, value, type = "") => h("div", { class: `grow ${type}` }, h("div", { class: "xs mut", text: label }), h("b", { class: "sm n", text: value }));
    const receipt = code === "paid" && detail.order && h("div", { class: "cell" }, half("Order", detail.order.id.slice(-8).toUpperCase()), half("Paid", this.money(detail.order.total_minor), "end"));
    text($("say-now"), `${found.title}. ${found.body}`);
    this.open("outcome", found.title, h("div", { class: "res", "data-testid": "result", "data-kind": code },
      h("span", { class: `disc ${found.tone ?? ""}` }, icon(found.icon)), h("h2", { text: found.title }), h("p", { class: "note", text: found.body }), receipt,
      h("div", { class: "acts" }, h("button", { class: "btn act xl", "data-testid": "result-primary", text: found.again || "Back to the show", onclick: act }),
        found.again && h("button", { class: "btn ghost t44", text: found.ghost, onclick: close }),
        receipt && h("button", { class: "btn ghost t44", "data-testid": "receipt", text: "Receipt", onclick: () => void this.page.receipt(detail.order) }),
        receipt && h("a", { class: "btn ghost t44", target: "_blank", rel: "noopener", "data-testid": "see-proof", href: `/verify/${encodeURIComponent(this.state.show.id)}/${detail.order.id}`, text: "See the proof" }))));
  }

  /** All products; those that are picked are held together. */
  bag() {
    const rows = h("ul", { class: "bag" });
    const foot = h("p", { class: "note" });
    const take = h("button", { class: "btn act xl", "data-testid": "hold-bag", onclick: () => this.page.takeBag(this.bagLines()) });
    const pick = { of: (sku) => this.picked.get(sku) ?? 0, add: (sku, units) => this.pick(sku, units) };
    const close = h("button", { class: "rib", "aria-label": "Close", onclick: () => this.close() }, icon("x"));
    const coupon = this.couponField();
    this.open("bag", "In this show", h("div", { "data-testid": "bag-sheet" }, h("div", { class: "split" }, h("h2", { text: "In this show" }), close), rows, coupon, take, foot), () => {
      productRows(rows, { state: this.state, page: this.page, size: 56, act: "", pick });
      const lines = this.bagLines();
      show(take, lines.length);
      const units = lines.reduce((sum, line) => sum + line.quantity, 0);
      text(take, `Hold ${units === 1 ? "1 item" : `${units} items`} for ${this.money(lines.reduce((sum, line) => sum + line.quantity * withCoupon(line.price_minor, this.page.coupon(), line.sku), 0))}`);
      text(foot, this.state.skus.length ? "Stock comes from the sale ledger." : "Nothing listed yet. The host adds products during the show.");
    });
  }

  /** Where a coupon's code is typed, or the one in use. */
  couponField() {
    const input = h("input", { class: "grow", maxlength: "64", autocomplete: "off", autocapitalize: "characters", placeholder: "Coupon", "aria-label": "Coupon code", "data-testid": "coupon-code" });
    const error = h("p", { class: "xs warnt", role: "alert", hidden: true, "data-testid": "coupon-error" });
    const used = h("b", { class: "grow sm", "data-testid": "coupon-used" });
    const form = h("form", { class: "row", onsubmit: async (event) => {
      event.preventDefault();
      maybe(error, await this.page.useCoupon(input.value));
      draw();
    } }, h("label", { class: "field grow" }, input), h("button", { class: "btn line t44", "data-testid": "coupon-go", text: "Use it" }));
    const row = h("div", { class: "row" }, used, h("button", { type: "button", class: "btn ghost t44", "data-testid": "coupon-drop", text: "Do without", onclick: () => (this.page.takeCoupon(null), draw()) }));
    const draw = () => {
      const coupon = this.page.coupon();
      show(form, !coupon);
      show(row, coupon);
      if (coupon) text(used, `${coupon.code} · ${coupon.percent_off === null ? this.money(coupon.amount_off_minor) : `${coupon.percent_off}%`} off ${coupon.skus ? "some of this" : "all of this"}`);
    };
    draw();
    return h("div", { class: "cpn" }, form, row, error);
  }

  pick(sku, units) {
    const picked = Math.max(0, (this.picked.get(sku) ?? 0) + units);
    if (!picked) this.picked.delete(sku);
    else if (this.picked.has(sku) || this.picked.size < LINES_MAX) this.picked.set(sku, picked);
    this.update();
  }

  /** What is picked, at the prices on screen. */
  bagLines() {
    const { products } = this.state;
    return [...this.picked].filter(([sku]) => products[sku]).map(([sku, quantity]) => ({ sku, quantity, price_minor: this.page.offer(products[sku]).price_minor }));
  }

  partnership() {
    const paid = Object.values(this.state.products).filter((product) => product.commission_bps > 0);
    this.open("paid", "Paid partnership", h("div", {}, h("h2", { text: "Paid partnership" }), h("p", { class: "sm mut", text: "The host earns a commission when you buy these. It does not change your price." }),
      ...paid.map((product) => h("div", { class: "cell" }, thumb(product, 48), h("div", { class: "grow" }, h("div", { class: "b sm clip", text: product.title }), h("div", { class: "xs mut clip", text: product.disclosure ?? product.seller ?? "" })), h("span", { class: "tag n", text: `${product.commission_bps / 100}%` }))),
      h("button", { class: "btn t44", text: "Got it", onclick: () => this.close() })));
  }

  keys() {
    this.open("keys", "Shortcuts", h("div", { class: "keymap" }, h("h2", { text: "Shortcuts" }), ...KEYS.map(([key, what]) => h("div", {}, h("span", { text: what }), h("kbd", { text: key })))));
  }
}
