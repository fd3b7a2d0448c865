/**
 * What WHIP (RFC 9725) and WHEP share. The offer is posted as it is: the server is ICE-lite with a public candidate in its
 * answer, so nothing has to be gathered or trickled first. `window.vendue.peers`: the live connections, for tests.
 */
import { Offline, Problem, sleep } from "./api.js";

const CONNECT_TIMEOUT_MS = 10_000;
/** ICE may recover by itself from a short gap. */
const DISCONNECTED_MS = 2_500;
/** Browsers check every 2.5 s that the other side is there. */
const SILENT_MS = 4_000;
const POLL_MS = 1_000;

const peers = [];
window.vendue = { peers };

export function openPeer() {
  const peer = new RTCPeerConnection({ bundlePolicy: "max-bundle" });
  peers.push(peer);
  return peer;
}

export function closePeer(peer) {
  peer.close();
  if (peers.includes(peer)) peers.splice(peers.indexOf(peer), 1);
}

/** Puts H264 baseline first. `side` is RTCRtpSender or RTCRtpReceiver. */
export function preferH264(transceiver, side) {
  const baseline = /profile-level-id=42e01f/i;
  const rank = ({ mimeType, sdpFmtpLine = "" }) => (mimeType !== "video/H264" ? 2 : baseline.test(sdpFmtpLine) && sdpFmtpLine.includes("packetization-mode=1") ? 0 : 1);
  transceiver.setCodecPreferences?.(side.getCapabilities("video").codecs.sort((a, b) => rank(a) - rank(b)));
}

/** Posts the peer's offer and takes the answer: {resource, publication, layer} (where to tell the size of a viewer's picture). Throws Problem or Offline. */
export async function negotiate(peer, url, headers) {
  await peer.setLocalDescription(await peer.createOffer());
  let response, answer;
  try {
    const body = peer.localDescription.sdp;
    response = await fetch(url, { method: "POST", headers: { "Content-Type": "application/sdp", ...headers }, body, signal: AbortSignal.timeout(CONNECT_TIMEOUT_MS) });
    answer = await response.text();
  } catch {
    throw new Offline();
  }
  if (response.status !== 201) throw Problem.of(response, answer);
  await peer.setRemoteDescription({ type: "answer", sdp: startHigh(answer) });
  const at = (path) => new URL(path, response.url).href;
  const layer = response.headers.get("Link")?.match(/<([^>]*)>; rel="urn:ietf:params:whep:ext:core:layer"/)?.[1];
  return { resource: at(response.headers.get("Location") ?? ""), publication: response.headers.get("Vendue-Publication") ?? "", layer: layer ? at(layer) : "" };
}

/** Chromium begins to send at 300 kbit/s unless told otherwise: the first seconds would be a blur. */
const startHigh = (sdp) => sdp.replace(/^(a=fmtp:\d+ .*packetization-mode=1.*)$/gm, "$1;x-google-start-bitrate=1500");

/** New ICE credentials (RFC 9725 §4.3.3): the picture goes on by whatever way there is now. Throws Problem, or what fetch throws. */
export async function restartIce(peer, resource, headers) {
  const credentials = (sdp) => sdp.match(/^a=ice-(?:ufrag|pwd):.*$/gm).slice(0, 2);
  await peer.setLocalDescription(await peer.createOffer({ iceRestart: true }));
  const response = await fetch(resource, {
    method: "PATCH",
    headers: { "Content-Type": "application/trickle-ice-sdpfrag", "If-Match": "*", ...headers },
    body: `${credentials(peer.localDescription.sdp).join("\r\n")}\r\n`,
    signal: AbortSignal.timeout(CONNECT_TIMEOUT_MS),
  });
  const answer = await response.text();
  if (response.status !== 200) throw Problem.of(response, answer);
  const [ufrag, pwd] = credentials(answer);
  const { sdp } = peer.currentRemoteDescription;
  await peer.setRemoteDescription({ type: "answer", sdp: sdp.replace(/^a=ice-ufrag:.*$/gm, ufrag).replace(/^a=ice-pwd:.*$/gm, pwd) });
}

/** Ends a resource; also while the page goes away. */
export function release(resource, headers) {
  fetch(resource, { method: "DELETE", headers, keepalive: true }).catch(() => {});
}

/** Grows while anything comes from the other side: packets, or answers to the browser's own checks. */
async function heard(peer) {
  let sum = 0;
  for (const report of (await peer.getStats()).values()) if (report.type === "candidate-pair") sum += (report.packetsReceived ?? 0) + (report.responsesReceived ?? 0);
  return sum;
}

const LISTEN_EVERY_MS = 200;
/** Packets come every few milliseconds: without one for so long nobody sends, or the way to here is gone. */
const SILENCE_MS = 400;
/** A server whose publisher is away is heard once a second. When packets stop and nothing at all follows, its worker is gone. */
const GONE_MS = 1_400;
const FLOWING_PACKETS = 2;

/**
 * Listens for packets that stop, until `signal`. `way.answers()`: is the server heard by the page's other connection? When it is
 * not, the network may be another one: `way.restart()`. When it is, and nothing comes, the peer is gone: resolves true.
 */
export async function untilGone(peer, way, signal) {
  let [last, since, flowed, asked] = [0, 0, false, false];
  for (; !signal.aborted && peer.connectionState !== "closed"; await sleep(LISTEN_EVERY_MS)) {
    const sum = await heard(peer);
    const silence = performance.now() - since;
    if (sum !== last) {
      flowed = sum - last >= FLOWING_PACKETS || (flowed && silence < SILENCE_MS);
      [last, since, asked] = [sum, performance.now(), false];
    } else if (flowed && !asked && silence > SILENCE_MS) {
      asked = true;
      if (!(await way.answers())) await way.restart().catch(() => {}); // then it ends by itself, and a new one comes
    } else if (flowed && asked && silence > GONE_MS && (await way.answers())) return true;
  }
  return false;
}

/** Resolves when the connection has failed, did not come up, or was gone for too long. `way`: see `untilGone`. */
export function untilOver(peer, connected, signal, way) {
  return new Promise((resolve) => {
    const listening = new AbortController();
    void untilGone(peer, way, listening.signal).then((gone) => gone && over());
    let [last, since] = [0, 0];
    let timer = setTimeout(() => over(), CONNECT_TIMEOUT_MS);
    const poll = setInterval(async () => {
      const sum = await heard(peer);
      if (sum !== last) [last, since] = [sum, performance.now()];
      else if (sum && performance.now() - since > SILENT_MS) over();
    }, POLL_MS);
    const over = () => {
      listening.abort();
      clearTimeout(timer);
      clearInterval(poll);
      resolve();
    };
    signal.addEventListener("abort", over);
    peer.addEventListener("connectionstatechange", () => {
      clearTimeout(timer);
      if (peer.connectionState === "connected") connected();
      else if (peer.connectionState === "disconnected") timer = setTimeout(over, DISCONNECTED_MS);
      else if (["failed", "closed"].includes(peer.connectionState)) over();
    });
  });
}
