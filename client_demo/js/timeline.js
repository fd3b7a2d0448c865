/** Server time for a page, and for the video frame that it shows (FRAMELOCK rules in the README). Pure. */

const SAMPLES_KEPT = 16;
const PAIRS_KEPT = 32;
/** A change never waits longer for its frame than this. */
export const CAP_MS = 1500;
/** A mapping that lies further off than this is not one of this video. */
const BELIEVABLE_MS = 30_000;
/** Without a frame for this long the picture says nothing about now. */
const FRESH_MS = 1000;

export class ServerClock {
  samples = [];
  offset = 0;

  /** A ping answered: local times of sending and receiving, and the server's in between. The quickest counts. */
  sample(sent, received, serverMs) {
    this.samples.push({ rtt: received - sent, offset: serverMs - (sent + received) / 2 });
    if (this.samples.length > SAMPLES_KEPT) this.samples.shift();
    this.offset = this.samples.reduce((best, next) => (next.rtt < best.rtt ? next : best)).offset;
  }

  /** A first guess, from a message that came without a question. */
  guess(received, serverMs) {
    if (!this.samples.length) this.offset = serverMs - received;
  }

  /** Server time for a local time. */
  at(local) {
    return local + this.offset;
  }
}

export class Timeline {
  pairs = [];
  frameMs = NaN;
  frameSeenMs = NaN;

  clock({ publication, rtp_timestamp, server_ms }) {
    this.pairs.push({ publication, rtp: rtp_timestamp, ms: server_ms });
    if (this.pairs.length > PAIRS_KEPT) this.pairs.shift();
  }

  /** The publication on air. */
  get publication() {
    return this.pairs.at(-1)?.publication ?? "";
  }

  /** Server time of a frame, by the latest pair that is not after it, else by the first; NaN without any. */
  msOf(rtp) {
    const best = this.pairs.findLast((pair) => ((rtp - pair.rtp) | 0) >= 0) ?? this.pairs[0];
    return best ? best.ms + ((rtp - best.rtp) | 0) / 90 : NaN;
  }

  /** A frame is on screen at server time `serverMs`. */
  frame(rtp, serverMs) {
    const ms = this.msOf(rtp);
    if (!(Math.abs(serverMs - ms) < BELIEVABLE_MS)) return;
    this.frameMs = ms;
    this.frameSeenMs = serverMs;
  }

  /** The server time that the viewer sees: the frame's, at most CAP_MS ago; now, where the picture stands still. */
  present(serverMs) {
    if (!(serverMs - this.frameSeenMs < FRESH_MS)) return serverMs;
    return Math.max(Math.min(this.frameMs, serverMs), serverMs - CAP_MS);
  }

  /** How far the picture is behind the camera's moment; NaN when unknown. */
  delay(serverMs) {
    return serverMs - this.frameSeenMs < FRESH_MS ? Math.max(0, this.frameSeenMs - this.frameMs) : NaN;
  }
}
