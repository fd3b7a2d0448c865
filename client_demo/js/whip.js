/**
 * Publishes a camera and a microphone over WHIP and keeps publishing: a lost connection is made anew, unless someone with
 * the same account has gone on air elsewhere meanwhile (the newer one wins; two that fight would help nobody).
 */
import { Problem, sleep } from "./api.js";
import { closePeer, negotiate, openPeer, preferH264, release, restartIce, untilOver } from "./rtc.js";

const RETRY_MS = 700;
const RETRY_MAX_MS = 8_000;

/** Three sizes of one picture: the server gives each viewer the one that its network carries. */
const LAYERS = [
  { rid: "q", scaleResolutionDownBy: 4, maxBitrate: 150_000 },
  { rid: "h", scaleResolutionDownBy: 2, maxBitrate: 600_000 },
  { rid: "f", scaleResolutionDownBy: 1, maxBitrate: 2_500_000 },
];

/** Chromium encodes fewer layers of small pictures and leaves out the *largest* of those asked for: ask for no more than it makes. */
const PIXELS_OF_THREE = 960 * 540;
const PIXELS_OF_TWO = 480 * 270;

/** The layers for a camera of this size (unknown: all). Pure. */
export function layersFor({ width, height }) {
  const pixels = width * height || Infinity;
  return LAYERS.slice(pixels >= PIXELS_OF_THREE ? 0 : pixels >= PIXELS_OF_TWO ? 1 : 2);
}

/**
 * What was agreed on, for another camera: as many of its layers as it can fill, from the first, which Chromium keeps
 * longest; the others rest. Pure. @param {RTCRtpEncodingParameters[]} encodings @param {MediaTrackSettings} size
 */
export function refitted(encodings, size) {
  const layers = layersFor(size).slice(-encodings.length);
  return encodings.map((encoding, index) => ({ ...encoding, ...layers[index], rid: encoding.rid, active: index < layers.length }));
}

export class Whip {
  abort = new AbortController();
  peer = null;
  resource = "";
  publication = "";

  /**
   * `page.state(state, code)`: "off", "starting", "onair", "reconnecting", "replaced" or "refused".
   * `page.replaced(publication)`: is another publication on air now?
   */
  constructor(api, page) {
    this.api = api;
    this.page = page;
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
    if (!sender) return;
    await sender.replaceTrack(track);
    if (track.kind !== "video") return;
    const parameters = sender.getParameters();
    const encodings = refitted(parameters.encodings, track.getSettings());
    await sender.setParameters({ ...parameters, encodings }).catch(() => {}); // then it is smaller than it could be
  }

  async run(stream, signal) {
    this.page.state("starting", "");
    for (let attempt = 0; !signal.aborted; attempt++) {
      const peer = (this.peer = openPeer());
      let wait = Math.min(RETRY_MAX_MS, RETRY_MS * 2 ** attempt);
      let refused = "";
      let connected = false;
      try {
        await this.publish(peer, stream);
        await untilOver(peer, () => {
          connected = true;
          attempt = 0;
          this.page.state("onair", "");
        }, signal, { answers: this.page.answers, restart: () => restartIce(peer, this.resource, this.api.bearer()) });
      } catch (error) {
        if (error instanceof Problem && error.status < 500 && error.status !== 429) refused = error.code;
        wait = Math.max(wait, error.retryAfterMs ?? 0);
      }
      closePeer(peer);
      if (signal.aborted) return;
      this.page.state(refused ? "refused" : "reconnecting", refused);
      if (refused) return;
      await sleep(wait);
      if (connected && this.page.replaced(this.publication)) return this.page.state("replaced", "");
    }
  }

  async publish(peer, stream) {
    for (const track of stream.getTracks()) {
      const video = track.kind === "video";
      const options = { direction: "sendonly", streams: [stream] };
      const transceiver = peer.addTransceiver(track, video ? { ...options, sendEncodings: layersFor(track.getSettings()) } : options);
      if (!video) continue;
      preferH264(transceiver, RTCRtpSender);
      await sharp(transceiver.sender);
    }
    Object.assign(this, await negotiate(peer, `/whip/${encodeURIComponent(this.api.show)}`, this.api.bearer()));
  }
}

/** A product has to be seen: when the network is tight, rather fewer frames than a smaller picture. */
async function sharp(sender) {
  const parameters = { ...sender.getParameters(), degradationPreference: "maintain-resolution" };
  await sender.setParameters(parameters).catch(() => {});
}
