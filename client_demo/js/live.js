/**
 * The live updates of a show over one WebSocket: ticket, resume, server clock, reconnecting. What an update means is the
 * page's business: `receive(update)` answers "loss" on a gap, `position()` is where to resume, `status(status, code)` hears
 * "connecting", "live", "reconnecting", "stopped".
 */
import { Problem, sleep } from "./api.js";
import { ServerClock } from "./timeline.js";

const BACKOFF_MS = 400;
const BACKOFF_MAX_MS = 12_000;
const PINGS_AT_START = 5;
const PING_EVERY_MS = 8_000;
/** So long a ping may take before the network is thought to be another one. */
const ANSWER_MS = 400;
/** No tick is slower than 1 s; this long without any message means that the connection is dead. */
const SILENCE_MS = 6_000;

/** How long to wait after a close before connecting again (`attempt` failures so far, `random` 0–1); null for never. */
export function reconnectDelay(code, attempt, random) {
  if (code >= 4500 && code <= 4999) return null;
  if (code === 4008 && attempt === 0) return 0;
  const spread = Math.min(BACKOFF_MAX_MS, BACKOFF_MS * 2 ** Math.min(attempt, 6)) * (0.5 + random / 2);
  return code === 4009 ? 5_000 + spread : spread;
}

export class Live {
  clock = new ServerClock();
  socket = null;
  hello = null;
  stopped = false;
  resyncs = 0;
  attempt = 0;
  heard = 0;
  wake = () => {};
  giveUp = () => {};

  constructor(api, page) {
    this.api = api;
    this.page = page;
    addEventListener("online", () => this.wake());
  }

  /** Server time now, ms. */
  now() {
    return this.clock.at(performance.now());
  }

  stop(reason) {
    this.stopped = true;
    this.socket?.close(1000);
    this.page.status("stopped", reason);
  }

  send(message) {
    if (this.socket?.readyState !== WebSocket.OPEN) return false;
    this.socket.send(JSON.stringify(message));
    return true;
  }

  /** Whether the server is there: when it is not heard soon, this connection is given up for a new one. */
  async answers() {
    const asked = performance.now();
    this.send({ type: "ping", t: asked });
    await sleep(ANSWER_MS);
    if (this.heard > asked) return true;
    this.giveUp();
    this.wake();
    return false;
  }

  async run() {
    this.page.status("connecting", "");
    while (!this.stopped) {
      const code = await this.once();
      if (this.stopped) return;
      const wait = typeof code === "string" ? null : reconnectDelay(code, this.attempt++, Math.random());
      if (wait === null) return this.stop(code === 4503 ? "banned" : String(code));
      this.page.status("reconnecting", "");
      await Promise.race([sleep(wait), new Promise((resolve) => (this.wake = resolve))]);
    }
  }

  /** One connection, from ticket to close: its close code, or in words why it may not be tried again. */
  async once() {
    let ticket;
    try {
      ({ ticket } = await this.api.call("POST", "/ticket", { body: {} }));
    } catch (error) {
      if (!(error instanceof Problem)) return 1006;
      return error.status === 429 || error.status >= 500 ? 4009 : error.code;
    }
    const from = this.resyncs > 1 ? null : this.page.position();
    const query = from ? `?epoch=${encodeURIComponent(from.epoch)}&seq=${from.seq}` : "";
    const url = `${location.origin.replace("http", "ws")}/ws/${encodeURIComponent(this.api.show)}${query}`;
    const socket = (this.socket = new WebSocket(url, ["vendue.v1", `ticket.${ticket}`]));
    const ping = () => socket.readyState === WebSocket.OPEN && this.send({ type: "ping", t: performance.now() });
    socket.onopen = () => {
      for (let i = 0; i < PINGS_AT_START; i++) setTimeout(ping, i * 120);
    };
    this.heard = performance.now();
    return new Promise((resolve) => {
      const timers = [setInterval(ping, PING_EVERY_MS), setInterval(() => performance.now() - this.heard > SILENCE_MS && end(1006), 1000)];
      const end = (code) => {
        timers.forEach(clearInterval);
        socket.onmessage = socket.onclose = null;
        socket.close(); // a dead peer may take minutes to close for real
        resolve(code);
      };
      this.giveUp = () => end(1006);
      socket.onmessage = ({ data }) => this.message(socket, JSON.parse(data));
      socket.onclose = ({ code }) => end(code);
    });
  }

  message(socket, update) {
    const { type, data } = update;
    this.heard = performance.now();
    if (type === "pong") return this.clock.sample(data.t, this.heard, data.server_ms);
    if (type === "drain") return setTimeout(() => socket.close(1000), data.reconnect_after_ms ?? 0);
    if (type === "hello") {
      this.hello = data;
      this.clock.guess(this.heard, data.server_ms);
      this.attempt = 0;
      if (data.resumed) this.page.status("live", "");
      return;
    }
    const verdict = this.page.receive(update);
    if (type === "snapshot") {
      this.resyncs = 0;
      this.page.status("live", "");
    }
    if (verdict === "loss") {
      this.resyncs++;
      socket.close(1000);
    }
  }
}
