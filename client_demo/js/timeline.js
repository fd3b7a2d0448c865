/**
 * Two clocks of a page, both pure. `ServerClock` follows the server's time by the quickest of its ping answers.
 * `Timeline` says which server time the video frame on screen belongs to, from the `clock` updates and the RTP
 * timestamps that requestVideoFrameCallback gives.
 */

const SAMPLES_KEPT = 16;
const PAIRS_KEPT = 32;
/** A change never waits longer for its frame than this. */
export const CAP_MS = 1500;
/** A mapping that lies further off than this is not one of this video. */
const BELIEVABLE_MS = 30_000;
/** Without a frame for this long the picture says nothing about now. */
const FRESH_MS = 1000;

export class ServerClock {
  constructor() {
    /** @type {{rtt: number, offset: number}[]} */
    this.samples = [];
    this.offset = 0;
  }

  /**
   * Takes one exchange in: local times (monotonic ms) of sending and receiving, and the server's time in between.
   * @param {number} sent @param {number} received @param {number} serverMs
   */
  sample(sent, received, serverMs) {
    this.samples.push({ rtt: received - sent, offset: serverMs - (sent + received) / 2 });
    if (this.samples.length > SAMPLES_KEPT) this.samples.shift();
    this.offset = this.samples.reduce((best, next) => (next.rtt < best.rtt ? next : best)).offset;
  }

  /** A first guess, from a message that came without a question. @param {number} received @param {number} serverMs */
  guess(received, serverMs) {
    if (!this.samples.length) this.offset = serverMs - received;
  }

  /** Server time for a local time. @param {number} local */
  at(local) {
    return local + this.offset;
  }
}

export class Timeline {
  constructor() {
    /** @type {{publication: string, rtp: number, ms: number}[]} */
    this.pairs = [];
    this.frameMs = NaN;
    this.frameSeenMs = NaN;
  }

  /** Takes a `clock` update in. @param {{publication: string, rtp_timestamp: number, server_ms: number}} clock */
  clock({ publication, rtp_timestamp, server_ms }) {
    this.pairs.push({ publication, rtp: rtp_timestamp, ms: server_ms });
    if (this.pairs.length > PAIRS_KEPT) this.pairs.shift();
  }

  /** The publication on air. */
  get publication() {
    return this.pairs.at(-1)?.publication ?? "";
  }

  /**
   * Server time of the frame with this RTP timestamp: by the latest pair that is not after it, else by the first. NaN without any.
   * @param {number} rtp
   */
  msOf(rtp) {
    let best = this.pairs[0];
    if (!best) return NaN;
    for (const pair of this.pairs) if (((rtp - pair.rtp) | 0) >= 0) best = pair;
    return best.ms + ((rtp - best.rtp) | 0) / 90;
  }

  /** A frame is on screen. @param {number} rtp @param {number} serverMs server time now */
  frame(rtp, serverMs) {
    const ms = this.msOf(rtp);
    if (!(Math.abs(serverMs - ms) < BELIEVABLE_MS)) return;
    this.frameMs = ms;
    this.frameSeenMs = serverMs;
  }

  /** The picture has gone: changes apply at once from now on. */
  lost() {
    this.frameMs = NaN;
  }

  /**
   * The server time that the viewer sees: that of the frame on screen, at most CAP_MS behind, and now where the picture
   * stands still or cannot be mapped.
   * @param {number} serverMs server time now
   */
  present(serverMs) {
    if (!(serverMs - this.frameSeenMs < FRESH_MS) || Number.isNaN(this.frameMs)) return serverMs;
    return Math.max(Math.min(this.frameMs, serverMs), serverMs - CAP_MS);
  }

  /** How far the picture is behind the camera's moment; NaN when unknown. @param {number} serverMs server time now */
  delay(serverMs) {
    return serverMs - this.frameSeenMs < FRESH_MS ? Math.max(0, this.frameSeenMs - this.frameMs) : NaN;
  }
}
