/** Auctions in the studio: open a lot of a product, see where the open ones stand, take one back with a reason. */
import { parseMoney, symbol } from "../amount.js";
import { newKey } from "../api.js";
import { $, attr, h, list, show, text } from "../dom.js";
import { countdown, minorDigits, price } from "../format.js";
import { lotLeft } from "../pricing.js";
import { attempt, cause } from "../tools.js";

const DURATIONS = [[30, "30 s"], [60, "1 min"], [180, "3 min"], [600, "10 min"]];
const SOFT_CLOSE_S = 10;

export class Lots {
  /** @param {import("../feed.js").Feed} feed @param {{headers: () => Record<string, string>, draw: (product: import("../types").Product) => void}} page */
  constructor(feed, page) {
    this.feed = feed;
    this.page = page;
    this.dialog = /** @type {HTMLDialogElement} */ (/** @type {any} */ ($("dialog")));
    this.rows = h("div", { class: "lots", "data-testid": "lots", hidden: true });
    $("now").append(this.rows);
  }

  /** The open lots, below what is on screen. */
  draw() {
    const { state } = this.feed;
    const open = Object.values(state.lots).filter((lot) => lotLeft(state.show, lot, this.feed.now()) > 0);
    show(this.rows, open.length > 0);
    list(this.rows, open, (lot) => lot.id, (lot) => h("div", { class: "row", "data-testid": "lot-row" },
      h("div", { class: "grow" }, h("div", { class: "b clip sm" }), h("div", { class: "xs mut n" })),
      h("button", { class: "btn line s", text: "Take back", "data-testid": "lot-cancel", onclick: () => this.askReason(lot) })), (row, lot) => {
      const [title, words] = row.firstElementChild.children;
      text(title, `Auction: ${state.products[lot.sku]?.title ?? lot.sku}`);
      const amount = price(lot.price_minor ?? lot.start_minor, state.show.currency);
      text(words, `${countdown(lotLeft(state.show, lot, this.feed.now()))} · ${lot.bids === 1 ? "1 bid" : `${lot.bids} bids`} · ${lot.leader ? amount : `from ${amount}`}`);
    });
  }

  /** @param {import("../types").Product} product */
  open(product) {
    const { currency } = this.feed.state.show;
    const unit = 10 ** minorDigits(currency);
    let duration = 60;
    let sudden = false;
    const key = newKey();
    const start = h("input", { class: "n", inputmode: "decimal", autocomplete: "off", "data-testid": "lot-start", value: String(Math.ceil(product.list_price_minor / 2 / unit)) });
    const error = h("p", { class: "box bad", role: "alert", hidden: true, "data-testid": "lot-error" });
    const choice = (/** @type {any[][]} */ options, /** @type {any} */ first, /** @type {(value: any) => void} */ set) => {
      const box = h("div", { class: "seg", role: "group" });
      box.append(...options.map(([value, label]) => h("button", { type: "button", "aria-pressed": String(value === first), text: label, onclick: (/** @type {any} */ { currentTarget }) => {
        set(value);
        for (const other of box.children) attr(other, "aria-pressed", String(other === currentTarget));
      } })));
      return box;
    };
    const submit = async (/** @type {Event} */ event) => {
      event.preventDefault();
      const start_minor = parseMoney(/** @type {any} */ (start).value, currency);
      if (!start_minor) return void (text(error, "Type a price to start at."), show(error, true));
      try {
        await this.feed.api.call("POST", "/lots", { body: { sku: product.sku, start_minor, duration_s: duration, soft_close_s: sudden ? 0 : SOFT_CLOSE_S }, key, headers: this.page.headers() });
        this.dialog.close();
      } catch (refused) {
        text(error, cause(refused));
        show(error, true);
      }
    };
    this.dialog.className = "dlg slim";
    this.dialog.replaceChildren(h("form", { onsubmit: submit }, h("div", { class: "l" },
      h("div", {}, h("h2", { text: `Auction one ${product.title}` }), h("p", { class: "sm mut", text: "The highest bidder pays what beats the second. The unit is held until the end." })),
      h("label", { class: "lab" }, "First bid", h("span", { class: "inp" }, h("span", { class: "u", text: symbol(currency) }), start)),
      h("div", { class: "lab" }, "How long", choice(DURATIONS, duration, (value) => (duration = value))),
      h("div", { class: "lab" }, "A bid in the last seconds", choice([[false, `Adds ${SOFT_CLOSE_S} s`], [true, "Sudden death"]], sudden, (value) => (sudden = value))),
      error, h("button", { class: "btn act t44", "data-testid": "lot-open", text: "Open the auction" }),
      !product.parts && h("button", { type: "button", class: "btn ghost t44", "data-testid": "draw-instead", text: "Draw it among all who enter instead", onclick: () => (this.dialog.close(), this.page.draw(product)) }))));
    this.dialog.showModal();
    /** @type {any} */ (start).select();
  }

  /** @param {import("../types").Lot} lot */
  askReason(lot) {
    const field = h("input", { maxlength: "280", "data-testid": "lot-reason", "aria-label": "Reason" });
    const submit = async (/** @type {Event} */ event) => {
      event.preventDefault();
      const reason = /** @type {any} */ (field).value.trim();
      if (!reason) return;
      this.dialog.close();
      await attempt(() => this.feed.api.call("POST", `/lots/${lot.id}/cancel`, { body: { reason }, key: newKey() }));
    };
    this.dialog.className = "dlg slim";
    this.dialog.replaceChildren(h("form", { onsubmit: submit }, h("div", { class: "l" },
      h("div", {}, h("h2", { text: "Take the auction back?" }), h("p", { class: "sm mut", text: "Nobody buys it, and everybody reads why." })),
      h("label", { class: "lab" }, "Reason", h("span", { class: "inp" }, field)), h("button", { class: "btn stop t44", "data-testid": "lot-cancel-yes", text: "Take it back" }))));
    this.dialog.showModal();
  }
}
