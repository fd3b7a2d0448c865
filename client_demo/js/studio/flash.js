/** The flash dialog: its fields, and what happens if all sell. A window can be cut short, never made longer. */
import { newKey } from "../api.js";
import { $, attr, h, icon, ring, setRing, show, text } from "../dom.js";
import { countdown, minorDigits, money, price } from "../format.js";
import { cause } from "../tools.js";
import { parseMoney, symbol } from "../amount.js";

const DURATIONS = [[30, "30 s"], [60, "1 min"], [180, "3 min"], [300, "5 min"], [600, "10 min"]];
const STEEP_PERCENT = 70;

/**
 * What a flash price would do if everything sold. Pure; money in minor units.
 * @param {number} priceMinor @param {number} listMinor @param {number} quantity @param {number} commissionBps
 */
export function forecast(priceMinor, listMinor, quantity, commissionBps) {
  const takings = priceMinor * quantity;
  const commission = Math.round((takings * commissionBps) / 10_000);
  return { takings, commission, kept: takings - commission, givenUp: Math.max(0, listMinor - priceMinor) * quantity, percent: Math.round((1 - priceMinor / listMinor) * 100) };
}

/** A list price less a percentage, the reduction rounded down to a minor unit, as the server does it. */
export const reduced = (/** @type {number} */ listMinor, /** @type {number} */ percent) => listMinor - Math.floor((listMinor * percent) / 100);

/** What was typed for a price: "30 %" off, or an amount; null while it is neither. */
export function typedPrice(/** @type {string} */ typed, /** @type {string} */ currency) {
  const percent = /^\s*(\d{1,2})\s*%\s*$/.exec(typed);
  if (percent) return Number(percent[1]) ? { percent_off: Number(percent[1]) } : null;
  const minor = parseMoney(typed, currency);
  return minor ? { price_minor: minor } : null;
}

/**
 * How often a flash price comes, as the request body has it: {} once, null while it makes no sense. Its windows never meet.
 * @param {number | null} times in all @param {number | null} everyMin from start to start @param {number} lastsS with its announcement
 */
export function repetition(times, everyMin, lastsS) {
  if ((times ?? 1) === 1) return {};
  const every_s = (everyMin ?? 0) * 60;
  return times && times <= 100 && every_s > lastsS && every_s <= 86_400 ? { repeat: { every_s, times } } : null;
}

export class FlashDialog {
  /** @param {import("../feed.js").Feed} feed @param {{headers: () => Record<string, string>, started: (flash: any) => void}} page */
  constructor(feed, page) {
    this.feed = feed;
    this.page = page;
    this.dialog = /** @type {HTMLDialogElement} */ (/** @type {any} */ ($("dialog")));
  }

