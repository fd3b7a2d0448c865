/**
 * One show on one page: the state, the server's clock and the video's timeline, kept current by the live updates.
 * Views read `state`, `now()` and `present()` and are told when to draw.
 */
import { Live } from "./live.js";
import { fromSnapshot, receive, withOrders } from "./store.js";
import { Timeline } from "./timeline.js";
import { sleep } from "./api.js";

/** The snapshot that the server wrote into the page, or null. @returns {any} */
export function inlineSnapshot() {
  const found = document.getElementById("snapshot");
  return found ? JSON.parse(found.textContent || "null") : null;
}

/** The show's id in the page's address. */
export const showId = () => decodeURIComponent(location.pathname.split("/").filter(Boolean)[1] ?? "");

export class Feed {
  /**
   * @param {import("./api.js").Api} api
   * @param {{draw: () => void, update?: (update: any) => void, live?: () => void}} page `live`: connected, again or for the first time
   */
  constructor(api, page) {
    this.api = api;
    this.page = page;
    /** @type {import("./types").State | null} */
    this.state = null;
    this.timeline = new Timeline();
    /** @type {import("./live.js").Status} */
    this.status = "connecting";
    this.code = "";
    this.live = new Live(api, {
      receive: (update) => this.receive(update),
      position: () => (this.state && this.seen ? { epoch: this.state.epoch, seq: this.state.last } : null),
      status: (status, code) => {
        this.status = status;
        this.code = code;
        if (status === "live") page.live?.();
        page.draw();
      },
    });
    this.seen = false;
  }

  /** Server time now, ms. */
  now() {
    return this.live.now();
  }

  /** Server time of what is on screen, ms. */
  present() {
    return this.timeline.present(this.now());
  }

  /** Takes the first snapshot from the page or from the server, then follows the show. */
  async start() {
    let snapshot = inlineSnapshot();
    while (!snapshot) {
      try {
        snapshot = await this.api.call("GET", "");
      } catch (error) {
        const code = /** @type {any} */ (error).code;
        if (code === "unknown_show" || code === "forbidden" || code === "banned") return this.live.stop(code);
        await sleep(1500);
      }
    }
    this.live.clock.guess(performance.now(), snapshot.server_ms);
    this.state ??= fromSnapshot(snapshot);
    this.page.draw();
    this.live.start();
  }

  /** @param {any} update @returns {string} */
  receive(update) {
    if (update.type === "clock") {
      this.timeline.clock(update.data);
      this.page.update?.(update);
      return "applied";
    }
    if (!this.state && update.type !== "snapshot") return "ignored";
    const { state, verdict } = receive(this.state ?? /** @type {any} */ ({}), update);
    if (update.type === "snapshot") this.seen = true;
    if (verdict === "applied") {
      this.state = state;
      this.page.update?.(update);
      this.page.draw();
    }
    return verdict;
  }

  /** Takes orders in that came as an answer. @param {...import("./types").Order} orders */
  take(...orders) {
    if (!this.state) return;
    const mine = orders.filter((order) => order.show === undefined || order.show === this.api.show);
    this.state = { ...this.state, orders: withOrders(this.state.orders, mine) };
    this.page.draw();
  }
}
