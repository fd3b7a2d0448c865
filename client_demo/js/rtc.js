/**
 * What WHIP (RFC 9725) and WHEP share: an offer posted as it is (the server is ICE-lite with a public candidate in its answer, so
 * nothing has to be gathered or trickled first), the resource that the answer names, and its DELETE.
 * `window.vendue.peers` lists the page's live connections, for tests and for the curious.
 */
import { Offline, Problem } from "./api.js";

const CONNECT_TIMEOUT_MS = 10_000;
/** ICE may recover by itself from a short gap. */
const DISCONNECTED_MS = 2_500;

/** @type {RTCPeerConnection[]} */
const peers = [];
/** @type {any} */ (window).vendue = { peers };

/** @param {RTCIceServer[]} iceServers */
export function openPeer(iceServers) {
  const peer = new RTCPeerConnection({ bundlePolicy: "max-bundle", iceServers });
  peers.push(peer);
  return peer;
}

/** @param {RTCPeerConnection} peer */
export function closePeer(peer) {
  peer.close();
  const at = peers.indexOf(peer);
  if (at >= 0) peers.splice(at, 1);
}

/** Puts H264 baseline first, then the rest as the browser has it. @param {RTCRtpTransceiver} transceiver @param {"sender" | "receiver"} side */
export function preferH264(transceiver, side) {
  const codecs = (side === "sender" ? RTCRtpSender : RTCRtpReceiver).getCapabilities("video")?.codecs;
  if (!codecs || !transceiver.setCodecPreferences) return;
  /** @param {{mimeType: string, sdpFmtpLine?: string}} codec */
  const rank = ({ mimeType, sdpFmtpLine = "" }) => {
    if (mimeType !== "video/H264") return 2;
    return sdpFmtpLine.includes("42e01f") && sdpFmtpLine.includes("packetization-mode=1") ? 0 : 1;
  };
  transceiver.setCodecPreferences([...codecs].sort((a, b) => rank(a) - rank(b)));
}

/**
 * Posts the peer's offer and takes the answer.
 * @param {RTCPeerConnection} peer @param {string} url @param {Record<string, string>} headers
 * @returns {Promise<{resource: string, publication: string}>} throws Problem or Offline
 */
export async function negotiate(peer, url, headers) {
  await peer.setLocalDescription(await peer.createOffer());
  let response, answer;
  try {
    const init = { method: "POST", headers: { "Content-Type": "application/sdp", ...headers }, body: peer.localDescription?.sdp, signal: AbortSignal.timeout(CONNECT_TIMEOUT_MS) };
    response = await fetch(url, init);
    answer = await response.text();
  } catch {
    throw new Offline();
  }
  if (response.status !== 201) {
    let body = null;
    try {
      body = JSON.parse(answer);
    } catch {
      // a proxy's own error page
    }
    throw new Problem(response.status, body, Number(response.headers.get("Retry-After") ?? 0) * 1000);
  }
  const resource = new URL(response.headers.get("Location") ?? "", response.url).href;
  await peer.setRemoteDescription({ type: "answer", sdp: startHigh(answer) });
  return { resource, publication: response.headers.get("Vendue-Publication") ?? "" };
}

/** Chromium begins at 300 kbit/s unless told otherwise: the first seconds would be a blur. @param {string} sdp */
const startHigh = (sdp) => sdp.replace(/^(a=fmtp:\d+ .*packetization-mode=1.*)$/gm, "$1;x-google-start-bitrate=1500");

/** Ends a resource; also while the page goes away. @param {string} resource @param {Record<string, string>} headers */
export function release(resource, headers) {
  void fetch(resource, { method: "DELETE", headers, keepalive: true }).catch(() => {});
}

/**
 * Resolves when the connection is over: it failed, did not come up in time, or was gone for too long.
 * @param {RTCPeerConnection} peer @param {() => void} connected @param {AbortSignal} signal
 */
export function untilOver(peer, connected, signal) {
  return new Promise((resolve) => {
    let timer = setTimeout(resolve, CONNECT_TIMEOUT_MS, "timeout");
    signal.addEventListener("abort", () => resolve("stopped"));
    peer.addEventListener("connectionstatechange", () => {
      clearTimeout(timer);
      if (peer.connectionState === "connected") connected();
      else if (peer.connectionState === "disconnected") timer = setTimeout(resolve, DISCONNECTED_MS, "disconnected");
      else if (peer.connectionState === "failed" || peer.connectionState === "closed") resolve(peer.connectionState);
    });
  });
}
