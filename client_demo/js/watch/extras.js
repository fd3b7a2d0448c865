/** What the watch page can do without at first: keys, product column, pause, full screen, sharing, reports. */
import { $, text } from "../dom.js";
import { WORDS } from "../words.js";
import { productRows } from "./rows.js";

const REPORT_EVERY_MS = 15_000;

export class Extras {
  /** The parts of the page, its `actions` by name (more are added here), and `isOpen()`: does a sheet lie over it? */
  constructor(parts) {
    this.parts = parts;
    const { actions, player, room, sheet } = parts;
    Object.assign(actions, {
      pause: () => this.pause(), full: () => this.full(), share: () => this.share(), keys: () => sheet("keys"),
      pip: () => player.video.requestPictureInPicture?.().catch(() => {}), heart: () => room.heart(), say: () => $("say").focus(),
    });
    document.addEventListener("keydown", (event) => this.key(event));
    setInterval(() => void this.report(), REPORT_EVERY_MS);
  }

  /** Off while typing and under a sheet; Esc leaves the chat field. */
  key(event) {
    const { actions, isOpen } = this.parts;
    const at = event.target;
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (at.matches("input")) return void (event.key === "Escape" && at.blur());
    const name = { b: "buy", g: "bag", m: "sound", k: "pause", " ": "pause", f: "full", h: "heart", "/": "say", "?": "keys" }[event.key.toLowerCase()];
    if (!name || isOpen() || (event.key === " " && at.matches("button,a"))) return;
    event.preventDefault();
    void actions[name]();
  }

  /** The product column, where there is one. */
  draw() {
    const { feed, page, pinned } = this.parts;
    if (!$("shop").offsetParent) return;
    text($("shop-count"), `${feed.state.skus.length} products`);
    productRows($("shop"), { state: feed.state, page, size: 48, act: "line s", without: pinned()?.sku });
  }

  pause() {
    const { player, page } = this.parts;
    player.paused = !player.paused;
    if (player.paused) player.video.pause();
    else player.play();
    page.draw();
  }

  full() {
    if (document.fullscreenElement) void document.exitFullscreen();
    else void $("frame").requestFullscreen?.();
  }

  async share() {
    const link = { title: document.title, url: location.origin + location.pathname };
    if (navigator.share) return navigator.share(link).catch(() => {});
    await navigator.clipboard?.writeText(link.url).then(() => this.parts.room.warn(WORDS.copied), () => {});
  }

  /** What the browser measured of the video; the server clamps it. */
  async report() {
    const { feed, player } = this.parts;
    if (!player.frames) return;
    let freezes = 0;
    for (const { freezeCount = 0 } of (await player.whep.peer.getStats()).values()) freezes += freezeCount;
    feed.live.send({ type: "report", publication: feed.timeline.publication, first_frame_ms: player.firstFrameMs, freezes });
  }
}
