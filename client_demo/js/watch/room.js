/** Chat of the watch page. */
import { newKey } from "../api.js";
import { roleTag } from "../chat.js";
import { $, attr, h, initial, list, maybe, text } from "../dom.js";
import { compact } from "../format.js";
import { WORDS } from "../words.js";

const NOTE_MS = 4_000;

export class Room {
  input = $("say");
  note = "";
  mayWriteAt = 0;
  silentUntil = 0;

  constructor(feed, draw) {
    this.feed = feed;
    this.redraw = draw;
    $("dock").addEventListener("submit", (event) => {
      event.preventDefault();
      this.say();
    });
  }

  say() {
    const words = this.input.value.trim();
    if (!words) return;
    if (!this.feed.live.send({ type: "chat", cid: newKey(), text: words })) return this.warn(WORDS.notSent);
    this.input.value = "";
    this.mayWriteAt = this.feed.now() + this.feed.state.show.slow_mode_s * 1000;
    this.redraw();
  }

  /** An `error` update about something that was said. */
  refused({ code, message, retry_after_ms = 0 }) {
    if (code === "timed_out") this.silentUntil = this.feed.now() + retry_after_ms;
    else if (retry_after_ms) this.mayWriteAt = this.feed.now() + retry_after_ms;
    else this.warn(message || WORDS.notSent);
    this.redraw();
  }

  warn(note) {
    this.note = note;
    setTimeout(() => {
      this.note = "";
      this.redraw();
    }, NOTE_MS);
    this.redraw();
  }

  draw(banned) {
    const { chat, hearts } = this.feed.state;
    const thread = $("thread");
    const atEnd = thread.scrollHeight - thread.scrollTop - thread.clientHeight < 60;
    list(thread, chat.filter((line) => !line.deleted), (line) => line.id, (line) => h("div", { class: "ln", "data-testid": "chat-line" },
      initial(line.name, line.subject), h("p", {}, h("span", { class: "nm", text: line.name }), roleTag(line), line.text)));
    if (atEnd) thread.scrollTop = thread.scrollHeight;
    text($("heart").lastElementChild, compact(hearts));
    attr($("heart"), "aria-label", `${hearts} hearts, send one`);
    this.rules(banned);
  }

  /** Who may write what now, and why not. */
  rules(banned) {
    const { show: { chat_mode, slow_mode_s, state }, aimed } = this.feed.state;
    const now = this.feed.now();
    const mine = aimed?.action === "timeout" && aimed.subject === this.feed.live.hello?.pid ? aimed : null;
    const until = mine ? mine.ts + mine.seconds * 1000 : this.silentUntil;
    const words = state === "ended" ? WORDS.showEnded : chat_mode === "off" || chat_mode === "emotes" ? WORDS.modes[chat_mode] : "";
    text($("chat-mode"), slow_mode_s ? WORDS.slowMode(slow_mode_s) : WORDS.modes[chat_mode]);
    attr(this.input, "disabled", banned || words || until > now ? "" : null);
    attr(this.input, "placeholder", words || (now < this.mayWriteAt ? WORDS.wait(this.mayWriteAt - now) : chat_mode === "buyers" ? WORDS.modes.buyers : WORDS.ask));
    maybe($("chat-note"), until > now ? WORDS.timedOut(until, mine?.reason) : this.note);
  }
}
