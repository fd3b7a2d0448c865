/** The sale clock and the price in force, as the store computes them; the server has the last word on every order. Pure. */

/** Sale-clock time: server time without the spans in which the show was frozen. */
export function saleMs(show, serverMs) {
  const at = show.frozen && show.frozen_since_ms ? Math.min(show.frozen_since_ms, serverMs) : serverMs;
  return at - show.frozen_total_ms;
}

/** A deadline on the sale clock, from whichever form the server sent; null without one. */
function deadline(show, deadlineSaleMs, deadlineAtMs) {
  if (deadlineSaleMs != null) return deadlineSaleMs;
  return deadlineAtMs == null ? null : deadlineAtMs - show.frozen_total_ms;
}

/**
 * What is offered for a product now (an `Offer`): a flash starts at `presentMs`, with the frame on which it was pressed, and
 * ends at `serverMs`: no page offers a price that the server does not give yet, or that is over. A product's own flash price
 * goes before that of the whole show: `flash` is that which counts, `own` the product's. Both go before a campaign: `campaign`
 * is there when it gives the price. What is struck through is never more than what a reduction is taken off.
 */
export function offer(show, product, presentMs, serverMs) {
  const own = view(show, product.flash, presentMs, serverMs);
  const whole = product.show_flash_price_minor == null ? null : wholeShow(show, presentMs, serverMs);
  const days = product.campaign_price_minor == null ? null : campaignOf(show, presentMs, serverMs);
  const counting = [[days, product.campaign_price_minor], [whole, product.show_flash_price_minor], [own, product.flash?.price_minor]].filter(([window]) => window);
  let [price_minor, below, by] = [product.list_price_minor, Infinity, null];
  for (const [window, minor] of counting) {
    below = Math.min(below, price_minor);
    if (window.phase === "running") [price_minor, by] = [minor, window];
  }
  const lowest = Math.min(product.reference_price_minor ?? 0, below);
  const was_minor = lowest > price_minor ? lowest : null;
  const flash = own?.phase === "running" ? own : whole?.phase === "running" ? whole : (own ?? whole);
  const campaign = by && by === days ? show.campaign : null;
  return { price_minor, was_minor, percent: was_minor ? Math.round((1 - price_minor / was_minor) * 100) : 0, flash, own, campaign };
}

/** The reduction of the whole show, as `offer` tells a flash price; null without one. */
export const wholeShow = (show, presentMs, serverMs) => view(show, show.show_flash, presentMs, serverMs);

/** The campaign, likewise. It lies on the server's clock, whatever the sale clock does: so its show is one that never froze. */
export const campaignOf = (show, presentMs, serverMs) => view({ state: show.state, frozen: false, frozen_total_ms: 0 }, show.campaign, presentMs, serverMs);

function view(show, flash, presentMs, serverMs) {
  if (!flash || show.state === "ended" || flash.quantity_left === 0 || presentMs < (flash.visible_from_ms ?? 0) - 0.5) return null;
  const starts = deadline(show, flash.starts_sale_ms, flash.starts_at_ms) ?? 0;
  const ends = deadline(show, flash.ends_sale_ms, flash.ends_at_ms);
  const now = saleMs(show, serverMs);
  if (ends === null || now >= ends) return null;
  const seen = { paused: show.frozen, quantity_left: flash.quantity_left ?? null };
  const onScreen = saleMs(show, presentMs) >= starts - (flash.pressed_before_ms ?? 0) - 0.5;
  if (!onScreen || now < starts) return { ...seen, phase: "announced", remaining_ms: Math.max(0, starts - now), fraction: 1 };
  return { ...seen, phase: "running", remaining_ms: ends - now, fraction: (ends - now) / Math.max(1, ends - starts) };
}

/** Time left of a lot, on the sale clock; 0 when it is over. */
export const lotLeft = (show, lot, serverMs) => (lot.state === "open" ? Math.max(0, lot.ends_sale_ms - saleMs(show, serverMs)) : 0);

/** What a unit at this price costs with a coupon (null: none), where it is for that product. The server alone knows floors and limits. */
export function withCoupon(price_minor, coupon, sku) {
  if (!coupon || (coupon.skus && !coupon.skus.includes(sku))) return price_minor;
  const off = coupon.percent_off === null ? coupon.amount_off_minor : Math.floor((price_minor * coupon.percent_off) / 100);
  return Math.max(Math.min(1, price_minor), price_minor - off); // one minor unit stays
}

/** Time left of a hold, on the sale clock; 0 when it is over. */
export function holdLeft(show, order, serverMs) {
  const ends = deadline(show, order.expires_sale_ms, order.expires_at_ms);
  return ends === null ? (order.remaining_ms ?? 0) : Math.max(0, ends - saleMs(show, serverMs));
}
