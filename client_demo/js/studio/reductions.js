/** Reductions of the whole show, for a while from now or between two dates: start them, see how long they run, end them. */
import { newKey } from "../api.js";
import { $, attr, h, show, text } from "../dom.js";
import { countdown, dayAndTime, money } from "../format.js";
import { campaignOf, wholeShow } from "../pricing.js";
import { attempt, cause } from "../tools.js";

const DURATIONS = [[60, "1 min"], [180, "3 min"], [600, "10 min"], [3600, "1 h"]];
const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

/** Server time as a field for date and time has it, in the seller's own time zone. @param {number} ms */
const asLocal = (ms) => new Date(ms - new Date(ms).getTimezoneOffset() * 60_000).toISOString().slice(0, 16);

/** What is typed, as {path, body}, or what is wrong with it. A start within the last hour is now: filling in took a while. */
export function asked({ dates, off, duration, ahead, title, from, to, now }) {
  if (!(Number.isInteger(off) && off >= 1 && off <= 99)) return { wrong: "From 1 to 99 percent." };
  if (!dates) return Number.isInteger(ahead) && ahead >= 0 && ahead <= 300 ? { path: "/show_flash", body: { percent_off: off, duration_s: duration, starts_in_s: ahead } } : { wrong: "Announced 0 to 300 s before." };
  const [start, ends_at_ms] = [from, to].map((local) => new Date(local).getTime());
  const starts_at_ms = Math.max(start, Math.floor(now));
  if (!title.trim()) return { wrong: "Give it a name: everybody sees it." };
  if (!(start >= now - HOUR_MS)) return { wrong: "It cannot start in the past." };
  if (!(ends_at_ms - starts_at_ms >= 60_000)) return { wrong: "It ends at least a minute after it starts." };
  return { path: "/campaigns", body: { title: title.trim(), percent_off: off, starts_at_ms, ends_at_ms } };
}

export class Reductions {
  /** @param {import("../feed.js").Feed} feed @param {{headers: () => Record<string, string>, started: (words: string, path: string) => void}} page */
  constructor(feed, page) {
    this.feed = feed;
    this.page = page;
    this.dialog = /** @type {HTMLDialogElement} */ (/** @type {any} */ ($("dialog")));
    this.flash = this.row("show-flash", "End for all", () => `/show_flash/${this.feed.state.show.show_flash?.id}`);
    this.campaign = this.row("campaign", "Stop", () => `/campaigns/${this.feed.state.show.campaign?.id}`);
  }

  /** One that is announced or runs, below what is on screen. @param {string} name @param {string} end @param {() => string} path */
  row(name, end, path) {
    const words = h("div", { class: "grow sm n" });
    const element = h("div", { class: "row", "data-testid": `${name}-row`, hidden: true }, words,
      h("button", { class: "btn line s", text: end, "data-testid": `${name}-end`, onclick: () => attempt(() => this.feed.api.call("DELETE", path(), { headers: this.page.headers() })) }));
    $("now").append(element);
    return { element, words };
  }

  draw() {
    const { show: now } = this.feed.state;
    const flash = wholeShow(now, this.feed.now(), this.feed.now());
    const days = campaignOf(now, this.feed.now(), this.feed.now());
    show(this.flash.element, Boolean(flash));
    show(this.campaign.element, Boolean(days));
    attr($("show-flash"), "disabled", (flash && days) || now.state === "ended" ? "" : null);
    if (flash) text(this.flash.words, `Whole show −${now.show_flash.percent_off}% · ${flash.phase === "announced" ? "starts in " : ""}${countdown(flash.remaining_ms)}${flash.paused ? ", timer paused" : ""}`);
    if (days) text(this.campaign.words, `${now.campaign.title}${now.campaign.percent_off ? ` −${now.campaign.percent_off}%` : ""} · ${days.phase === "announced" ? `from ${dayAndTime(now.campaign.starts_at_ms)}` : `until ${dayAndTime(now.campaign.ends_at_ms)}`}`);
  }

