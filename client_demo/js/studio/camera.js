/** Camera and microphone of the studio: choosing, preview, level, muting. */
import { $, attr, h, show, text } from "../dom.js";

const BARS = 24;
const FLOOR_DB = -60;
const GOOD_DB = -40;
const LOUD_DB = -6;

export class Camera {
  /** @param {{track: (track: MediaStreamTrack) => void, draw: () => void}} page `track`: a track has taken the place of another */
  constructor(page) {
    this.page = page;
    /** @type {MediaStream | null} */
    this.stream = null;
    this.problem = "";
    this.opening = false;
    this.meter = $("meter");
    for (let i = 0; i < BARS; i++) this.meter.append(h("i"));
    $("cameras").addEventListener("change", () => this.change("video"));
    $("microphones").addEventListener("change", () => this.change("audio"));
    navigator.mediaDevices?.addEventListener("devicechange", () => this.listDevices());
  }

  /** Asks for both devices; with a sentence in `problem` where that fails. */
  async open() {
    if (this.opening) return;
    this.opening = true;
    this.problem = "Asking the browser for your camera…";
    this.page.draw();
    try {
      this.stream = await navigator.mediaDevices.getUserMedia({ video: this.wanted(), audio: this.sound() });
      this.problem = "";
      /** @type {any} */ ($("preview")).srcObject = this.stream;
      this.listen();
      await this.listDevices();
    } catch (error) {
      const name = /** @type {any} */ (error)?.name ?? "";
      this.problem = !navigator.mediaDevices ? "Browsers give the camera only to https pages and to localhost. Use OBS instead."
        : name === "NotAllowedError" ? "The camera is blocked in the browser. Allow it in the address bar and reload."
          : name === "NotFoundError" ? "No camera found. Plug one in or use OBS." : `The camera could not be opened (${name}).`;
    }
    this.opening = false;
    this.page.draw();
  }

  /** @param {string} [id] */
  wanted(id) {
    return { width: { ideal: 1280 }, height: { ideal: 720 }, frameRate: { ideal: 30, max: 30 }, ...(id ? { deviceId: { exact: id } } : {}) };
  }

  /** @param {string} [id] */
  sound(id) {
    return { echoCancellation: true, noiseSuppression: true, autoGainControl: true, ...(id ? { deviceId: { exact: id } } : {}) };
  }

  /** @param {"video" | "audio"} kind */
  async change(kind) {
    if (!this.stream) return;
    const id = /** @type {any} */ ($(kind === "video" ? "cameras" : "microphones")).value;
    const fresh = await navigator.mediaDevices.getUserMedia(kind === "video" ? { video: this.wanted(id) } : { audio: this.sound(id) });
    const [track] = fresh.getTracks();
    for (const old of this.stream.getTracks().filter((other) => other.kind === kind)) {
      track.enabled = old.enabled;
      old.stop();
      this.stream.removeTrack(old);
    }
    this.stream.addTrack(track);
    if (kind === "audio") this.listen();
    this.page.track(track);
    this.page.draw();
  }

  async listDevices() {
    const devices = await navigator.mediaDevices.enumerateDevices();
    for (const [id, kind, word] of [["cameras", "videoinput", "Camera"], ["microphones", "audioinput", "Microphone"]]) {
      const options = devices.filter((device) => device.kind === kind).map((device, index) => h("option", { value: device.deviceId, text: device.label || `${word} ${index + 1}` }));
      $(id).replaceChildren(...options);
      const used = this.stream?.getTracks().find((track) => track.kind === (kind === "videoinput" ? "video" : "audio"));
      if (used) /** @type {any} */ ($(id)).value = used.getSettings().deviceId ?? "";
    }
  }

  /** Meters the microphone. */
  listen() {
    void this.audio?.close();
    const [track] = this.stream?.getAudioTracks() ?? [];
    if (!track) return;
    this.audio = new AudioContext();
    const analyser = this.audio.createAnalyser();
    analyser.fftSize = 1024;
    this.audio.createMediaStreamSource(new MediaStream([track])).connect(analyser);
    const samples = new Float32Array(analyser.fftSize);
    clearInterval(this.timer);
    this.timer = setInterval(() => {
      analyser.getFloatTimeDomainData(samples);
      const power = samples.reduce((sum, sample) => sum + sample * sample, 0) / samples.length;
      this.drawLevel(Math.max(FLOOR_DB, 10 * Math.log10(power + 1e-9)), track.enabled);
    }, 120);
  }

  /** @param {number} db @param {boolean} on */
  drawLevel(db, on) {
    const lit = on ? Math.round(((db - FLOOR_DB) / -FLOOR_DB) * BARS) : 0;
    [...this.meter.children].forEach((bar, index) => attr(bar, "class", index < lit ? (index >= BARS * 0.7 ? "on hi" : "on") : null));
    attr(this.meter, "aria-valuenow", Math.round(db));
    text($("level"), !on ? "Muted" : db < GOOD_DB ? "Quiet" : db > LOUD_DB ? "Too loud" : "Good level");
  }

  /** @param {"video" | "audio"} kind @returns {boolean} whether it is on now */
  toggle(kind) {
    const track = this.stream?.getTracks().find((candidate) => candidate.kind === kind);
    if (!track) return false;
    track.enabled = !track.enabled;
    this.page.draw();
    return track.enabled;
  }

  draw() {
    const [video] = this.stream?.getVideoTracks() ?? [];
    const [audio] = this.stream?.getAudioTracks() ?? [];
    attr($("mic"), "aria-pressed", String(audio ? !audio.enabled : false));
    attr($("cam"), "aria-pressed", String(video ? !video.enabled : false));
    const { width = 0, height = 0, frameRate } = video?.getSettings() ?? {};
    text($("size"), height ? `${Math.min(width, height)}p · ${Math.round(frameRate ?? 0)}` : "");
    show($("size"), Boolean(height));
  }
}
