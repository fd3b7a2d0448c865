/**
 * Buying, loaded with the first tap: one tap is one idempotency key, kept until the server has answered, sent again with the
 * same key after a network failure or a reload. Nothing is "yours" before the server has said so.
 */
import { kept, newKey, Offline, Problem, sleep } from "../api.js";
import { SPINNER_MS, STILL_MS } from "./button.js";
import { Sheets } from "./sheets.js";

const RETRY_MS = 600;
const RETRY_MAX_MS = 5_000;

/** Is it worth asking again with the same key? */
const unanswered = (error) => error instanceof Offline || ((error.status === 429 || error.status >= 500) && error.code !== "payment_unknown");

export class Sale {
  /** `page`: draw, offer(product), button(product), buy(sku). */
  constructor(feed, page, slot) {
    this.feed = feed;
    this.page = page;
    this.slot = slot;
    this.sheets = new Sheets(feed, { ...page, pay: (order, token) => this.pay(order, token), giveBack: (order) => this.giveBack(order), takeBag: (lines) => this.hold(lines), useCoupon: (code) => this.useCoupon(code), receipt: (order) => this.receipt(order), payNote: (order) => (this.paying?.id === order.id ? this.paying.note : null) });
    /** The tap that waits for its answer: {key, lines: [{sku, quantity, price_minor}], at}. */
    this.tap = JSON.parse(kept.get(slot) ?? "null");
    /** The order being paid, and what the last attempt said. */
    this.paying = null;
    if (this.tap) {
      this.tap.at = performance.now();
      void this.settleTap();
    }
  }

  /** Asks for one unit at the price that the buyer sees. */
  ask(sku, price_minor) {
    this.hold([{ sku, quantity: 1, price_minor }]);
  }

  /** Asks for several, as one order: all of them or none. A coupon goes with what it is for. */
  hold(lines) {
    if (this.tap || !lines.length) return;
    const { code, skus } = this.page.coupon() ?? {};
    const coupon = code && lines.some(({ sku }) => skus === null || skus.includes(sku)) ? { coupon: code } : {};
    this.tap = { key: newKey(), lines, coupon, at: performance.now() };
    kept.set(this.slot, JSON.stringify(this.tap));
    for (const later of [0, SPINNER_MS + 10, STILL_MS + 10]) setTimeout(this.page.draw, later);
    void this.settleTap();
  }

  async settleTap() {
    const { key, lines, coupon } = this.tap;
    const several = lines.length > 1;
    try {
      const order = await this.insist("/orders", { ...(several ? { lines } : lines[0]), ...coupon }, key);
      this.forget();
      for (const { sku } of lines) this.sheets.picked.delete(sku);
      this.feed.take(order);
      if (order.state === "held" || order.state === "open") this.sheets.hold(order);
    } catch (error) {
      this.forget();
      if (error.code?.includes("coupon")) this.page.takeCoupon(null);
      this.refused(error.code ?? "refused", { sku: lines[0].sku, ...error.body, several });
    }
    this.page.draw();
  }

  forget() {
    this.tap = null;
    kept.set(this.slot, null);
  }

  /** Sends until there is an answer, always with the same key. Throws the refusal. */
  async insist(path, body, key) {
    for (let wait = RETRY_MS; ; wait = Math.min(RETRY_MAX_MS, wait * 2)) {
      try {
        return await this.feed.api.call("POST", path, { body, key });
      } catch (error) {
        if (!unanswered(error)) throw error;
        await sleep(Math.max(wait, error.retryAfterMs ?? 0));
      }
    }
  }

  async pay(order, payment_token) {
    if (this.paying?.id === order.id && !this.paying.note) return;
    const say = (note) => {
      this.paying = note === null ? null : { id: order.id, note };
      this.page.draw();
    };
    say("");
    try {
      const answer = await this.insist(`/orders/${order.id}/pay`, { payment_token }, newKey());
      if (answer.id) this.feed.take(answer);
      if (answer.next_action) location.assign(answer.next_action); // the bank, or the page where a card is typed
      say(answer.state === "paying" ? "slow" : null);
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      say(error.code === "hold_expired" ? null : error.code);
      if (error.code === "hold_expired") this.refused("hold_expired", { sku: order.lines[0].sku });
    }
  }

  /** Opens the receipt, which only this buyer may read. */
  async receipt(order) {
    const { api } = this.feed;
    const tab = window.open("", "_blank"); // at once: a browser opens nothing later
    const response = await fetch(`/api/v1/shows/${encodeURIComponent(api.show)}/orders/${order.id}/receipt`, { headers: api.bearer() }).catch(() => null);
    if (!tab || !response?.ok) return void tab?.close();
    tab.location.replace(URL.createObjectURL(await response.blob()));
  }

  async giveBack(order) {
    try {
      this.feed.take(await this.insist(`/orders/${order.id}/cancel`, {}, newKey()));
    } catch (error) {
      this.paying = { id: order.id, note: error.code ?? "refused" };
      this.page.draw();
    }
  }

  /** Follows the order whose sheet is open to its end. */
  follow(orders) {
    const order = orders[this.sheets.holdId];
    const ends = { paid: "paid", expired: "hold_expired", cancelled: "given_back", refund_due: "hold_expired" };
    if (this.sheets.kind === "hold" && ends[order?.state]) this.refused(ends[order.state], { sku: order.lines[0].sku, order });
  }

  /** Asks what a coupon is worth, and buys with it from now on. → why not, or "" @param {string} code */
  async useCoupon(code) {
    try {
      const told = await this.feed.api.call("GET", `/coupons/${encodeURIComponent(code.trim())}`);
      if (told.over) return "That coupon is over.";
      this.page.takeCoupon(told);
      return "";
    } catch (error) {
      return error.code === "unknown_coupon" ? "There is no such coupon in this show." : (error.message ?? "No answer. Try again.");
    }
  }

  /** How an order or a tap ended, in words. */
  refused(code, detail) {
    const product = this.feed.state.products[detail.sku];
    const price_minor = detail.price_minor ?? (product && this.page.offer(product).price_minor);
    this.sheets.outcome(code, detail, product, price_minor, () => (detail.several ? this.sheets.bag() : this.ask(detail.sku, price_minor)));
  }
}