  open() {
    const { show_flash, campaign, currency } = this.feed.state.show;
    let dates = Boolean(show_flash);
    let duration = 180;
    let confirm = false;
    const error = h("p", { class: "box bad", role: "alert", hidden: true, "data-testid": "show-flash-error" });
    const changed = () => {
      confirm = false;
      show(error, false);
      for (const part of [aheadBox, lasts]) show(part, !dates);
      for (const part of [name, ...dateBoxes]) show(part, dates);
    };
    const field = (/** @type {string} */ id, /** @type {Record<string, any>} */ more) => /** @type {any} */ (h("input", { class: "n", autocomplete: "off", "data-testid": id, oninput: changed, ...more }));
    const choice = (/** @type {string} */ label, /** @type {any[][]} */ options, /** @type {any} */ chosen, /** @type {(value: any) => void} */ choose) => {
      const box = h("div", { class: "seg n", role: "group", "aria-label": label });
      box.append(...options.map(([value, words, id, disabled]) => h("button", { type: "button", "data-testid": id, "aria-pressed": String(value === chosen), disabled, text: words, onclick: (/** @type {any} */ { currentTarget }) => {
        choose(value);
        for (const other of /** @type {any} */ (box.children)) attr(other, "aria-pressed", String(other === currentTarget));
        changed();
      } })));
      return box;
    };
    const label = (/** @type {string} */ words, /** @type {any} */ input, unit = "") => h("label", { class: "lab" }, words, h("span", { class: "inp" }, input, unit && h("span", { class: "u sm", text: unit })));
    const percent = field("show-flash-percent", { inputmode: "numeric", value: "10" });
    const ahead = field("show-flash-announce", { inputmode: "numeric", value: "0" });
    const title = field("campaign-title", { maxlength: "80" });
    const nextHour = Math.ceil(this.feed.now() / HOUR_MS) * HOUR_MS;
    const from = field("campaign-from", { type: "datetime-local", value: asLocal(nextHour) });
    const to = field("campaign-to", { type: "datetime-local", value: asLocal(nextHour + DAY_MS) });
    const when = choice("When", [[false, "Now, for a while", "when-now", Boolean(show_flash)], [true, "Between two dates", "when-dates", Boolean(campaign)]], dates, (value) => (dates = value));
    const aheadBox = label("Announce first", ahead, "s");
    const lasts = h("div", { class: "lab" }, "How long", choice("How long", DURATIONS.map(([seconds, words]) => [seconds, words, `show-flash-${seconds}s`]), duration, (value) => (duration = value)));
    const name = label("Name, for all to see", title);
    const dateBoxes = [label("From", from), label("To", to)];
    const submit = async (/** @type {Event} */ event) => {
      event.preventDefault();
      const { wrong, path, body } = asked({ dates, off: Number(percent.value), duration, ahead: Number(ahead.value), title: title.value, from: from.value, to: to.value, now: this.feed.now() });
      if (!body) return void (text(error, wrong), show(error, true));
      try {
        const { id } = await this.feed.api.call("POST", path, { body: confirm ? { ...body, confirm } : body, key: newKey(), headers: this.page.headers() });
        this.dialog.close();
        this.page.started(dates ? `${body.title} is announced.` : `The whole show is ${body.percent_off}% off.`, `${path}/${id}`);
      } catch (refused) {
        const { code, body: costs } = /** @type {any} */ (refused);
        confirm = code === "confirm_required";
        text(error, confirm ? `If all ${costs.units} units sell, you give up ${money(costs.given_up_minor, currency)}${costs.loss_minor ? ` and lose ${money(costs.loss_minor, currency)} on what they cost` : ""}. Press again to start it anyway.` : cause(refused));
        show(error, true);
      }
    };
    this.dialog.className = "dlg slim";
    this.dialog.replaceChildren(h("form", { onsubmit: submit }, h("div", { class: "l" },
      h("div", {}, h("h2", { text: "Reduce the whole show" }), h("p", { class: "sm mut", text: "Every product, as far as its floor allows. A flash price of its own goes before it." })),
      when, h("div", { class: "g2" }, label("Percent off", percent, "%"), aheadBox), name, ...dateBoxes, lasts,
      error, h("button", { class: "btn act t44", "data-testid": "show-flash-start", text: "Start for all" }))));
    changed();
    this.dialog.showModal();
    percent.select();
  }
}
