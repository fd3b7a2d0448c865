/** Coupons in the studio: make one, see what was bought with each, end it. */
import { parseMoney, symbol } from "../amount.js";
import { $, attr, h, show, text } from "../dom.js";
import { dayAndTime, money } from "../format.js";
import { cause } from "../tools.js";

const LASTS = [[0, "No end"], [3_600, "1 h"], [86_400, "1 day"], [604_800, "1 week"]];

/** What is typed, as {code, body}, or what is wrong with it. Pure. */
export function asked({ code, off, isAmount, quantity, each, lasts, currency }) {
  const name = code.trim().toUpperCase();
  const number = (/** @type {string} */ typed) => (typed.trim() ? Number(typed) : null);
  const [most, mine] = [number(quantity), number(each)];
  if (!/^[A-Z0-9_-]{3,32}$/.test(name)) return { wrong: "A code has 3 to 32 letters, digits, dashes or underscores." };
  const amount = isAmount ? parseMoney(off, currency) : Number(off);
  if (isAmount && !amount) return { wrong: "Type what it takes off each unit." };
  if (!isAmount && !(Number.isInteger(amount) && amount >= 1 && amount <= 99)) return { wrong: "From 1 to 99 percent." };
  if ([most, mine].some((units) => units !== null && !(Number.isInteger(units) && units >= 1))) return { wrong: "Units are whole numbers from 1, or nothing for no limit." };
  return { code: name, body: { [isAmount ? "amount_off_minor" : "percent_off"]: amount, quantity: most, per_viewer_max: mine, ...(lasts && { expires_in_s: lasts }) } };
}

/** What stands on the row of a coupon. Pure. */
export function couponWords({ percent_off, amount_off_minor, skus, quantity, used, per_viewer_max, expires_at_ms, over }, currency) {
  const off = percent_off ? `−${percent_off}%` : `−${money(amount_off_minor, currency)}`;
  const limits = [skus && `${skus.length} of the products`, per_viewer_max && `${per_viewer_max} each`, !over && expires_at_ms && `until ${dayAndTime(expires_at_ms)}`, over && "over"];
  return [off, quantity ? `${used} of ${quantity} used` : `${used} used`, ...limits].filter(Boolean).join(" · ");
}

export class Coupons {
  /** @param {import("../feed.js").Feed} feed */
  constructor(feed) {
    this.feed = feed;
    this.dialog = /** @type {HTMLDialogElement} */ (/** @type {any} */ ($("dialog")));
  }

  /** All of them, the newest last, read anew: nobody is told of coupons but who asks. @param {HTMLElement} rows */
  async read(rows) {
    const { currency } = this.feed.state.show;
    const { coupons } = await this.feed.api.call("GET", "/coupons");
    rows.replaceChildren(...coupons.map((/** @type {any} */ coupon) => h("div", { class: "row", "data-testid": "coupon-row" },
      h("div", { class: "grow" }, h("div", { class: "b n clip", text: coupon.code }), h("div", { class: "xs mut n", text: couponWords(coupon, currency) })),
      !coupon.over && h("button", { type: "button", class: "btn line s", text: "End", "data-testid": `coupon-end-${coupon.code}`, onclick: () => this.end(coupon.code, rows) }))));
    show(rows, coupons.length > 0);
  }

  /** @param {string} code @param {HTMLElement} rows */
  async end(code, rows) {
    try {
      await this.feed.api.call("DELETE", `/coupons/${code}`);
      await this.read(rows);
    } catch (refused) {
      this.say(cause(refused));
    }
  }

  /** @param {string} words '' takes away what was said */
  say(words) {
    text(this.error, words);
    show(this.error, words);
  }

  open() {
    const { currency } = this.feed.state.show;
    let isAmount = false;
    let lasts = 0;
    let confirm = false;
    const changed = () => {
      confirm = false;
      this.say("");
    };
    this.error = h("p", { class: "box bad", role: "alert", hidden: true, "data-testid": "coupon-refused" });
    const field = (/** @type {string} */ id, /** @type {Record<string, any>} */ more = {}) => /** @type {any} */ (h("input", { class: "n", autocomplete: "off", "data-testid": id, oninput: changed, ...more }));
    const choice = (/** @type {any[][]} */ options, /** @type {any} */ chosen, /** @type {(value: any) => void} */ choose) => {
      const box = h("div", { class: "seg n", role: "group" });
      box.append(...options.map(([value, words]) => h("button", { type: "button", "aria-pressed": String(value === chosen), text: words, onclick: (/** @type {any} */ { currentTarget }) => {
        choose(value);
        for (const other of /** @type {any} */ (box.children)) attr(other, "aria-pressed", String(other === currentTarget));
        changed();
      } })));
      return box;
    };
    const label = (/** @type {string} */ words, /** @type {any} */ input) => h("label", { class: "lab" }, words, h("span", { class: "inp" }, input));
    const code = field("coupon-name", { maxlength: "32" });
    const off = field("coupon-off", { inputmode: "decimal", value: "10" });
    const quantity = field("coupon-quantity", { inputmode: "numeric", placeholder: "any" });
    const each = field("coupon-each", { inputmode: "numeric", placeholder: "any" });
    const rows = h("div", { class: "lots", hidden: true, "data-testid": "coupon-rows" });
    const submit = async (/** @type {Event} */ event) => {
      event.preventDefault();
      const { wrong, code: name, body } = asked({ code: code.value, off: off.value, isAmount, quantity: quantity.value, each: each.value, lasts, currency });
      if (!body) return this.say(String(wrong));
      try {
        await this.feed.api.call("PUT", `/coupons/${name}`, { body: confirm ? { ...body, confirm } : body });
        changed();
        code.value = "";
        await this.read(rows);
      } catch (refused) {
        const { code: why, body: costs } = /** @type {any} */ (refused);
        confirm = why === "confirm_required";
        this.say(confirm ? `If all ${costs.units} units sell with it, you give up ${money(costs.given_up_minor, currency)}${costs.loss_minor ? ` and lose ${money(costs.loss_minor, currency)} on what they cost` : ""}. Press again to make it anyway.` : cause(refused));
      }
    };
    this.dialog.className = "dlg slim";
    this.dialog.replaceChildren(h("form", { onsubmit: submit }, h("div", { class: "l" },
      h("div", {}, h("h2", { text: "Coupons" }), h("p", { class: "sm mut", text: "Who types the code pays less for each unit, also on top of a flash price, never below a product’s floor. Say it on air or send it to whom you like." })),
      rows, label("Code", code),
      h("div", { class: "g2" }, label("Off each unit", off), h("div", { class: "lab" }, "In", choice([[false, "%"], [true, symbol(currency)]], isAmount, (value) => (isAmount = value)))),
      h("div", { class: "g2" }, label("Units in all", quantity), label("Units a person", each)),
      h("div", { class: "lab" }, "How long", choice(LASTS, lasts, (value) => (lasts = value))),
      this.error, h("button", { class: "btn act t44", "data-testid": "coupon-make", text: "Make the coupon" }))));
    this.dialog.showModal();
    this.read(rows).catch((failure) => this.say(cause(failure)));
    code.focus();
  }
}
