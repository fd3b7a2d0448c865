/** Chat and hearts of the watch page. */
import { $, attr, css, h, icon, initial, list, show, text } from "../dom.js";
import { compact } from "../format.js";
import { newKey } from "../api.js";
import { roleTag } from "../chat.js";
import { WORDS } from "../words.js";

const HEARTS_AT_ONCE = 6;
const HEARTS_PER_MESSAGE = 20;
const FLUSH_MS = 500;
const NOTE_MS = 4_000;

export class Room {
  /** @param {import("../feed.js").Feed} feed @param {() => void} draw */
  constructor(feed, draw) {
    this.feed = feed;
    this.redraw = draw;
    this.input = /** @type {any} */ ($("say"));
    this.waiting = 0;
    this.note = "";
    this.notedAt = 0;
    this.mayWriteAt = 0;
    this.silentUntil = 0;
    $("dock").addEventListener("submit", (event) => {
      event.preventDefault();
      this.say();
    });
    $("heart").addEventListener("click", () => this.heart());
  }

  say() {
    const words = this.input.value.trim();
    if (!words) return;
    if (!this.feed.live.send({ type: "chat", cid: newKey(), text: words })) return this.warn(WORDS.notSent);
    this.input.value = "";
    const slow = this.feed.state?.show.slow_mode_s ?? 0;
    this.mayWriteAt = this.feed.now() + slow * 1000;
    this.redraw();
  }

  /** An `error` update about something that was said. @param {{code: string, message?: string, retry_after_ms?: number}} error */
  refused(error) {
    if (error.code === "timed_out") this.silentUntil = this.feed.now() + (error.retry_after_ms ?? 0);
    else if (error.retry_after_ms) this.mayWriteAt = this.feed.now() + error.retry_after_ms;
    else this.warn(error.message || WORDS.notSent);
    this.redraw();
  }

  /** @param {string} note */
  warn(note) {
    this.note = note;
    this.notedAt = performance.now();
    setTimeout(this.redraw, NOTE_MS + 20);
    this.redraw();
  }

  heart() {
    this.fly();
    if (this.waiting++ === 0) setTimeout(() => {
      this.feed.live.send({ type: "react", kind: "heart", n: Math.min(HEARTS_PER_MESSAGE, this.waiting) });
      this.waiting = 0;
    }, FLUSH_MS);
  }

  /** One heart rises. */
  fly() {
    const sky = $("hearts");
    if (sky.childElementCount >= HEARTS_AT_ONCE || document.hidden) return;
    const heart = icon("heart", true);
    css(heart, "--dx", `${Math.round(Math.random() * 44 - 30)}px`);
    heart.addEventListener("animationend", () => heart.remove());
    sky.append(heart);
  }

  /** @param {boolean} banned */
  draw(banned) {
    const state = /** @type {import("../types").State} */ (this.feed.state);
    const thread = $("thread");
    const atEnd = thread.scrollHeight - thread.scrollTop - thread.clientHeight < 60;
    const before = thread.lastElementChild;
    list(thread, state.chat.filter((line) => !line.deleted), (line) => line.id, (line) => h("div", { class: "ln", "data-testid": "chat-line" },
      initial(line.name, line.subject), h("p", {}, h("span", { class: "nm", text: line.name }), roleTag(line), line.text)));
    if (atEnd && thread.lastElementChild !== before) thread.scrollTop = thread.scrollHeight;
    text(/** @type {any} */ ($("heart").lastElementChild), compact(state.hearts));
    attr($("heart"), "aria-label", `${state.hearts} hearts, send one`);
    this.rules(state, banned);
  }

  /** @param {import("../types").State} state @param {boolean} banned */
  rules({ show: { chat_mode, slow_mode_s, state: life }, aimed }, banned) {
    const now = this.feed.now();
    const mine = aimed?.subject === this.feed.live.hello?.pid ? aimed : null;
    const until = mine?.action === "timeout" ? mine.ts + mine.seconds * 1000 : this.silentUntil;
    /** @type {Record<string, string>} */
    const modes = { all: WORDS.everyone, buyers: WORDS.buyersOnly, emotes: WORDS.emotes, off: WORDS.chatOff };
    text($("chat-mode"), slow_mode_s ? WORDS.slowMode(slow_mode_s) : (modes[chat_mode] ?? ""));
    const closed = banned || life === "ended" || chat_mode === "off" || chat_mode === "emotes" || until > now;
    attr(this.input, "disabled", closed ? "" : null);
    attr(this.input, "placeholder", now < this.mayWriteAt ? WORDS.again2(this.mayWriteAt - now) : chat_mode === "off" ? WORDS.chatOff : chat_mode === "buyers" ? WORDS.buyersOnly : WORDS.ask);
    const noted = performance.now() - this.notedAt < NOTE_MS ? this.note : "";
    const note = until > now ? WORDS.timedOut(until, mine?.reason ?? "") : noted;
    text($("chat-note"), note);
    show($("chat-note"), Boolean(note));
  }
}
