/** Standing in line for what is sold out; loaded with the first tap. */
import { newKey } from "../api.js";

const LOOK_MS = 2_000;

export class Waitlist {
  /** @param {import("../feed.js").Feed} feed @param {(code: string, detail: object) => void} refused */
  constructor(feed, refused) {
    this.feed = feed;
    this.refused = refused;
    this.asking = this.looking = false;
  }

  /** Where one stands: what the updates of another page, or of a minute without a connection, did not tell here. */
  async read() {
    const answer = await this.feed.api.call("GET", "/waitlist").catch(() => null);
    if (answer) this.feed.takeLines(answer.lines);
  }

  /** The line has moved: look at most once in `LOOK_MS` where one stands now, however often it does. */
  moved() {
    if (this.looking) return;
    this.looking = true;
    setTimeout(() => {
      this.looking = false;
      void this.read();
    }, LOOK_MS);
  }

  /** @param {string} sku */
  async join(sku) {
    await this.ask(sku, () => this.feed.api.call("POST", `/products/${sku}/waitlist`, { body: {}, key: newKey() }));
  }

  /** @param {string} sku */
  async leave(sku) {
    await this.ask(sku, () => this.feed.api.call("DELETE", `/products/${sku}/waitlist`));
  }

  /** One question at a time; its answer comes as an update, too, and so does a turn. @param {string} sku @param {() => Promise<unknown>} call */
  async ask(sku, call) {
    if (this.asking) return;
    this.asking = true;
    try {
      await call();
    } catch (error) {
      const { code = "refused", body } = /** @type {any} */ (error);
      this.refused(code, { sku, ...body });
    } finally {
      this.asking = false;
      await this.read();
    }
  }
}
