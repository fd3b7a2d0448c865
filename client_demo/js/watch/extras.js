/** What the watch page can do without at first: hearts, keys, product column, pause, full screen, sharing, reports. */
import { $, css, icon, show, text } from "../dom.js";
import { WORDS } from "../words.js";
import { Fit } from "./fit.js";
import { productRows } from "./rows.js";

const REPORT_FIRST_MS = 2_000;
const REPORT_EVERY_MS = 15_000;
const HEARTS_AT_ONCE = 6;
const HEARTS_PER_MESSAGE = 20;
const HEART_FLUSH_MS = 500;
const STILL_WIDTH = 480;
const AMBIENT_EVERY_FRAMES = 30;
const SPOKEN_MS = [10_000, 30_000];

export class Extras {
  taps = 0;
  left = NaN;

  /** The parts of the page, its `actions` by name (more are added here), and `isOpen()`: does a sheet lie over it? */
  constructor(parts) {
    this.parts = parts;
    const { actions, player, sheet } = parts;
    Object.assign(actions, {
      pause: () => this.pause(), full: () => this.full(), share: () => this.share(), keys: () => sheet("keys"),
      pip: () => player.video.requestPictureInPicture?.().catch(() => {}), heart: () => this.heart(), say: () => $("say").focus(),
    });
    player.onFrame = (frames) => this.ambient(frames);
    player.onLost = () => this.keepStill();
    new Fit(player, parts.feed.api);
    document.addEventListener("keydown", (event) => this.key(event));
    setTimeout(() => void this.report(), REPORT_FIRST_MS);
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

  /** Says aloud when a flash price has 30 s and 10 s left; draws the product column, where there is one. */
  draw() {
    const { feed, page, pinned } = this.parts;
    const flash = pinned() && page.offer(pinned()).flash;
    const left = flash?.phase === "running" ? flash.remaining_ms : NaN;
    const mark = SPOKEN_MS.find((ms) => left <= ms && this.left > ms);
    if (mark) text($("say-polite"), `${mark / 1000} seconds left`);
    this.left = left;
    if (!$("shop").offsetParent) return;
    text($("shop-count"), `${feed.state.skus.length} products`);
    productRows($("shop"), { state: feed.state, page, size: 48, act: "line s", without: pinned()?.sku });
  }

  /** Own hearts rise at once and are sent together. */
  heart() {
    this.fly();
    if (this.taps++ > 0) return;
    setTimeout(() => {
      this.parts.feed.live.send({ type: "react", kind: "heart", n: Math.min(HEARTS_PER_MESSAGE, this.taps) });
      this.taps = 0;
    }, HEART_FLUSH_MS);
  }

  /** Everybody's hearts. */
  hearts(n) {
    for (let i = 0; i < Math.min(3, n); i++) setTimeout(() => this.fly(), i * 150);
  }

  fly() {
    const sky = $("hearts");
    if (sky.childElementCount >= HEARTS_AT_ONCE || document.hidden) return;
    const heart = icon("heart", true);
    css(heart, "--dx", `${Math.round(Math.random() * 44 - 30)}px`);
    heart.addEventListener("animationend", () => heart.remove());
    sky.append(heart);
  }

  /** The blurred copy behind the picture: a few pixels of it, once a second. */
  ambient(frames) {
    if (frames % AMBIENT_EVERY_FRAMES === 1 && $("amb").offsetParent) this.copy($("amb"));
  }

  /** Keeps the last frame on screen while the connection is made anew. */
  keepStill() {
    const { videoWidth, videoHeight } = this.parts.player.video;
    const still = $("still");
    if (!videoWidth) return;
    still.width = STILL_WIDTH;
    still.height = (STILL_WIDTH * videoHeight) / videoWidth;
    this.copy(still);
    show(still, true);
  }

  copy(canvas) {
    canvas.getContext("2d").drawImage(this.parts.player.video, 0, 0, canvas.width, canvas.height);
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
    const peer = player.whep.peer;
    if (!player.frames || !peer) return;
    let freezes = 0;
    for (const { freezeCount = 0 } of (await peer.getStats()).values()) freezes += freezeCount;
    const first_frame_ms = player.measures ? player.firstFrameMs : null;
    if (feed.live.send({ type: "report", publication: feed.timeline.publication, first_frame_ms, freezes })) player.measures = false; // told once
  }
}
