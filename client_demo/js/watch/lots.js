/** The lot of an auction on the watch page: where it stands, how long it lasts, one tap to bid, a maximum for those who want to leave. */
import { parseMoney, symbol } from "../amount.js";
import { newKey } from "../api.js";
import { $, attr, flag, h, icon, maybe, ring, setRing, show, text } from "../dom.js";
import { countdown, minorDigits, price } from "../format.js";
import { lotLeft } from "../pricing.js";
import { NO_IMAGE } from "./rows.js";

const WARN_MS = 10_000;
/** How long the card stays to say how the lot ended. */
const OVER_SHOWN_MS = 8_000;

/** The lot that the card shows: the open one that ends first, else the one that ended last. Pure. */
export function shownLot(lots, show, now) {
  const open = lots.filter((lot) => lotLeft(show, lot, now) > 0).sort((a, b) => a.ends_sale_ms - b.ends_sale_ms);
  return open[0] ?? lots.filter((lot) => lot.state !== "open").at(-1) ?? null;
}

/** What the card says of a lot: a word over it, a sentence under it, the label of the button, may it be pressed. Pure. */
export function lotWords({ lot, left, me, currency, may, paused }) {
  const amount = lot.price_minor == null ? "" : price(lot.price_minor, currency);
  const mine = lot.leader !== null && lot.leader === me;
  if (lot.state === "cancelled") return { kick: "Auction taken back", note: lot.reason ?? "", button: "", enabled: false };
  if (lot.state === "closed") return { kick: "Auction over", note: !lot.leader ? "Nobody bid." : mine ? `It is yours for ${amount}. Held for you, pay below.` : `Sold for ${amount}.`, button: "", enabled: false };
  if (left <= 0) return { kick: "Auction over", note: "Counting the last bids…", button: "", enabled: false };
  const bids = lot.bids === 1 ? "1 bid" : `${lot.bids} bids`;
  const note = mine ? `You lead with ${amount}. You pay only what beats the next one.` : lot.leader ? `Another bidder leads with ${amount}.` : `Starts at ${price(lot.start_minor, currency)}.`;
  const kick = paused ? "Auction, timer paused" : `Auction · ${bids}`;
  if (!may) return { kick, note, button: "Bidding is not open to you", enabled: false };
  return { kick, note, button: mine ? "Raise my maximum" : `Bid ${price(lot.next_minor, currency)}`, enabled: !paused };
}

export class LotCard {
  /** @param feed @param page `{draw}` */
  constructor(feed, page) {
    this.feed = feed;
    this.page = page;
    this.asking = false;
    this.overAt = { id: "", at: 0 };
    this.image = h("img", { class: "th", width: 76, height: 76, alt: "" });
    this.kick = h("span");
    this.title = h("h2", { class: "clip", "data-testid": "lot-title" });
    this.amount = h("b", { "data-testid": "lot-price" });
    this.ring = ring();
    this.note = h("p", { class: "xs mut", role: "status", "data-testid": "lot-note" });
    this.error = h("p", { class: "xs warnt", role: "alert", "data-testid": "lot-error", hidden: true });
    this.button = h("button", { class: "btn act xl", "data-testid": "bid", onclick: () => this.tap() });
    this.more = h("button", { class: "btn ghost t44", "data-testid": "bid-more", text: "Set a maximum", onclick: () => this.openMaximum() });
    this.input = h("input", { class: "n", inputmode: "decimal", autocomplete: "off", "aria-label": "The most you would pay", "data-testid": "bid-max" });
    this.unit = h("span", { class: "mut" });
    this.form = h("form", { class: "maxf row", hidden: true, onsubmit: (event) => this.submit(event) },
      h("label", { class: "field grow" }, this.unit, this.input), h("button", { class: "btn act t44", "data-testid": "bid-max-go", text: "Bid up to" }));
    this.card = h("article", { class: "pin lot", "data-testid": "lot-card", "aria-label": "Auction" }, this.image,
      h("div", { class: "grow" }, h("div", { class: "kick" }, icon("gavel"), this.kick), this.title, h("div", { class: "price n" }, this.amount)),
      this.ring, this.note, this.error, this.button, this.form, this.more);
    $("pin").before(this.card);
  }

