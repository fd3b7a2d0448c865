/**
 * What WHIP (RFC 9725) and WHEP share. The offer is posted as it is: the server is ICE-lite with a public candidate in its
 * answer, so nothing has to be gathered or trickled first. `window.vendue.peers`: the live connections, for tests.
 */
import { Offline, Problem } from "./api.js";

const CONNECT_TIMEOUT_MS = 10_000;
/** ICE may recover by itself from a short gap. */
const DISCONNECTED_MS = 2_500;

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

/** Posts the peer's offer and takes the answer: {resource, publication}. Throws Problem or Offline. */
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
  return { resource: new URL(response.headers.get("Location") ?? "", response.url).href, publication: response.headers.get("Vendue-Publication") ?? "" };
}

/** Chromium begins to send at 300 kbit/s unless told otherwise: the first seconds would be a blur. */
const startHigh = (sdp) => sdp.replace(/^(a=fmtp:\d+ .*packetization-mode=1.*)$/gm, "$1;x-google-start-bitrate=1500");

/** Ends a resource; also while the page goes away. */
export function release(resource, headers) {
  fetch(resource, { method: "DELETE", headers, keepalive: true }).catch(() => {});
}

/** Resolves when the connection has failed, did not come up, or was gone for too long. */
export function untilOver(peer, connected, signal) {
  return new Promise((resolve) => {
    let timer = setTimeout(resolve, CONNECT_TIMEOUT_MS);
    signal.addEventListener("abort", resolve);
    peer.addEventListener("connectionstatechange", () => {
      clearTimeout(timer);
      if (peer.connectionState === "connected") connected();
      else if (peer.connectionState === "disconnected") timer = setTimeout(resolve, DISCONNECTED_MS);
      else if (["failed", "closed"].includes(peer.connectionState)) resolve();
    });
  });
}
