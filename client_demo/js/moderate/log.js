/** What staff did, from the show's log, in words. */
import { $, h, list, text } from "../dom.js";
import { countdown, timeOfDay } from "../format.js";

const KEPT = 200;

/**
 * One audit entry as a sentence without its subject. Pure.
 * @param {{action: string, kind: string, target: string | null, reason: string | null, detail: any}} entry @param {(pid: string) => string} name
 */
export function sentence({ action, target, reason, detail }, name) {
  const whom = target ? name(target) : "";
  const why = reason ? `: ${reason}` : "";
  /** @type {Record<string, string>} */
  const words = {
    delete: `deleted ${detail?.message_ids?.length > 1 ? `${detail.message_ids.length} messages` : "a message"}`,
    timeout: `timed out ${whom} for ${countdown((detail?.seconds ?? 0) * 1000)}${why}`, ban: `banned ${whom}${why}`, unban: `lifted the ban of ${whom}`,
    slow_mode: detail?.seconds ? `turned slow mode on, ${detail.seconds} s` : "turned slow mode off", chat_mode: `set chat to ${detail?.mode}`,
    pause_sales: `paused sales${why}`, resume_sales: "resumed sales", blank_video: `blanked the video${why}`, show_video: "showed the video again",
    pin_message: "pinned a message", "show.state": `set the show to ${detail?.state}`, "price.flash": `started a flash price for ${detail?.sku}`,
    "price.ended": `ended a flash price for ${detail?.sku}`, "product.pinned": `pinned ${detail?.sku}`, "product.unpinned": "unpinned", "member.set": "changed a role",
    "product.restocked": `restocked ${detail?.sku}`, "product.updated": `changed ${detail?.sku}`, "show.created": "created the show",
  };
  return words[action] ?? action.replaceAll("_", " ");
}

export class Log {
  /** @param {import("../feed.js").Feed} feed @param {(pid: string) => string} name */
  constructor(feed, name) {
    this.feed = feed;
    this.name = name;
    /** @type {any[]} newest first */
    this.entries = [];
    this.since = 0;
    this.reading = false;
    this.again = false;
  }

  /** Reads what is new; called whenever something was moderated. */
  async read() {
    if (this.reading) return void (this.again = true);
    this.reading = true;
    try {
      do {
        this.again = false;
        const { entries } = await this.feed.api.call("GET", `/audit?since=${this.since}`);
        for (const entry of entries) if (entry.seq > this.since) this.entries.unshift(entry);
        this.since = this.entries[0]?.seq ?? 0;
        this.entries.length = Math.min(this.entries.length, KEPT);
        if (entries.length >= 100) this.again = true;
      } while (this.again);
    } catch {
      // the next moderation entry reads again
    }
    this.reading = false;
    this.draw();
  }

  draw() {
    const parent = $("log");
    text($("head"), `entry ${(this.feed.state?.last ?? 0).toLocaleString()}`);
    if (!this.entries.length) return void (parent.childElementCount || parent.replaceChildren(h("p", { class: "empty", text: "No actions yet." })));
    const me = this.feed.live.hello?.pid;
    list(parent, this.entries, (entry) => String(entry.seq), (entry) => h("div", { class: "log", title: `entry ${entry.seq}` }, h("time", { class: "n", text: timeOfDay(entry.ts) }), h("span", { class: "clip" })),
      (row, entry) => {
        const who = entry.actor === me ? "You" : this.name(entry.actor);
        text(/** @type {any} */ (row.lastElementChild), `${who} ${sentence(entry, this.name)}`);
      });
  }
}