  /** `pinned`: the product of the pin card, which gives way to a lot of the same product. */
  draw(pinned) {
    const { lots, show: now, products } = this.feed.state;
    const lot = shownLot(Object.values(lots), now, this.feed.now());
    const visible = this.isFresh(lot);
    show(this.card, visible);
    flag(this.card, "same", visible && lot.sku === pinned?.sku);
    if (!visible) return;
    this.lot = lot;
    const product = products[lot.sku];
    const left = lotLeft(now, lot, this.feed.now());
    const words = lotWords({ lot, left, me: this.feed.live.hello?.pid, currency: now.currency, may: this.feed.live.hello?.may?.includes("buy") ?? true, paused: now.frozen });
    attr(this.image, "src", product?.image_url || NO_IMAGE);
    text(this.kick, words.kick);
    text(this.title, product?.title ?? lot.sku);
    text(this.amount, price(lot.price_minor ?? lot.start_minor, now.currency));
    show(this.ring, left > 0);
    setRing(this.ring, countdown(left), left / 60_000, now.frozen ? "pause" : left <= WARN_MS ? "warn" : "", `${countdown(left)} left to bid`);
    maybe(this.note, words.note);
    text(this.button, this.asking ? "Bidding…" : words.button);
    show(this.button, words.button && this.form.hidden);
    attr(this.button, "disabled", words.enabled && !this.asking ? null : "");
    show(this.more, words.enabled && this.form.hidden && lot.leader !== this.feed.live.hello?.pid);
    if (!words.enabled) show(this.form, false);
  }

  /** An ended lot stays for some seconds; one that a snapshot told of is not news. */
  isFresh(lot) {
    if (!lot) return false;
    if (lot.state === "open") return true;
    if (this.overAt.id !== lot.id) this.overAt = { id: lot.id, at: performance.now() };
    return performance.now() - this.overAt.at < OVER_SHOWN_MS;
  }

  tap() {
    if (this.lot.leader === this.feed.live.hello?.pid) this.openMaximum();
    else void this.bid(this.lot.next_minor);
  }

  openMaximum() {
    const { currency } = this.feed.state.show;
    text(this.unit, symbol(currency));
    this.input.value = String(this.lot.next_minor / 10 ** minorDigits(currency));
    show(this.form, true);
    this.page.draw();
    this.input.select();
    this.input.focus();
  }

  submit(event) {
    event.preventDefault();
    const { currency } = this.feed.state.show;
    const minor = parseMoney(this.input.value, currency);
    if (!minor) return this.say("Type an amount.");
    show(this.form, false);
    void this.bid(minor);
  }

  say(words) {
    maybe(this.error, words);
    this.page.draw();
  }

  /** One bid has one key; asked again with it after silence, so it counts once. */
  async bid(max_minor) {
    if (this.asking) return;
    const { id } = this.lot;
    const key = newKey();
    this.asking = true;
    this.say("");
    try {
      const ask = () => this.feed.api.call("POST", `/lots/${id}/bids`, { body: { max_minor }, key });
      const { leading, lot } = await ask().catch((error) => (error.code ? Promise.reject(error) : ask()));
      if (!leading) this.say(`Somebody had a higher maximum. The next bid is ${price(lot.next_minor, this.feed.state.show.currency)}.`);
    } catch (error) {
      const words = { bid_too_low: () => `Somebody was faster. The next bid is ${price(error.body.next_minor, this.feed.state.show.currency)}.`, lot_closed: () => "The auction was over. Your bid did not count.", own_lot: () => "Who runs the show does not bid in it." };
      this.say(words[error.code]?.() ?? error.message ?? "No answer. Try again.");
    }
    this.asking = false;
    this.page.draw();
  }
}
