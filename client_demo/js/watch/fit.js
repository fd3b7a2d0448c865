/** Tells the server how large the picture is drawn: a layer larger than that would cost both sides and show nothing more. */
import { sleep } from "../api.js";

const EVERY_MS = 1_000;

/**
 * The picture in device pixels as `object-fit: cover` draws it, with what is cut off; null before there is one. Pure.
 * @param {{videoWidth: number, videoHeight: number, clientWidth: number, clientHeight: number}} video
 */
export function drawnSize({ videoWidth, videoHeight, clientWidth, clientHeight }, pixelRatio) {
  if (!videoWidth || !videoHeight || !clientWidth || !clientHeight) return null;
  const scale = Math.max(clientWidth / videoWidth, clientHeight / videoHeight) * pixelRatio;
  const pixels = (side) => Math.min(16_384, Math.max(1, Math.round(side * scale)));
  return { maxWidth: pixels(videoWidth), maxHeight: pixels(videoHeight) };
}

export class Fit {
  told = "";
  telling = false;

  constructor({ video, whep }, api) {
    Object.assign(this, { video, whep, api });
    const look = () => void this.tell();
    new ResizeObserver(look).observe(video);
    for (const type of ["loadedmetadata", "resize"]) video.addEventListener(type, look);
    look();
  }

  /** At most once a second, and the newest size last. */
  async tell() {
    if (this.telling) return;
    this.telling = true;
    for (;;) {
      const { layer } = this.whep;
      const body = JSON.stringify(drawnSize(this.video, devicePixelRatio));
      if (!layer || body === "null" || this.told === layer + body) break;
      const headers = { "Content-Type": "application/json", ...this.api.bearer() };
      const answer = await fetch(layer, { method: "POST", headers, body, signal: AbortSignal.timeout(5_000) }).catch(() => null);
      if (answer) this.told = layer + body; // a refusal will not become something else
      await sleep(EVERY_MS);
    }
    this.telling = false;
  }
}
