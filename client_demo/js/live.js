/**
 * The live updates of a show over one WebSocket: ticket, resume by {epoch, seq}, server clock, reconnecting.
 * It decides when to connect and never what an update means; a page gives it `receive`, which answers "loss" when the
 * chain has a gap.
 */
import { Offline, Problem, sleep } from "./api.js";
import { ServerClock } from "./timeline.js";

const BACKOFF_MS = 400;
const BACKOFF_MAX_MS = 12_000;
const PINGS_AT_START = 5;
const PING_EVERY_MS = 8_000;
/** No tick is slower than 1 s; this long without any message means that the connection is dead. */
const SILENCE_MS = 6_000;

/** @typedef {"connecting" | "live" | "reconnecting" | "stopped"} Status */

/**
 * How long to wait before connecting again, or null for never (contract: 4500–4999).
 * @param {number} code close code @param {number} attempt failures in a row @param {number} random 0–1
 */
export function reconnectDelay(code, attempt, random) {
  if (code >= 4500 && code <= 4999) return null;
  const spread = Math.min(BACKOFF_MAX_MS, BACKOFF_MS * 2 ** Math.min(attempt, 6)) * (0.5 + random / 2);
  if (code === 4008 && attempt === 0) return 0;
  if (code === 4009) return 5_000 + spread;
  return spread;
}

export class Live {
  /**
   * @param {import("./api.js").Api} api
   * @param {{receive: (update: any) => string, position: () => {epoch: string, seq: number} | null,
   *   status: (status: Status, code: string) => void}} page
   */
  constructor(api, page) {
    this.api = api;
    this.page = page;
    this.clock = new ServerClock();
    /** @type {WebSocket | null} */
    this.socket = null;
    this.hello = /** @type {any} */ (null);
    this.stopped = false;
    this.resyncs = 0;
    this.attempt = 0;
    /** @type {(() => void) | null} ends a wait early */
    this.wake = null;
    addEventListener("online", () => this.wake?.());
  }

  /** Server time now, ms. */
  now() {
    return this.clock.at(performance.now());
  }

  start() {
    void this.run();
  }

  /** @param {string} reason */
  stop(reason) {
    this.stopped = true;
    this.socket?.close(1000);
    this.page.status("stopped", reason);
  }

  /** @param {any} message @returns {boolean} whether it could be sent */
  send(message) {
    if (this.socket?.readyState !== WebSocket.OPEN) return false;
    this.socket.send(JSON.stringify(message));
    return true;
  }

  async run() {
    this.page.status("connecting", "");
    while (!this.stopped) {
      const code = await this.once();
      if (this.stopped) return;
      const wait = typeof code === "string" ? null : reconnectDelay(code, this.attempt++, Math.random());
      if (wait === null) return this.stop(code === 4503 ? "banned" : String(code));
      this.page.status("reconnecting", "");
      await Promise.race([sleep(wait), new Promise((resolve) => (this.wake = () => resolve(null)))]);
    }
  }

  /** One connection, from ticket to close. @returns {Promise<number | string>} close code, or why it may not be tried again */
  async once() {
    let ticket;
    try {
      ({ ticket } = await this.api.call("POST", "/ticket", { body: {} }));
    } catch (error) {
      if (error instanceof Offline || !(error instanceof Problem)) return 1006;
      if (error.status === 429 || error.status >= 500) return 4009;
      return error.code;
    }
    const from = this.resyncs > 1 ? null : this.page.position();
    const query = from ? `?epoch=${encodeURIComponent(from.epoch)}&seq=${from.seq}` : "";
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    const socket = new WebSocket(`${scheme}://${location.host}/ws/${encodeURIComponent(this.api.show)}${query}`, ["vendue.v1", `ticket.${ticket}`]);
    this.socket = socket;
    const timers = this.watch(socket);
    const code = await new Promise((resolve) => {
      socket.onmessage = ({ data }) => this.message(socket, data);
      socket.onclose = (event) => resolve(event.code);
    });
    timers.forEach(clearInterval);
    return code;
  }

  /** Pings, and the watch over silence. @param {WebSocket} socket */
  watch(socket) {
    this.heard = performance.now();
    const ping = () => socket.readyState === WebSocket.OPEN && socket.send(JSON.stringify({ type: "ping", t: performance.now() }));
    socket.onopen = () => {
      for (let i = 0; i < PINGS_AT_START; i++) setTimeout(ping, i * 120);
    };
    return [setInterval(ping, PING_EVERY_MS), setInterval(() => this.checkSilence(socket), 1000)];
  }

  /** @param {WebSocket} socket */
  checkSilence(socket) {
    if (performance.now() - (this.heard ?? 0) < SILENCE_MS) return;
    socket.onclose?.(new CloseEvent("close", { code: 1006 })); // a dead peer may take minutes to close for real
    socket.onclose = null;
    socket.close();
  }

  /** @param {WebSocket} socket @param {string} data */
  message(socket, data) {
    const received = performance.now();
    this.heard = received;
    const update = JSON.parse(data);
    if (update.type === "pong") return this.clock.sample(update.data.t, received, update.data.server_ms);
    if (update.type === "hello") {
      this.hello = update.data;
      this.clock.guess(received, update.data.server_ms);
      this.attempt = 0;
      if (update.data.resumed) this.page.status("live", "");
      return;
    }
    if (update.type === "drain") return void setTimeout(() => socket.close(1000), update.data.reconnect_after_ms ?? 0);
    const verdict = this.page.receive(update);
    if (update.type === "snapshot") {
      this.resyncs = 0;
      this.page.status("live", "");
    }
    if (verdict === "loss") {
      this.resyncs++;
      socket.close(1000);
    }
  }
}
