/**
 * The sale clock and the price in force, computed from the show's state and server time exactly as the store does it.
 * Pure. The server has the last word on every order; this only makes sure that no page offers what it would refuse.
 */

/** @import {FlashView, Offer, Order, Product, Show} from "./types" */

/**
 * Sale-clock time: server time without the spans in which the show was frozen.
 * @param {Show} show @param {number} serverMs
 */
export function saleMs(show, serverMs) {
  const at = show.frozen && show.frozen_since_ms ? Math.min(show.frozen_since_ms, serverMs) : serverMs;
  return at - show.frozen_total_ms;
}

/**
 * A deadline on the sale clock, from whichever form the server sent.
 * @param {Show} show @param {number | null | undefined} deadlineSaleMs @param {number | null | undefined} deadlineAtMs
 */
export function deadline(show, deadlineSaleMs, deadlineAtMs) {
  if (deadlineSaleMs != null) return deadlineSaleMs;
  return deadlineAtMs == null ? null : deadlineAtMs - show.frozen_total_ms;
}

/**
 * What is offered for a product now. `presentMs` is the server time of the video frame on screen: a flash starts when
 * the viewer sees it start. `serverMs` ends it: no page offers a price that is over.
 * @param {Show} show @param {Product} product @param {number} presentMs @param {number} serverMs
 * @returns {Offer}
 */
export function offer(show, product, presentMs, serverMs) {
  const flash = flashView(show, product, presentMs, serverMs);
  const running = flash?.phase === "running";
  const price_minor = running && product.flash ? product.flash.price_minor : product.list_price_minor;
  const reference = product.reference_price_minor ?? 0;
  const was_minor = reference > price_minor ? reference : null;
  return { price_minor, was_minor, percent: was_minor ? Math.round((1 - price_minor / was_minor) * 100) : 0, flash };
}

/**
 * @param {Show} show @param {Product} product @param {number} presentMs @param {number} serverMs
 * @returns {FlashView | null}
 */
function flashView(show, product, presentMs, serverMs) {
  const flash = product.flash;
  if (!flash || flash.quantity_left === 0 || presentMs < (flash.visible_from_ms ?? 0) - 0.5) return null;
  const starts = deadline(show, flash.starts_sale_ms, flash.starts_at_ms) ?? 0;
  const ends = deadline(show, flash.ends_sale_ms, flash.ends_at_ms);
  if (ends === null) return null;
  const now = saleMs(show, serverMs);
  if (now >= ends) return null;
  const common = { paused: show.frozen, quantity_left: flash.quantity_left ?? null };
  if (saleMs(show, presentMs) < starts - 0.5) return { phase: "announced", remaining_ms: Math.max(0, starts - now), fraction: 1, ...common };
  return { phase: "running", remaining_ms: ends - now, fraction: (ends - now) / Math.max(1, ends - starts), ...common };
}

/**
 * Time left of a hold and the share of it, on the sale clock; 0 when it is over.
 * @param {Show} show @param {Order} order @param {number} serverMs
 */
export function holdLeft(show, order, serverMs) {
  const ends = deadline(show, order.expires_sale_ms, order.expires_at_ms);
  if (ends === null) return order.remaining_ms ?? 0;
  return Math.max(0, ends - saleMs(show, serverMs));
}