  /** @param {import("../types").Product} product */
  open(product) {
    const { currency } = this.feed.state.show;
    const unit = 10 ** minorDigits(currency);
    const suggested = Math.round((product.list_price_minor * 0.75) / unit) * unit || Math.round(product.list_price_minor * 0.75);
    this.product = product;
    this.duration = 180;
    const field = (/** @type {Record<string, any>} */ props) => h("input", { class: "n", autocomplete: "off", ...props, oninput: () => this.forecast() });
    this.price = field({ "data-testid": "flash-price", placeholder: "or 30%", "aria-label": "Flash price", value: String(suggested / unit) });
    this.quantity = field({ "data-testid": "flash-quantity", inputmode: "numeric", placeholder: "all", value: "" });
    this.each = field({ "data-testid": "flash-per-buyer", inputmode: "numeric", placeholder: "no limit", value: "" });
    this.announce = field({ "data-testid": "flash-announce", inputmode: "numeric", value: "0" });
    this.times = field({ "data-testid": "flash-times", inputmode: "numeric", value: "1" });
    this.every = field({ "data-testid": "flash-every", inputmode: "numeric", value: "15" });
    this.off = h("span", { class: "tag ok" });
    this.error = h("p", { class: "box bad", role: "alert", hidden: true, "data-testid": "flash-error" });
    this.startText = h("span", { text: "Start flash " });
    this.start = h("button", { class: "btn act grow t44", type: "submit", "data-testid": "flash-start" }, this.startText, h("kbd", { text: "Enter" }));
    const title = h("h2", { id: "flash-title", text: "Launch a flash price" });
    const head = h("div", { class: "row" }, h("img", { class: "th", src: product.image_url ?? "/static/assets/bag.svg", width: 56, height: 56, alt: "" }),
      h("div", { class: "grow" }, title, h("p", { class: "sm mut n", text: `${product.title} · regular ${price(product.list_price_minor, currency)} · ${product.left ?? "?"} left` })));
    const box = (/** @type {string} */ label, /** @type {HTMLElement} */ input, unitText = "", note = "") => h("label", { class: "lab" }, label, h("span", { class: "inp" }, input, unitText && h("span", { class: "u sm", text: unitText })), note && h("small", { text: note }));
    const left = h("div", { class: "l" }, head,
      h("div", { class: "g2" },
        h("label", { class: "lab" }, "Flash price", h("span", { class: "inp" }, h("span", { class: "u", text: symbol(currency) }), this.price, this.off)),
        h("div", { class: "lab" }, "Regular price", h("span", { class: "inp ro n" }, h("span", { class: "u", text: symbol(currency) }), String(product.list_price_minor / unit)), h("small", { text: product.reference_price_minor ? `Lowest in 30 days: ${price(product.reference_price_minor, currency)}. Only this is struck through` : "No 30-day record: nothing is struck through" }))),
      h("div", { class: "lab" }, "How long", this.durations(), h("small", { text: "Can be ended early. Cannot be made longer once it runs." })),
      h("div", { class: "g3" }, box("How many", this.quantity, product.left != null ? `of ${product.left}` : ""), box("Per buyer", this.each, "at most"), box("Announce first", this.announce, "s")),
      h("div", { class: "g2" }, box("How often", this.times, "times in all", "“How many” is for each time. Ending one ends those that follow."), box("Starts every", this.every, "min")),
      this.error, h("div", { class: "row" }, this.start, h("button", { class: "btn line t44", type: "button", onclick: () => this.dialog.close() }, "Cancel ", h("kbd", { text: "Esc" }))));
    this.calc = h("div", { class: "calc n" });
    this.check = h("div", { class: "box" });
    this.see = h("b");
    this.was = h("s", { class: "sm mut", "data-testid": "flash-was" });
    this.ring = ring();
    const seen = h("div", { class: "see", "data-theme": "dark" }, h("img", { class: "th", src: product.image_url ?? "/static/assets/bag.svg", width: 56, height: 56, alt: "" }),
      h("div", { class: "grow" }, h("div", { class: "kick" }, icon("bolt", true), "Flash price"), h("div", { class: "b clip", text: product.title }), h("div", { class: "price n" }, this.see, " ", this.was)), this.ring);
    this.whole = h("div", { class: "b" });
    const right = h("aside", { class: "r" }, h("div", {}, this.whole, h("div", { class: "xs mut", text: "Before shipping and tax" })), this.calc, this.check, h("span", { class: "grow" }), h("div", { class: "xs mut", text: "What viewers will see" }), seen);
    const form = h("form", { onsubmit: (/** @type {Event} */ event) => {
      event.preventDefault();
      void this.submit();
    } }, left, right);
    this.dialog.className = "dlg";
    attr(this.dialog, "aria-labelledby", "flash-title");
    this.dialog.replaceChildren(form);
    this.dialog.showModal();
    /** @type {any} */ (this.price).select();
    this.forecast();
  }

  durations() {
    const box = h("div", { class: "seg n", role: "group", "aria-label": "How long" });
    for (const [seconds, label] of DURATIONS) box.append(h("button", { type: "button", "data-testid": `flash-${seconds}s`, "aria-pressed": String(seconds === this.duration), text: label, onclick: (/** @type {any} */ event) => {
      this.duration = Number(seconds);
      for (const other of /** @type {any} */ (box.children)) attr(other, "aria-pressed", String(other === event.currentTarget));
      this.forecast();
    } }));
    return box;
  }

