/** Plays a show's video over WHEP and keeps it playing: whatever ends the connection, it makes a new one. */
import { Problem, sleep } from "./api.js";
import { closePeer, negotiate, openPeer, preferH264, release, restartIce, untilOver } from "./rtc.js";

const RETRY_MS = 500;
const RETRY_MAX_MS = 8_000;
/**
 * How far the picture is kept behind, so that a price is here before the frame that shows it. It grows after the first
 * frame, so that joining is not delayed, and in small steps: one jump would be a freeze.
 */
export const SALE_BUFFER_MS = 300;
const BUFFER_STEP_MS = 20;
const BUFFER_EVERY_MS = 200;

export class Whep {
  abort = new AbortController();
  peer = null;
  resource = "";
  layer = "";

  /**
   * `page.stream(stream)`: here it is. `page.state(state, code)`: "joining", "connected", "reconnecting" or "refused".
   * `page.answers()`: is the server heard by the page's other connection?
   */
  constructor(api, page) {
    this.api = api;
    this.page = page;
    addEventListener("pagehide", () => this.leave());
    addEventListener("pageshow", (event) => event.persisted && this.start());
  }

  start() {
    this.leave();
    this.abort = new AbortController();
    void this.run(this.abort.signal);
  }

  /** Ends the video, until `start` is called again. */
  leave() {
    this.abort.abort();
    this.free();
  }

  free() {
    if (this.resource) release(this.resource, this.api.bearer());
    this.resource = this.layer = "";
  }

  /** Lets the sale buffer grow. */
  settle(bufferMs = BUFFER_STEP_MS) {
    const { peer } = this;
    if (!peer || bufferMs > SALE_BUFFER_MS) return;
    for (const receiver of peer.getReceivers()) if ("jitterBufferTarget" in receiver) receiver.jitterBufferTarget = bufferMs;
    setTimeout(() => peer === this.peer && this.settle(bufferMs + BUFFER_STEP_MS), BUFFER_EVERY_MS);
  }

  async run(signal) {
    this.page.state("joining", "");
    for (let attempt = 0; !signal.aborted; attempt++) {
      const peer = (this.peer = openPeer());
      let wait = Math.min(RETRY_MAX_MS, RETRY_MS * 2 ** attempt);
      let refused = "";
      try {
        await this.join(peer);
        await untilOver(peer, () => {
          attempt = 0;
          this.page.state("connected", "");
        }, signal, { answers: this.page.answers, restart: () => restartIce(peer, this.resource, this.api.bearer()) });
      } catch (error) {
        if (error instanceof Problem && [401, 403, 404, 406].includes(error.status) && !(error.status === 401 && (await this.api.renew()))) refused = error.code;
        wait = Math.max(wait, error.retryAfterMs ?? 0);
      }
      closePeer(peer);
      if (signal.aborted) return;
      this.free();
      this.page.state(refused ? "refused" : "reconnecting", refused);
      if (refused) return;
      await sleep(wait * (0.5 + Math.random() / 2));
    }
  }

  async join(peer) {
    await this.api.ready();
    const stream = new MediaStream();
    peer.addEventListener("track", ({ track }) => stream.addTrack(track));
    preferH264(peer.addTransceiver("video", { direction: "recvonly" }), RTCRtpReceiver);
    peer.addTransceiver("audio", { direction: "recvonly" });
    const { resource, layer } = await negotiate(peer, `/whep/${encodeURIComponent(this.api.show)}`, this.api.bearer());
    Object.assign(this, { resource, layer });
    this.page.stream(stream);
  }
}
