/** A draw on the watch page: what may be won at which price, how long one may enter, one tap to enter, and how it ended. */
import { $, attr, flag, h, icon, maybe, ring, setRing, show, text } from "../dom.js";
import { countdown, price } from "../format.js";
import { lotLeft } from "../pricing.js";
import { NO_IMAGE } from "./rows.js";

const WARN_MS = 5_000;
/** How long the card stays to say how the draw ended. */
const OVER_SHOWN_MS = 10_000;

/** What the card says of a draw: a word over it, a sentence under it, the label of the button, may it be pressed. Pure. */
export function drawWords({ draw, left, me, entered, currency, may, paused }) {
  const kick = draw.units === 1 ? "Draw for one" : `Draw for ${draw.units}`;
  const say = (note, button = "", enabled = false, over = kick) => ({ kick: over, note, button, enabled });
  const among = draw.entries === 1 ? "1 person" : `${draw.entries} people`;
  if (draw.state === "cancelled") return say(draw.reason ?? "", "", false, "Draw taken back");
  if (draw.state === "drawn" && draw.winners.includes(me)) return say(draw.price_minor ? `You have one for ${price(draw.price_minor, currency)}. Held for you, pay below.` : "You have one. Held for you, claim it below.", "", false, "Draw over");
  if (draw.state === "drawn") return say(`${draw.winners.length} of ${among} got one.${entered ? " Not you this time." : ""}`, "", false, "Draw over");
  if (draw.state === "closed" || left <= 0) return say("Drawing among all who entered…", "", false, "Draw over");
  const chance = "Early or late, everybody who enters has the same chance.";
  if (!may) return say(chance, "Draws are not open to you");
  if (entered) return say(`${chance} Drawn at the end.`, "You are in");
  return say(chance, draw.price_minor ? `Enter, to buy for ${price(draw.price_minor, currency)}` : "Enter, it is free", !paused);
}

export class DrawCard {
  /** @param feed @param page `{draw}` */
  constructor(feed, page) {
    this.feed = feed;
    this.page = page;
    this.asking = false;
    this.overAt = { id: "", at: 0 };
    this.image = h("img", { class: "th", width: 76, height: 76, alt: "" });
    this.kick = h("span");
    this.title = h("h2", { class: "clip", "data-testid": "draw-title" });
    this.amount = h("b", { "data-testid": "draw-price" });
    this.ring = ring();
    this.note = h("p", { class: "xs mut", role: "status", "data-testid": "draw-note" });
    this.error = h("p", { class: "xs warnt", role: "alert", "data-testid": "draw-error", hidden: true });
    this.button = h("button", { class: "btn act xl", "data-testid": "enter", onclick: () => void this.enter() });
    this.card = h("article", { class: "pin lot", "data-testid": "draw-card", "aria-label": "Draw" }, this.image,
      h("div", { class: "grow" }, h("div", { class: "kick" }, icon("seal"), this.kick), this.title, h("div", { class: "price n" }, this.amount)),
      this.ring, this.note, this.error, this.button);
    $("pin").before(this.card);
  }

  /** `pinned`: the product of the pin card, which gives way to a draw of the same product. */
  draw(pinned) {
    const { draws, entered, show: now, products } = this.feed.state;
    const open = Object.values(draws);
    const draw = open.filter(({ state }) => state === "open").sort((a, b) => a.ends_sale_ms - b.ends_sale_ms)[0] ?? open.at(-1);
    const visible = this.isFresh(draw);
    show(this.card, visible);
    flag(this.card, "same", visible && draw.sku === pinned?.sku);
    if (!visible) return;
    this.shown = draw;
    const product = products[draw.sku];
    const left = lotLeft(now, draw, this.feed.now());
    const words = drawWords({ draw, left, me: this.feed.live.hello?.pid, entered: entered[draw.id], currency: now.currency, may: this.feed.live.hello?.may?.includes("buy") ?? true, paused: now.frozen });
    attr(this.image, "src", product?.image_url || NO_IMAGE);
    text(this.kick, words.kick);
    text(this.title, product?.title ?? draw.sku);
    text(this.amount, draw.price_minor ? price(draw.price_minor, now.currency) : "Free");
    show(this.ring, left > 0);
    setRing(this.ring, countdown(left), left / 60_000, now.frozen ? "pause" : left <= WARN_MS ? "warn" : "", `${countdown(left)} left to enter`);
    maybe(this.note, words.note);
    text(this.button, this.asking ? "Entering…" : words.button);
    show(this.button, words.button);
    flag(this.button, "act", words.enabled);
    attr(this.button, "disabled", words.enabled && !this.asking ? null : "");
  }

  /** A draw that is over stays for some seconds. */
  isFresh(draw) {
    if (!draw) return false;
    if (draw.state === "open" || draw.state === "closed") return true;
    if (this.overAt.id !== draw.id) this.overAt = { id: draw.id, at: performance.now() };
    return performance.now() - this.overAt.at < OVER_SHOWN_MS;
  }

  /** Asked again after silence: one enters once, however often one asks. */
  async enter() {
    if (this.asking) return;
    const { id } = this.shown;
    const ask = () => this.feed.api.call("POST", `/draws/${id}/entries`, { body: {} });
    this.asking = true;
    maybe(this.error, "");
    this.page.draw();
    try {
      await ask().catch((error) => (error.code ? Promise.reject(error) : ask()));
      this.feed.entered(id);
    } catch (error) {
      const words = { draw_closed: "The draw was over.", own_draw: "Who runs the show does not enter its draws.", limit_reached: "You have as many of these as one may have.", sales_paused: "Sales are paused." };
      maybe(this.error, words[error.code] ?? error.message ?? "No answer. Try again.");
    }
    this.asking = false;
    this.page.draw();
  }
}
