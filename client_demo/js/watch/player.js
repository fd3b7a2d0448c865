/** The video of the watch page, its frame times, and what state the picture is in. */
import { $, attr, icon, show } from "../dom.js";
import { Whep } from "../whep.js";
import { WORDS } from "../words.js";

const STALLED_MS = 2_500;

export class Player {
  video = $("video");
  link = "joining";
  refusal = "";
  startedAt = performance.now();
  frameAt = -Infinity;
  frames = 0;
  firstFrameMs = 0;
  /** Was there a picture to be had when the page opened? Only then does its first frame tell of the server. */
  measures = false;
  paused = false;
  soundAsked = false;
  settled = false;
  onFrame = () => {};
  onLost = () => {};

  /** `page.draw`; `page.awaits()`: does something wait for its frame? */
  constructor(feed, page) {
    this.feed = feed;
    this.page = page;
    this.whep = new Whep(feed.api, {
      stream: (stream) => this.attach(stream),
      state: (link, code) => {
        Object.assign(this, { link, refusal: code });
        if (link === "reconnecting") this.onLost();
        page.draw();
      },
      answers: () => feed.live.answers(),
    });
    if (!this.video.requestVideoFrameCallback) this.video.addEventListener("timeupdate", () => this.frame({}));
    else this.next();
  }

  next() {
    this.video.requestVideoFrameCallback((_now, frame) => {
      this.frame(frame);
      this.next();
    });
  }

  /** "joining", "playing", "stalled", "reconnecting" or "refused". */
  get state() {
    if (this.link === "refused" || this.link === "reconnecting") return this.link;
    if (!this.frames) return "joining";
    return performance.now() - this.frameAt < STALLED_MS ? "playing" : "stalled";
  }

  attach(stream) {
    this.settled = false;
    this.video.srcObject = stream;
    this.play();
  }

  play() {
    this.video.play().catch(() => {});
  }

  frame({ rtpTimestamp }) {
    const wasPlaying = this.state === "playing";
    this.frameAt = performance.now();
    if (this.frames++ === 0) this.firstFrameMs = Math.round(this.frameAt - this.startedAt);
    if (!this.settled) {
      this.settled = true;
      this.whep.settle();
      show($("still"), false);
      this.video.parentElement.classList.toggle("wide", this.video.videoWidth > this.video.videoHeight);
    }
    const awaited = this.page.awaits(); // asked before this frame is on screen: it may be the one
    if (rtpTimestamp !== undefined) this.feed.timeline.frame(rtpTimestamp, this.feed.now());
    this.onFrame(this.frames);
    if (!wasPlaying || awaited) this.page.draw();
  }

  toggleSound() {
    this.soundAsked = true;
    this.video.muted = !this.video.muted;
    this.play();
    this.page.draw();
  }

  /** Draws the sound and pause buttons; `quiet`: nothing else lies over the picture. */
  controls(quiet) {
    const { muted } = this.video;
    const set = (what, name, label) => {
      for (const button of document.querySelectorAll(`[data-do=${what}]`)) {
        if (button.ariaLabel !== label) button.replaceChildren(icon(name));
        attr(button, "aria-label", label);
      }
    };
    set("sound", muted ? "mute" : "vol", muted ? WORDS.soundOn : WORDS.soundOff);
    set("pause", this.paused ? "play" : "pause", this.paused ? WORDS.play : WORDS.pause);
    show($("tapsound"), quiet && muted && !this.soundAsked && this.state === "playing");
  }
}
