/**
 * Publishes a camera and a microphone over WHIP and keeps publishing: a lost connection is made anew, unless someone with
 * the same account has gone on air elsewhere meanwhile (the newer one wins; two that fight would help nobody).
 */
import { Problem, sleep } from "./api.js";
import { closePeer, negotiate, openPeer, preferH264, release, untilOver } from "./rtc.js";

const RETRY_MS = 700;
const RETRY_MAX_MS = 8_000;
const MAX_BITRATE_BPS = 2_500_000;

export class Whip {
  /**
   * @param {import("./api.js").Api} api
   * @param {{state: (state: "off" | "starting" | "onair" | "reconnecting" | "replaced" | "refused", code: string) => void,
   *   replaced: (publication: string) => boolean}} page `replaced`: is another publication on air now?
   */
  constructor(api, page) {
    this.api = api;
    this.page = page;
    this.abort = new AbortController();
    /** @type {RTCPeerConnection | null} */
    this.peer = null;
    this.resource = "";
    this.publication = "";
    addEventListener("pagehide", () => this.drop());
  }

  get onAir() {
    return this.peer?.connectionState === "connected";
  }

  /** @param {MediaStream} stream */
  start(stream) {
    this.abort.abort();
    this.abort = new AbortController();
    void this.run(stream, this.abort.signal);
  }

  /** Stops publishing. */
  stop() {
    this.drop();
    this.page.state("off", "");
  }

  drop() {
    this.abort.abort();
    if (this.resource) release(this.resource, this.api.bearer());
    this.resource = "";
  }

  /** Another camera or microphone, without a new connection. @param {MediaStreamTrack} track */
  async replace(track) {
    const sender = this.peer?.getSenders().find((candidate) => candidate.track?.kind === track.kind);
    await sender?.replaceTrack(track);
  }

  /** @param {MediaStream} stream @param {AbortSignal} signal */
  async run(stream, signal) {
    let attempt = 0;
    this.page.state("starting", "");
    while (!signal.aborted) {
      const peer = openPeer([]);
      this.peer = peer;
      let wait = Math.min(RETRY_MAX_MS, RETRY_MS * 2 ** attempt++);
      let wasConnected = false;
      try {
        await this.publish(peer, stream);
        const connected = () => {
          wasConnected = true;
          this.page.state("onair", "");
        };
        await untilOver(peer, connected, signal);
        attempt = wasConnected ? 0 : attempt;
      } catch (error) {
        if (error instanceof Problem) {
          if (error.status < 500 && error.status !== 429) {
            closePeer(peer);
            return this.page.state("refused", error.code);
          }
          wait = Math.max(wait, error.retryAfterMs);
        }
      }
      closePeer(peer);
      if (signal.aborted) return;
      this.page.state("reconnecting", "");
      await sleep(wait);
      if (wasConnected && this.page.replaced(this.publication)) return this.page.state("replaced", "");
    }
  }

  /** @param {RTCPeerConnection} peer @param {MediaStream} stream */
  async publish(peer, stream) {
    for (const track of stream.getTracks()) {
      const video = track.kind === "video";
      const transceiver = peer.addTransceiver(track, {
        direction: "sendonly", streams: [stream], sendEncodings: video ? [{ maxBitrate: MAX_BITRATE_BPS }] : undefined,
      });
      if (video) {
        preferH264(transceiver, "sender");
        await sharp(transceiver.sender);
      }
    }
    const { resource, publication } = await negotiate(peer, `/whip/${encodeURIComponent(this.api.show)}`, this.api.bearer());
    this.resource = resource;
    this.publication = publication;
  }
}

/** A product has to be seen: when the network is tight, rather fewer frames than a smaller picture. @param {RTCRtpSender} sender */
async function sharp(sender) {
  const parameters = /** @type {any} */ (sender.getParameters());
  parameters.degradationPreference = "maintain-resolution";
  await sender.setParameters(parameters).catch(() => {});
}
