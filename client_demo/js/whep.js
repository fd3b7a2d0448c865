/** Plays a show's video over WHEP and keeps it playing: whatever ends the connection, it makes a new one. */
import { Problem, sleep } from "./api.js";
import { closePeer, negotiate, openPeer, preferH264, release, untilOver } from "./rtc.js";

const RETRY_MS = 500;
const RETRY_MAX_MS = 8_000;
/**
 * Sale mode: the picture is kept this far behind, so that a pin or a flash price is here before the frame that shows it.
 * It starts after the first frame, so that joining is not delayed, and in small steps: one jump would be a freeze.
 */
export const SALE_BUFFER_MS = 300;
const BUFFER_STEP_MS = 20;
const BUFFER_EVERY_MS = 200;

export class Whep {
  /**
   * @param {import("./api.js").Api} api
   * @param {{stream: (stream: MediaStream, peer: RTCPeerConnection) => void,
   *   state: (state: "joining" | "connected" | "reconnecting" | "refused", code: string) => void}} page
   */
  constructor(api, page) {
    this.api = api;
    this.page = page;
    this.abort = new AbortController();
    /** @type {RTCPeerConnection | null} */
    this.peer = null;
    this.resource = "";
    addEventListener("pagehide", () => this.leave());
    addEventListener("pageshow", (event) => event.persisted && this.start());
  }

  start() {
    this.leave();
    this.abort = new AbortController();
    void this.run(this.abort.signal);
  }

  /** Ends the video for good, until `start` is called again. */
  leave() {
    this.abort.abort();
    if (this.resource) release(this.resource, this.api.bearer());
    this.resource = "";
  }

  /** Lets the sale buffer grow. @param {number} [bufferMs] */
  settle(bufferMs = BUFFER_STEP_MS) {
    const { peer } = this;
    if (!peer || bufferMs > SALE_BUFFER_MS) return;
    for (const receiver of /** @type {any[]} */ (peer.getReceivers())) if ("jitterBufferTarget" in receiver) receiver.jitterBufferTarget = bufferMs;
    setTimeout(() => peer === this.peer && this.settle(bufferMs + BUFFER_STEP_MS), BUFFER_EVERY_MS);
  }

  /** @param {AbortSignal} signal */
  async run(signal) {
    let attempt = 0;
    this.page.state("joining", "");
    while (!signal.aborted) {
      const peer = openPeer([]);
      this.peer = peer;
      let wait = Math.min(RETRY_MAX_MS, RETRY_MS * 2 ** attempt++);
      try {
        await this.join(peer);
        await untilOver(peer, () => this.page.state("connected", ""), signal);
        if (!signal.aborted) attempt = Math.min(attempt, 1);
      } catch (error) {
        if (error instanceof Problem) {
          if ([401, 403, 404, 406].includes(error.status) && !(error.status === 401 && (await this.api.renew()))) {
            closePeer(peer);
            return this.page.state("refused", error.code);
          }
          wait = Math.max(wait, error.retryAfterMs);
        }
      }
      closePeer(peer);
      if (signal.aborted) return;
      if (this.resource) release(this.resource, this.api.bearer());
      this.resource = "";
      this.page.state("reconnecting", "");
      await sleep(wait * (0.5 + Math.random() / 2));
    }
  }

  /** @param {RTCPeerConnection} peer */
  async join(peer) {
    await this.api.ready();
    const stream = new MediaStream();
    peer.addEventListener("track", ({ track }) => stream.addTrack(track));
    preferH264(peer.addTransceiver("video", { direction: "recvonly" }), "receiver");
    peer.addTransceiver("audio", { direction: "recvonly" });
    const { resource } = await negotiate(peer, `/whep/${encodeURIComponent(this.api.show)}`, this.api.bearer());
    this.resource = resource;
    this.page.stream(stream, peer);
  }
}
