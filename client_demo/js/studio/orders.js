/** A show's newest orders, with who bought and for how much, and all of them as a file. */
import { $, h, list, show, text } from "../dom.js";
import { money } from "../format.js";
import { attempt, saveFile } from "../tools.js";

const NEWEST = 2 ** 53 - 1;
const SHOWN = 40;
const PACE_MS = 1_000;

/** Words and colour of a state. @type {Record<string, string[]>} */
const TAGS = { open: ["Not paid yet", ""], held: ["Held", "warn"], paying: ["Paying", "warn"], paid: ["Paid", "ok"], cancelled: ["Given back", ""], expired: ["Expired", ""], refund_due: ["Refunding", "info"], refunded: ["Refunded", "info"] };

/** What of an order's money stays. Pure. @param {any} order */
export const kept = (order) => order.total_minor - order.refunds.reduce((/** @type {number} */ sum, /** @type {any} */ refund) => sum + refund.amount_minor, 0);

/** A buyer by the end of the pid: the log knows no names. Pure. @param {string} pid */
export const buyerName = (pid) => `Buyer ${pid.slice(-4)}`;

/** What was bought, in a few words. Pure. @param {any} order @param {Record<string, {title: string}>} products */
export const named = ({ lines: [first, ...more] }, products) => `${products[first.sku]?.title ?? first.sku}${first.quantity > 1 ? ` × ${first.quantity}` : ""}${more.length ? ` + ${more.length} more` : ""}`;

export class Orders {
  /** @param {import("../feed.js").Feed} feed @param {() => void} redraw */
  constructor(feed, redraw) {
    this.feed = feed;
    this.redraw = redraw;
    /** @type {any[] | null} */
    this.orders = null;
    this.closed = false;
    this.asking = false;
    this.seen = "";
    $("orders-file").onclick = () => void attempt(() => saveFile(feed.api, "/orders.csv", `${feed.state.show.id}-orders.csv`));
  }

  /** Looks again when the stock says that something was bought; at most once a second. */
  draw() {
    const { products } = this.feed.state;
    const seen = Object.values(products).map((product) => `${product.left}/${product.held}/${product.sold}`).join();
    if (seen !== this.seen && !this.asking && !this.closed) void this.look(seen);
    if (this.orders) this.rows(this.orders);
  }

  /** @param {string} seen */
  async look(seen) {
    this.asking = true;
    try {
      this.orders = (await this.feed.api.call("GET", `/orders?before=${NEWEST}&limit=${SHOWN}`)).orders;
      this.seen = seen;
    } catch (error) {
      this.closed = /** @type {any} */ (error).status === 403;
      if (this.closed) $("orders").replaceChildren(h("p", { class: "empty", text: "Orders are for the show’s creator and its sellers." }));
      show($("orders-file"), !this.closed);
    }
    setTimeout(() => {
      this.asking = false;
      this.redraw();
    }, PACE_MS);
    this.redraw();
  }

  /** @param {any[]} orders */
  rows(orders) {
    const parent = $("orders");
    const { products, show: now } = this.feed.state;
    if (!orders.length) return void parent.replaceChildren(h("p", { class: "empty", text: "No orders yet. Each one shows here as the ledger takes it." }));
    list(parent, orders, (order) => order.id, (order) => h("div", { class: "ord", "data-testid": "order-row" },
      h("img", { class: "th", src: products[order.lines[0].sku]?.image_url ?? "/static/assets/bag.svg", width: 36, height: 36, alt: "" }),
      h("div", { class: "grow" }, h("div", { class: "sm b clip" }), h("div", { class: "xs mut clip n" })),
      h("div", { class: "end" }, h("b", { class: "sm n" }), h("div", {}, h("span")))), (row, order) => {
      const [, what, sum] = /** @type {any} */ (row.children);
      text(what.children[0], named(order, products));
      text(what.children[1], `${buyerName(order.buyer)} · entry ${order.entry}`);
      text(sum.children[0], money(order.state === "paid" ? kept(order) : order.total_minor, now.currency));
      const [word, tone] = TAGS[order.state];
      const part = order.state === "paid" && order.refunds.length ? "Part refunded" : word;
      sum.children[1].firstChild.className = `tag m ${tone}`;
      text(sum.children[1].firstChild, part);
    });
  }
}
