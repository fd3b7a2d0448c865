/** The health strip: one verdict in a sentence, what to do, then the numbers behind it. */
import { $, attr, icon, show, text } from "../dom.js";

const EVERY_MS = 1_000;
const KEPT = 300;
const FREEZE_SHARE = 0.01;
const LOSS_BAD = 0.05;

/**
 * The verdict on a health answer. Pure.
 * @param {any} health @param {{state: string, host_away: boolean}} show @param {string} mine state of this page's own publishing
 * @returns {{tone: "good" | "warn" | "bad" | "", icon: string, verdict: string, advice: string}}
 */
export function verdict(health, show, mine) {
  const publisher = health?.publisher;
  if (show.state === "ended") return { tone: "", icon: "stop", verdict: "The show has ended", advice: "Holds stay valid until they run out." };
  if (mine === "reconnecting") return { tone: "bad", icon: "wifi", verdict: "You are offline", advice: "Reconnecting. Timers are frozen, holds are safe." };
  if (!publisher) {
    const live = show.state === "live" || show.host_away;
    return { tone: live ? "bad" : "", icon: live ? "wifi" : "cam", verdict: live ? "Nobody is on air" : "Not on air yet", advice: live ? "Timers are frozen, holds are safe." : "Go live when you are ready." };
  }
  const { freezes_per_min = 0, count = 0 } = health.viewers ?? {};
  if (freezes_per_min > Math.max(1, count * FREEZE_SHARE)) return { tone: "bad", icon: "alert", verdict: "Some viewers freeze", advice: `${freezes_per_min.toFixed(1)} freezes a minute.` };
  if (publisher.loss > LOSS_BAD) return { tone: "warn", icon: "alert", verdict: "Your connection loses packets", advice: "Move closer to the router or use a cable." };
  if (publisher.b_frames) return { tone: "warn", icon: "alert", verdict: "Your encoder sends B-frames", advice: "Browsers judder. Turn B-frames off." };
  if (!count) return { tone: "good", icon: "eye", verdict: "You are live", advice: "Nobody is watching yet." };
  return { tone: "good", icon: "check", verdict: "Everyone sees you clearly", advice: mine === "onair" ? "Sent from this page" : "Sent from another device" };
}

export class Health {
  /** @param {import("../feed.js").Feed} feed @param {() => string} mine */
  constructor(feed, mine) {
    this.feed = feed;
    this.mine = mine;
    this.last = /** @type {any} */ (null);
    /** @type {number[]} */
    this.rates = [];
  }

  start() {
    const poll = async () => {
      try {
        this.last = await this.feed.api.call("GET", "/health");
        this.rates.push(this.last.publisher?.bitrate_bps ?? 0);
        if (this.rates.length > KEPT) this.rates.shift();
      } catch {
        this.last = null;
      }
      this.draw();
      setTimeout(poll, EVERY_MS);
    };
    void poll();
  }

  draw() {
    if (!this.feed.state) return;
    const found = verdict(this.last, this.feed.state.show, this.mine());
    text($("verdict"), found.verdict);
    text($("advice"), found.advice);
    const disc = $("verdict-icon");
    if (disc.dataset.icon !== found.icon) disc.replaceChildren(icon((disc.dataset.icon = found.icon)));
    attr(disc, "class", `disc ${found.tone}`);
    const publisher = this.last?.publisher;
    const viewers = this.last?.viewers;
    const layer = publisher?.layers?.reduce((best, one) => ((one.width ?? 0) > (best?.width ?? 0) ? one : best), publisher.layers[0]);
    this.figure("k-rate", publisher && (publisher.bitrate_bps / 1e6).toFixed(2), "Mb/s");
    this.figure("k-loss", publisher && (publisher.loss * 100).toFixed(1), "%");
    this.figure("k-rtt", publisher?.rtt_ms != null && Math.round(publisher.rtt_ms), "ms");
    this.figure("k-picture", publisher && [layer?.height ? `${Math.min(layer.width, layer.height)}p` : "", Math.round(publisher.fps) || ""].filter(Boolean).join(" · "), (publisher?.codec ?? "").replace("video/", ""));
    this.figure("k-key", publisher?.keyframe_interval_ms ? (publisher.keyframe_interval_ms / 1000).toFixed(1) : null, "s");
    this.figure("k-p50", viewers?.rtt_ms_p50 != null && Math.round(viewers.rtt_ms_p50), "ms");
    this.figure("k-freeze", viewers && (viewers.freezes_per_min ?? 0).toFixed(1), "a minute");
    this.line();
  }

  /** @param {string} id @param {any} value @param {string} unit */
  figure(id, value, unit) {
    const box = $(id);
    const missing = value === null || value === undefined || value === false || value === "";
    if (!box.firstElementChild) box.replaceChildren("", document.createElement("small"));
    box.firstChild.data = missing ? "–" : `${value} `;
    text(/** @type {any} */ (box.lastElementChild), missing ? "" : unit);
  }

  line() {
    const [area, line] = document.querySelectorAll(".spark path");
    const top = Math.max(1, ...this.rates);
    const step = 120 / Math.max(1, this.rates.length - 1);
    const points = this.rates.map((rate, index) => `${(index * step).toFixed(1)} ${(20 - (rate / top) * 17).toFixed(1)}`);
    const path = points.length > 1 ? `M${points.join("L")}` : "";
    attr(line, "d", path);
    attr(area, "d", path && `${path}L120 22L0 22Z`);
    show(/** @type {any} */ (line).ownerSVGElement, points.length > 1);
  }
}
