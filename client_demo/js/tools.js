/** What studio and moderate share: toasts, two-step confirmation, commands with an undo, chat writing, keys. */
import { newKey, Offline } from "./api.js";
import { $, attr, h, show, text } from "./dom.js";

const TOAST_MS = 5_000;

/** What went wrong, in words. @param {any} error */
export function cause(error) {
  if (error instanceof Offline) return "No answer from the server. Try again.";
  /** @type {Record<string, string>} */
  const known = {
    forbidden: "This link may not do that.", token_required: "Open this page with the link that holds your token.", expired: "The link has expired. Get a new one.",
    invalid_token: "The link is not valid. Get a new one.", below_floor: "That is below the seller’s floor.", flash_running: "A flash price is already running for this product.", campaign_running: "A campaign is already announced. End it first.",
    sold_out: "There is no unit left.", not_for_sale: "It is not in the bag. Arrange the bag first.", coupon_exists: "There is another coupon with that code.", too_many_coupons: "There are as many coupons as there may be.", too_many_sets: "There are as many sets as there may be.", too_many_lots: "As many lots are open as there may be.", lot_closed: "That lot is over.",
    illegal_transition: "That is not possible right now.", already_publishing: "Someone else is on air.", unknown_show: "There is no such show.",
  };
  return known[error.code] ?? error.message ?? String(error);
}

/** @param {string} words @param {{label: string, act: () => void} | null} [action] @param {number} [ms] */
export function toast(words, action = null, ms = TOAST_MS) {
  const button = action && h("button", { class: "btn s", text: action.label, onclick: () => {
    note.remove();
    action.act();
  } });
  const note = h("div", { class: "toast" }, h("span", { text: words }), button);
  $("toasts").replaceChildren(note);
  setTimeout(() => note.remove(), ms);
}

/** Runs a command and says so when it fails. True when it worked. @param {() => Promise<any>} command */
export async function attempt(command) {
  try {
    await command();
    return true;
  } catch (error) {
    toast(cause(error));
    return false;
  }
}

/** One thing that can be taken back for a while. */
/** Saves what only a bearer may read as a file. */
export async function saveFile(api, path, name) {
  const response = await fetch(`/api/v1/shows/${encodeURIComponent(api.show)}${path}`, { headers: api.bearer() });
  if (!response.ok) throw new Error(`HTTP ${response.status}`);
  const url = URL.createObjectURL(await response.blob());
  h("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

export class Undo {
  constructor() {
    /** @type {{act: () => Promise<any>, until: number} | null} */
    this.last = null;
  }

  /** @param {string} words @param {() => Promise<any>} act @param {number} ms */
  offer(words, act, ms) {
    this.last = { act, until: performance.now() + ms };
    toast(words, { label: "Undo", act: () => this.run() }, ms);
  }

  run() {
    const { last } = this;
    this.last = null;
    $("toasts").replaceChildren();
    if (last && performance.now() < last.until) void attempt(last.act);
  }
}

/**
 * The second step of something grave: names the consequence; the focus is on the safe button.
 * @param {{title: string, body: string, yes: string, no: string, act: () => void, testid?: string}} parts
 */
export function confirm({ title, body, yes, no, act, testid }) {
  const dialog = /** @type {HTMLDialogElement} */ (/** @type {any} */ ($("dialog")));
  const close = () => dialog.close();
  const go = () => {
    close();
    act();
  };
  dialog.className = "dlg slim";
  const safe = h("button", { class: "btn line grow t44", text: no, onclick: close });
  dialog.replaceChildren(h("div", { class: "l", role: "alertdialog", "aria-label": title }, h("h2", { text: title }), h("p", { class: "mut", text: body }),
    h("div", { class: "row" }, h("button", { class: "btn stop grow t44", "data-testid": testid ?? "confirm", text: yes, onclick: go }), safe)));
  dialog.showModal();
  safe.focus();
}

/** @param {string[][]} keys */
export function keyList(keys) {
  const dialog = /** @type {HTMLDialogElement} */ (/** @type {any} */ ($("dialog")));
  dialog.className = "dlg slim";
  dialog.replaceChildren(h("div", { class: "keymap" }, h("h2", { text: "Keys" }), ...keys.map(([key, what]) => h("div", {}, h("span", { text: what }), h("kbd", { text: key })))));
  dialog.showModal();
}

/**
 * Keys of a page: off while typing and while a dialog is open; Esc leaves a field, / goes to chat.
 * @param {(key: string, event: KeyboardEvent) => boolean | void} press true when the key did something
 */
export function onKeys(press) {
  document.addEventListener("keydown", (event) => {
    const at = /** @type {HTMLElement} */ (event.target);
    if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
    if (at.matches("input,select,textarea")) return void (event.key === "Escape" && at.blur());
    if (event.key === " " && at.matches("button,a")) return;
    if (event.key === "/") $("say").focus();
    else if (!press(event.key, event)) return;
    event.preventDefault();
  });
}

/** Sends what is written in the page's chat field. @param {import("./feed.js").Feed} feed */
export function chatField(feed) {
  $("dock").addEventListener("submit", (event) => {
    event.preventDefault();
    const field = /** @type {any} */ ($("say"));
    const words = field.value.trim();
    if (!words) return;
    if (feed.live.send({ type: "chat", cid: newKey(), text: words })) field.value = "";
    else toast("Not sent. Try again.");
  });
}

/** Keeps a list that grows below at its end, unless somebody has scrolled up. @param {HTMLElement} list @param {() => void} grow */
export function stick(list, grow) {
  const atEnd = list.scrollHeight - list.scrollTop - list.clientHeight < 60;
  grow();
  if (atEnd) list.scrollTop = list.scrollHeight;
}

/** The parts of the header that both tools have. @param {import("./feed.js").Feed} feed @param {string} page */
export function drawHeader(feed, page) {
  const { show: now, viewers } = /** @type {import("./types").State} */ (feed.state);
  document.title = `${page} · ${now.title}`;
  for (const element of document.querySelectorAll("[data-text=title]")) text(element, now.title);
  document.body.classList.toggle("test", now.test_mode);
  show(/** @type {Element} */ (document.querySelector(".testbar")), now.test_mode);
  const state = $("state");
  const live = now.state === "live" && !now.host_away;
  text(state, feed.status === "reconnecting" ? "Reconnecting…" : now.state === "live" ? (now.host_away ? "Host away" : "LIVE") : { scheduled: "Not started", paused: "Paused", ended: "Ended" }[now.state] ?? "");
  attr(state, "class", `tag ${live && feed.status === "live" ? "live" : now.state === "live" ? "warn" : ""}`);
  text($("viewers"), (viewers ?? 0).toLocaleString());
}

/** Lines a minute, over the last minute. @param {import("./types").Line[]} chat @param {number} nowMs */
export const pace = (chat, nowMs) => `${chat.filter((line) => line.ts > nowMs - 60_000).length} / min`;

/** A page that cannot work says why. @param {string} code */
export function stopped(code) {
  const words = code === "banned" ? "You are banned from this show." : cause({ code, message: `The connection was closed (${code}).` });
  toast(words, { label: "Reload", act: () => location.reload() }, 3_600_000);
}
