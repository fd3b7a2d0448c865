/** Draws in the studio: open one for units of a product, see how long it lasts, take it back with a reason. */
import { parseMoney, symbol } from "../amount.js";
import { newKey } from "../api.js";
import { $, attr, h, list, show, text } from "../dom.js";
import { countdown, minorDigits, money, price } from "../format.js";
import { lotLeft } from "../pricing.js";
import { attempt, cause } from "../tools.js";

const DURATIONS = [[10, "10 s"], [30, "30 s"], [60, "1 min"], [300, "5 min"]];
const UNITS_MAX = 200;

export class Draws {
  /** @param {import("../feed.js").Feed} feed @param {{headers: () => Record<string, string>}} page */
  constructor(feed, page) {
    this.feed = feed;
    this.page = page;
    this.dialog = /** @type {HTMLDialogElement} */ (/** @type {any} */ ($("dialog")));
    this.rows = h("div", { class: "lots", "data-testid": "draws", hidden: true });
    $("now").append(this.rows);
  }

  /** The draws that are not over, below what is on screen. */
  draw() {
    const { state } = this.feed;
    const open = Object.values(state.draws).filter(({ state }) => state === "open" || state === "closed");
    show(this.rows, open.length > 0);
    list(this.rows, open, ({ id }) => id, (draw) => h("div", { class: "row", "data-testid": "draw-row" },
      h("div", { class: "grow" }, h("div", { class: "b clip sm" }), h("div", { class: "xs mut n" })),
      h("button", { class: "btn line s", text: "Take back", "data-testid": "draw-cancel", onclick: () => this.askReason(draw) })), (row, draw) => {
      const [title, words] = row.firstElementChild.children;
      text(title, `Draw: ${state.products[draw.sku]?.title ?? draw.sku}`);
      const amount = draw.price_minor ? price(draw.price_minor, state.show.currency) : "free";
      text(words, `${countdown(lotLeft(state.show, draw, this.feed.now()))} · ${draw.units} × ${amount}`);
    });
  }

  /** @param {import("../types").Product} product */
  open(product) {
    const { currency } = this.feed.state.show;
    const unit = 10 ** minorDigits(currency);
    let duration_s = 30;
    let confirm = false;
    const key = newKey();
    const units = /** @type {any} */ (h("input", { class: "n", type: "number", min: "1", max: String(Math.min(UNITS_MAX, product.left ?? UNITS_MAX)), value: "1", "data-testid": "draw-units" }));
    const amount = /** @type {any} */ (h("input", { class: "n", inputmode: "decimal", autocomplete: "off", "data-testid": "draw-amount", value: String(product.list_price_minor / unit) }));
    const error = h("p", { class: "box bad", role: "alert", hidden: true, "data-testid": "draw-refused" });
    const go = h("button", { class: "btn act t44", "data-testid": "draw-open", text: "Open the draw" });
    const times = h("div", { class: "seg", role: "group" });
    times.append(...DURATIONS.map(([value, label]) => h("button", { type: "button", "aria-pressed": String(value === duration_s), text: label, onclick: (/** @type {any} */ { currentTarget }) => {
      duration_s = Number(value);
      for (const other of times.children) attr(other, "aria-pressed", String(other === currentTarget));
    } })));
    const say = (/** @type {string} */ words) => (text(error, words), show(error, true));
    const submit = async (/** @type {Event} */ event) => {
      event.preventDefault();
      const typed = amount.value.trim();
      const price_minor = Number(typed) === 0 && typed ? 0 : parseMoney(typed, currency);
      if (price_minor === null || price_minor === undefined) return say("Type a price, or 0 to give it away.");
      try {
        await this.feed.api.call("POST", "/draws", { body: { sku: product.sku, units: Number(units.value), price_minor, duration_s, confirm }, key: confirm ? newKey() : key, headers: this.page.headers() });
        this.dialog.close();
      } catch (refused) {
        const { code, body } = /** @type {any} */ (refused);
        if (code !== "confirm_required") return say(cause(refused));
        confirm = true;
        text(go, "Yes, open the draw");
        say(`This gives up ${money(body.given_up_minor, currency)} for ${body.units === 1 ? "one" : body.units}${body.loss_minor ? `, ${money(body.loss_minor, currency)} below what they cost` : ""}. Press again to do it.`);
      }
    };
    for (const field of [units, amount]) field.oninput = () => (confirm = false, text(go, "Open the draw"));
    this.dialog.className = "dlg slim";
    this.dialog.replaceChildren(h("form", { onsubmit: submit }, h("div", { class: "l" },
      h("div", {}, h("h2", { text: `Draw ${product.title}` }), h("p", { class: "sm mut", text: "Everybody who enters in time has the same chance. The seed is committed to now and told at the end, so anybody can repeat the draw." })),
      h("label", { class: "lab" }, "How many", h("span", { class: "inp" }, units)),
      h("label", { class: "lab" }, "Price for who wins (0: a giveaway)", h("span", { class: "inp" }, h("span", { class: "u", text: symbol(currency) }), amount)),
      h("div", { class: "lab" }, "How long one may enter", times),
      error, go)));
    this.dialog.showModal();
    units.select();
  }

  /** @param {{id: string}} draw */
  askReason(draw) {
    const field = h("input", { maxlength: "280", "data-testid": "draw-reason", "aria-label": "Reason" });
    const submit = async (/** @type {Event} */ event) => {
      event.preventDefault();
      const reason = /** @type {any} */ (field).value.trim();
      if (!reason) return;
      this.dialog.close();
      await attempt(() => this.feed.api.call("POST", `/draws/${draw.id}/cancel`, { body: { reason }, key: newKey() }));
    };
    this.dialog.className = "dlg slim";
    this.dialog.replaceChildren(h("form", { onsubmit: submit }, h("div", { class: "l" },
      h("div", {}, h("h2", { text: "Take the draw back?" }), h("p", { class: "sm mut", text: "Nobody wins, and everybody reads why." })),
      h("label", { class: "lab" }, "Reason", h("span", { class: "inp" }, field)), h("button", { class: "btn stop t44", "data-testid": "draw-cancel-yes", text: "Take it back" }))));
    this.dialog.showModal();
  }
}
