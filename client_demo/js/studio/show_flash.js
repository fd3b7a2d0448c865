/** One reduction for the whole show: start it, see how long it runs, end it. */
import { newKey } from "../api.js";
import { $, attr, h, show, text } from "../dom.js";
import { countdown, money } from "../format.js";
import { wholeShow } from "../pricing.js";
import { attempt, cause } from "../tools.js";

const DURATIONS = [[60, "1 min"], [180, "3 min"], [600, "10 min"], [3600, "1 h"]];

export class ShowFlash {
  /** @param {import("../feed.js").Feed} feed @param {{headers: () => Record<string, string>, started: (flash: any) => void}} page */
  constructor(feed, page) {
    this.feed = feed;
    this.page = page;
    this.dialog = /** @type {HTMLDialogElement} */ (/** @type {any} */ ($("dialog")));
    this.words = h("div", { class: "grow sm n" });
    this.row = h("div", { class: "row", "data-testid": "show-flash-row", hidden: true }, this.words,
      h("button", { class: "btn line s", text: "End for all", "data-testid": "show-flash-end", onclick: () => this.end() }));
    $("now").append(this.row);
    $("show-flash").addEventListener("click", () => this.open());
  }

  /** What runs, below what is on screen. */
  draw() {
    const { show: now } = this.feed.state;
    const view = wholeShow(now, this.feed.now(), this.feed.now());
    show(this.row, Boolean(view));
    attr($("show-flash"), "disabled", view || now.state === "ended" ? "" : null);
    if (view) text(this.words, `Whole show −${now.show_flash.percent_off}% · ${view.phase === "announced" ? "starts in " : ""}${countdown(view.remaining_ms)}${view.paused ? ", timer paused" : ""}`);
  }

  end() {
    return attempt(() => this.feed.api.call("DELETE", `/show_flash/${this.feed.state.show.show_flash?.id}`, { headers: this.page.headers() }));
  }

  open() {
    const { currency } = this.feed.state.show;
    let duration = 180;
    let confirm = false;
    const error = h("p", { class: "box bad", role: "alert", hidden: true, "data-testid": "show-flash-error" });
    const changed = () => {
      confirm = false;
      show(error, false);
    };
    const percent = h("input", { class: "n", inputmode: "numeric", autocomplete: "off", value: "10", "data-testid": "show-flash-percent", oninput: changed });
    const announce = h("input", { class: "n", inputmode: "numeric", autocomplete: "off", value: "0", "data-testid": "show-flash-announce", oninput: changed });
    const box = h("div", { class: "seg n", role: "group", "aria-label": "How long" });
    box.append(...DURATIONS.map(([seconds, label]) => h("button", { type: "button", "data-testid": `show-flash-${seconds}s`, "aria-pressed": String(seconds === duration), text: label, onclick: (/** @type {any} */ { currentTarget }) => {
      duration = Number(seconds);
      for (const other of /** @type {any} */ (box.children)) attr(other, "aria-pressed", String(other === currentTarget));
    } })));
    const submit = async (/** @type {Event} */ event) => {
      event.preventDefault();
      const [off, ahead] = [percent, announce].map((field) => Number(/** @type {any} */ (field).value));
      if (!(Number.isInteger(off) && off >= 1 && off <= 99 && Number.isInteger(ahead) && ahead >= 0 && ahead <= 300)) return void (text(error, "From 1 to 99 percent, announced 0 to 300 s before."), show(error, true));
      try {
        const body = { percent_off: off, duration_s: duration, starts_in_s: ahead, ...(confirm ? { confirm } : {}) };
        const flash = await this.feed.api.call("POST", "/show_flash", { body, key: newKey(), headers: this.page.headers() });
        this.dialog.close();
        this.page.started(flash);
      } catch (refused) {
        const { code, body } = /** @type {any} */ (refused);
        confirm = code === "confirm_required";
        text(error, confirm ? `If all ${body.units} units sell, you give up ${money(body.given_up_minor, currency)}${body.loss_minor ? ` and lose ${money(body.loss_minor, currency)} on what they cost` : ""}. Press again to start it anyway.` : cause(refused));
        show(error, true);
      }
    };
    this.dialog.className = "dlg slim";
    this.dialog.replaceChildren(h("form", { onsubmit: submit }, h("div", { class: "l" },
      h("div", {}, h("h2", { text: "Reduce the whole show" }), h("p", { class: "sm mut", text: "Every product, as far as its floor allows. A flash price of its own goes before it." })),
      h("div", { class: "g2" }, h("label", { class: "lab" }, "Percent off", h("span", { class: "inp" }, percent, h("span", { class: "u sm", text: "%" }))),
        h("label", { class: "lab" }, "Announce first", h("span", { class: "inp" }, announce, h("span", { class: "u sm", text: "s" })))),
      h("div", { class: "lab" }, "How long", box),
      error, h("button", { class: "btn act t44", "data-testid": "show-flash-start", text: "Start for all" }))));
    this.dialog.showModal();
    /** @type {any} */ (percent).select();
  }
}
