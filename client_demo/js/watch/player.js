/** The video of the watch page: WHEP into one <video>, frame times into the timeline, and what state the picture is in. */
import { $, icon, show } from "../dom.js";
import { Whep } from "../whep.js";
import { WORDS } from "../words.js";

const STALLED_MS = 2_500;
const STILL_WIDTH = 480;

export class Player {
  /** @param {import("../feed.js").Feed} feed @param {() => void} draw */
  constructor(feed, draw) {
    this.feed = feed;
    this.draw = draw;
    this.video = /** @type {any} */ ($("video"));
    this.link = "joining";
    this.refusal = "";
    this.startedAt = performance.now();
    this.frameAt = -Infinity;
    this.frames = 0;
    this.firstFrameMs = 0;
    this.paused = false;
    this.soundAsked = false;
    this.settled = false;
    /** @type {(() => boolean) | null} does something wait for its frame? */
    this.awaits = null;
    this.whep = new Whep(feed.api, {
      stream: (stream) => this.attach(stream),
      state: (link, code) => {
        this.link = link;
        this.refusal = code;
        if (link === "reconnecting") this.keepStill();
        draw();
      },
    });
    if (this.video.requestVideoFrameCallback) this.watchFrames();
    else this.video.addEventListener("timeupdate", () => this.frame({}));
  }

  start() {
    this.whep.start();
  }

  /** Ends the picture, for a viewer who may not see it any more. */
  stop() {
    this.whep.leave();
    this.video.srcObject = null;
  }

  /** @returns {"joining" | "playing" | "stalled" | "reconnecting" | "refused"} */
  get state() {
    if (this.link === "refused") return "refused";
    if (this.link === "reconnecting") return "reconnecting";
    if (!this.frames) return "joining";
    return performance.now() - this.frameAt < STALLED_MS ? "playing" : "stalled";
  }

  /** @param {MediaStream} stream */
  attach(stream) {
    this.settled = false;
    this.video.srcObject = stream;
    this.video.play().catch(() => {});
  }

  watchFrames() {
    const next = (/** @type {number} */ _now, /** @type {any} */ frame) => {
      this.frame(frame);
      this.video.requestVideoFrameCallback(next);
    };
    this.video.requestVideoFrameCallback(next);
  }

  /** @param {{rtpTimestamp?: number}} frame */
  frame({ rtpTimestamp }) {
    const now = performance.now();
    const wasPlaying = this.state === "playing";
    this.frameAt = now;
    if (this.frames++ === 0) this.firstFrameMs = Math.round(now - this.startedAt);
    if (!this.settled) {
      this.settled = true;
      this.whep.settle();
      show($("still"), false);
      this.video.parentElement.classList.toggle("wide", this.video.videoWidth > this.video.videoHeight);
    }
    if (rtpTimestamp !== undefined) this.feed.timeline.frame(rtpTimestamp, this.feed.now());
    if (this.frames % 30 === 1) this.ambient();
    if (!wasPlaying || this.awaits?.()) this.draw();
  }

  /** The blurred copy behind the picture: a few pixels of it, once a second. */
  ambient() {
    const canvas = /** @type {any} */ ($("amb"));
    if (canvas.offsetParent) canvas.getContext("2d").drawImage(this.video, 0, 0, canvas.width, canvas.height);
  }

  /** Keeps the last frame on screen while the connection is made anew. */
  keepStill() {
    if (!this.video.videoWidth) return;
    const canvas = /** @type {any} */ ($("still"));
    canvas.width = STILL_WIDTH;
    canvas.height = (STILL_WIDTH * this.video.videoHeight) / this.video.videoWidth;
    canvas.getContext("2d").drawImage(this.video, 0, 0, canvas.width, canvas.height);
    show(canvas, true);
  }

  /** Freezes so far, as the browser counts them. */
  async freezes() {
    let freezes = 0;
    for (const report of (await this.whep.peer?.getStats())?.values() ?? []) freezes += report.freezeCount ?? 0;
    return freezes;
  }

  toggleSound() {
    this.video.muted = !this.video.muted;
    this.video.play().catch(() => {});
    this.draw();
  }

  togglePause() {
    this.paused = !this.paused;
    if (this.paused) this.video.pause();
    else this.video.play().catch(() => {});
    this.draw();
  }

  full() {
    if (document.fullscreenElement) void document.exitFullscreen();
    else void this.video.parentElement.requestFullscreen?.();
  }

  /** Draws the sound and pause buttons. @param {boolean} quiet nothing else lies over the picture */
  controls(quiet) {
    for (const button of document.querySelectorAll("[data-do=sound]")) this.button(button, this.video.muted ? "mute" : "vol", this.video.muted ? WORDS.soundOn : WORDS.soundOff);
    for (const button of document.querySelectorAll("[data-do=pause]")) this.button(button, this.paused ? "play" : "pause", this.paused ? WORDS.play : WORDS.pause);
    show($("tapsound"), quiet && this.video.muted && this.state === "playing" && !this.soundAsked);
  }

  /** @param {Element} button @param {string} name @param {string} label */
  button(button, name, label) {
    if (button.getAttribute("aria-label") === label) return;
    button.setAttribute("aria-label", label);
    button.replaceChildren(icon(name));
  }
}
