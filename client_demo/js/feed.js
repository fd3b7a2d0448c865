/**
 * One show on one page: state, server's clock and video's timeline, kept current by the live updates. The page is told when
 * to `draw`, of each `update`, and of being `live`.
 */
import { sleep } from "./api.js";
import { Live } from "./live.js";
import { fromSnapshot, receive, withOrders } from "./store.js";
import { Timeline } from "./timeline.js";

const RETRY_MS = 1500;

/** The snapshot that the server wrote into the page, or null. */
export const inlineSnapshot = () => JSON.parse(document.getElementById("snapshot")?.textContent || "null");

/** The show's id in the page's address. */
export const showId = () => decodeURIComponent(location.pathname.split("/")[2] ?? "");

export class Feed {
  state = null;
  timeline = new Timeline();
  status = "connecting";
  code = "";
  following = false;

  constructor(api, page) {
    this.api = api;
    this.page = page;
    this.live = new Live(api, {
      receive: (update) => this.receive(update),
      position: () => (this.following ? { epoch: this.state.epoch, seq: this.state.last } : null),
      status: (status, code) => {
        Object.assign(this, { status, code });
        if (status === "live") page.live?.();
        page.draw();
      },
    });
  }

  now() {
    return this.live.now();
  }

  /** Server time of what is on screen. */
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
        if (error.status < 500 && error.status !== 429) return this.live.stop(error.code);
        await sleep(RETRY_MS);
      }
    }
    this.live.clock.guess(performance.now(), snapshot.server_ms);
    this.state = fromSnapshot(snapshot);
    this.page.draw();
    void this.live.run();
  }

  receive(update) {
    if (update.type === "clock") this.timeline.clock(update.data);
    const { state, verdict } = receive(this.state, update);
    if (update.type === "snapshot") this.following = true;
    this.state = state;
    if (verdict === "applied") this.page.draw();
    if (verdict !== "duplicate") this.page.update?.(update);
    return verdict;
  }

  /** Takes in where one stands in line. @param {{sku: string, place: number | null}[]} lines */
  takeLines(lines) {
    this.state = { ...this.state, places: Object.fromEntries(lines.map(({ sku, place }) => [sku, place])) };
    this.page.draw();
  }

  /** Takes in that one has entered a draw. @param {string} draw */
  entered(draw) {
    this.state = { ...this.state, entered: { ...this.state.entered, [draw]: true } };
    this.page.draw();
  }

  /** Takes orders in that came as an answer. */
  take(...orders) {
    const here = orders.filter((order) => order.show === this.api.show);
    this.state = { ...this.state, orders: withOrders(this.state.orders, here) };
    this.page.draw();
  }
}