  /** What is typed, as the request body; null while it makes no sense. */
  typed() {
    const whole = (/** @type {any} */ input) => (input.value.trim() === "" ? null : /^\d{1,6}$/.test(input.value.trim()) ? Number(input.value) : NaN);
    const asked = typedPrice(/** @type {any} */ (this.price).value, this.feed.state.show.currency);
    const [quantity, per_viewer_max, starts_in_s, times, every] = [this.quantity, this.each, this.announce, this.times, this.every].map(whole);
    const repeat = repetition(times, every, this.duration + (starts_in_s ?? 0));
    if (!asked || !repeat || [quantity, per_viewer_max, starts_in_s, times, every].some(Number.isNaN)) return null;
    return { sku: this.product.sku, ...asked, duration_s: this.duration, ...(starts_in_s ? { starts_in_s } : {}), ...(quantity ? { quantity } : {}), ...(per_viewer_max ? { per_viewer_max } : {}), ...repeat };
  }

  forecast() {
    const { product } = this;
    const { currency } = this.feed.state.show;
    const body = this.typed();
    this.confirm = false;
    text(this.startText, "Start flash ");
    show(this.error, false);
    const minor = !body ? 0 : "price_minor" in body ? body.price_minor : reduced(product.list_price_minor, body.percent_off);
    const lower = body && minor < product.list_price_minor;
    attr(this.start, "disabled", lower ? null : "");
    show(this.off, Boolean(lower));
    setRing(this.ring, countdown(this.duration * 1000), 1, "", "");
    if (!body || !lower) {
      attr(this.check, "class", "box warn");
      return text(this.check, body ? "A flash price lies below the regular price." : "Fill in a price, and how often: 1 to 100 times, each over before the next.");
    }
    const times = body.repeat?.times ?? 1;
    const quantity = Math.min((body.quantity ?? Infinity) * times, product.left ?? body.quantity ?? 1);
    const sum = forecast(minor, product.list_price_minor, quantity, product.commission_bps ?? 0);
    text(this.off, `${sum.percent}% off`);
    text(this.see, price(minor, currency));
    const was = /** @type {import("../types").Product} */ (this.product).reference_price_minor;
    text(this.was, was && was > minor ? price(was, currency) : "");
    text(this.whole, `If all ${quantity} sell${times > 1 ? `, in ${times} windows` : ""}`);
    const line = (/** @type {string} */ label, /** @type {string} */ value, cls = "") => h("div", { class: cls }, h("span", { text: label }), h("b", { text: value }));
    this.calc.replaceChildren(line(`Takings, ${quantity} × ${price(minor, currency)}`, money(sum.takings, currency)),
      line(`Commission, ${(product.commission_bps ?? 0) / 100}%`, `−${money(sum.commission, currency)}`), line("Seller keeps", money(sum.kept, currency), "t"),
      line("At the regular price", money(product.list_price_minor * quantity, currency)), line("Given up", `−${money(sum.givenUp, currency)}`));
    attr(this.check, "class", sum.percent > STEEP_PERCENT ? "box warn" : "box ok");
    text(this.check, sum.percent > STEEP_PERCENT ? `${sum.percent}% off is a lot. Check the price once more.` : "The server checks the seller’s floor when you start.");
  }

  async submit() {
    const body = this.typed();
    if (!body || this.busy) return;
    this.busy = true;
    try {
      const flash = await this.feed.api.call("POST", "/flash", { body: this.confirm ? { ...body, confirm: true } : body, key: newKey(), headers: this.page.headers() });
      this.dialog.close();
      this.page.started(flash);
    } catch (error) {
      this.confirm = /** @type {any} */ (error).code === "confirm_required";
      text(this.error, this.confirm ? this.mayCost(/** @type {any} */ (error).body) : cause(error));
      text(this.startText, this.confirm ? "Start anyway " : "Start flash ");
      show(this.error, true);
    }
    this.busy = false;
  }

  /** What the server says that the price may cost, before it is confirmed. */
  mayCost(/** @type {any} */ { units, windows, given_up_minor, loss_minor }) {
    const { currency } = this.feed.state.show;
    const loss = loss_minor ? ` and lose ${money(loss_minor, currency)} on what they cost` : "";
    return `If all ${units} sell${windows > 1 ? ` in ${windows} windows` : ""}, you give up ${money(given_up_minor, currency)}${loss}. Press again to start it anyway.`;
  }
}
