/**
 * Buying: one tap is one idempotency key, kept until the server has answered, sent again with the same key after a network
 * failure or a reload. Nothing is "yours" before the server has said so.
 */
import { kept, newKey, Offline, Problem, sleep, unanswered } from "../api.js";
import { ownUnits } from "../store.js";
import { WORDS } from "../words.js";

/** A spinner before this would only flicker. */
const SPINNER_MS = 300;
const STILL_MS = 3_000;
const RETRY_MS = 600;
const RETRY_MAX_MS = 5_000;

/**
 * What the Buy button says, whether it can be pressed, and the sentence above it. Pure.
 * @param {{state: import("../types").State, product: import("../types").Product, offer: import("../types").Offer, online: boolean,
 *   askedMs: number | null, holdMs: number | null, mayBuy: boolean}} now `askedMs`: time since the tap that waits for its
 *   answer; `holdMs`: time left of an own open hold of this product
 * @returns {{label: string, enabled: boolean, spinner: boolean, note: string, soldOut: boolean}}
 */
export function buyButton({ state, product, offer, online, askedMs, holdMs, mayBuy }) {
  const { show } = state;
  const gone = product.left == null ? Boolean(product.sold_out) : product.left <= 0;
  const off = (/** @type {string} */ label, note = "", soldOut = false) => ({ label, enabled: false, spinner: false, note, soldOut });
  const ready = { label: WORDS.buy(offer.price_minor, show.currency), enabled: true, spinner: false, note: "", soldOut: false };
  if (askedMs !== null) {
    if (askedMs < SPINNER_MS) return { ...ready, enabled: false };
    return { ...off(askedMs > STILL_MS ? WORDS.stillAsking : WORDS.asking), spinner: true };
  }
  if (holdMs !== null) return { ...ready, label: WORDS.finish(holdMs) };
  if (show.state === "ended") return off(WORDS.showEnded);
  if (show.state === "scheduled") return off(WORDS.notStarted);
  if (!online) return off(WORDS.waiting);
  if (gone) return off(WORDS.soldOut, product.held ? WORDS.cameBack : "", true);
  if (show.state === "paused") return off(WORDS.showPaused, WORDS.pausedText);
  if (show.sales_paused) return off(WORDS.salesArePaused, WORDS.moderatorCheck);
  const own = ownUnits(state, product.sku);
  const flashMax = offer.flash?.phase === "running" ? (product.flash?.per_viewer_max ?? null) : null;
  const limits = [product.per_viewer_max, flashMax].filter((limit) => limit != null && limit > 0);
  const limit = limits.length ? Math.min(.../** @type {number[]} */ (limits)) : null;
  if (limit !== null && own >= limit) return off(WORDS.limit(own, limit), WORDS.limitRule(limit));
  return mayBuy ? ready : off(WORDS.buyersClosed);
}

export class Buying {
  /**
   * @param {import("../feed.js").Feed} feed
   * @param {{draw: () => void, held: (order: any) => void, result: (kind: string, detail: any) => void}} page
   */
  constructor(feed, page) {
    this.feed = feed;
    this.page = page;
    this.slot = `vendue:tap:${feed.api.show}`;
    /** @type {{key: string, sku: string, quantity: number, price_minor: number, at: number} | null} */
    this.tap = JSON.parse(kept.get(this.slot) ?? "null");
    if (this.tap) this.tap.at = performance.now();
    /** @type {{order: string, note: string} | null} */
    this.paying = null;
    this.settling = false;
  }

  /** Time since the tap for this product that waits for its answer, or null. @param {string} sku */
  askedMs(sku) {
    return this.tap?.sku === sku ? performance.now() - this.tap.at : null;
  }

  /** Asks for one unit at the price that the buyer sees. @param {string} sku @param {number} price_minor */
  async ask(sku, price_minor) {
    if (this.tap) return;
    this.tap = { key: newKey(), sku, quantity: 1, price_minor, at: performance.now() };
    kept.set(this.slot, JSON.stringify(this.tap));
    for (const later of [0, SPINNER_MS + 10, STILL_MS + 10]) setTimeout(this.page.draw, later);
    await this.settleTap();
  }

  /** After a reload or a lost connection: what became of the tap before it, and how the own orders stand. */
  async resume() {
    if (this.tap) return this.settling ? undefined : this.settleTap();
    if (!this.feed.api.token) return;
    try {
      const { orders } = await this.feed.api.call("GET", "/api/v1/me/orders");
      this.feed.take(...orders);
    } catch {
      // holds come with the next update of theirs; buying itself does not need this
    }
  }

  async settleTap() {
    this.settling = true;
    const tap = /** @type {NonNullable<Buying["tap"]>} */ (this.tap);
    const body = { sku: tap.sku, quantity: tap.quantity, price_minor: tap.price_minor };
    try {
      const order = await this.insist("/orders", body, tap.key);
      this.forget();
      this.feed.take(order);
      this.page.held(order);
    } catch (error) {
      this.forget();
      const problem = /** @type {any} */ (error);
      this.page.result(problem.code ?? "refused", { ...problem.body, sku: tap.sku });
    }
    this.page.draw();
  }

  forget() {
    this.settling = false;
    this.tap = null;
    kept.set(this.slot, null);
  }

  /**
   * Sends until there is an answer, always with the same key. Throws the refusal.
   * @param {string} path @param {any} body @param {string} key
   */
  async insist(path, body, key) {
    for (let wait = RETRY_MS; ; wait = Math.min(RETRY_MAX_MS, wait * 2)) {
      try {
        return await this.feed.api.call("POST", path, { body, key });
      } catch (error) {
        if (!unanswered(error) || /** @type {any} */ (error).code === "payment_unknown") throw error;
        await sleep(error instanceof Problem ? Math.max(wait, error.retryAfterMs) : wait);
      }
    }
  }

  /** @param {import("../types").Order} order @param {string} payment_token */
  async pay(order, payment_token) {
    if (this.paying?.order === order.id && !this.paying.note) return;
    this.paying = { order: order.id, note: "" };
    this.page.draw();
    let note = "";
    try {
      const answer = await this.insist(`/orders/${order.id}/pay`, { payment_token }, newKey());
      this.feed.take(answer.id ? answer : { ...order, state: answer.state, seq: order.seq });
      if (answer.state === "paying") note = "slow";
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      if (error.code === "hold_expired") this.page.result("hold_expired", { sku: order.sku });
      else note = error.code;
    }
    this.paying = note ? { order: order.id, note } : null;
    this.page.draw();
  }

  /** Gives a hold back. @param {import("../types").Order} order */
  async giveBack(order) {
    try {
      this.feed.take(await this.insist(`/orders/${order.id}/cancel`, {}, newKey()));
    } catch (error) {
      if (error instanceof Offline) throw error;
      this.paying = { order: order.id, note: /** @type {any} */ (error).code };
    }
    this.page.draw();
  }
}
