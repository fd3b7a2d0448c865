/** What the Buy button says. Pure. */
import { ownUnits } from "../store.js";
import { WORDS } from "../words.js";

/** A spinner before this would only flicker. */
export const SPINNER_MS = 300;
export const STILL_MS = 3_000;

/** Is there none left, as far as the product's stock is shown? */
export const isGone = ({ left, sold_out }) => (left == null ? Boolean(sold_out) : left <= 0);

/**
 * {label, enabled, spinner, note, soldOut}. `askedMs`: since the tap that waits for its answer; `holdMs`: left of an own hold
 * of this product (null: none). `online`: prices here are current. `closed`: why this viewer may not buy at all, or "". `joins`: a tap
 * joins those who wait for it; `waits`: one is among them.
 */
export function buyButton({ state, product, offer, online, askedMs, holdMs, closed }) {
  const { show } = state;
  const flashLimit = offer.own?.phase === "running" ? product.flash.per_viewer_max : null;
  const limit = Math.min(product.per_viewer_max || Infinity, flashLimit || Infinity);
  const own = ownUnits(state, product.sku);
  const ready = { label: WORDS.buy(offer.price_minor, show.currency), enabled: true, spinner: false, note: "", soldOut: false };
  const off = (label, note = "", more = {}) => ({ ...ready, label, enabled: false, note, ...more });
  if (askedMs !== null && askedMs < SPINNER_MS) return { ...ready, enabled: false };
  if (askedMs !== null) return off(askedMs > STILL_MS ? WORDS.stillAsking : WORDS.asking, "", { spinner: true });
  if (closed) return off(closed);
  if (holdMs !== null) return { ...ready, label: WORDS.finish(holdMs) };
  if (show.state === "ended") return off(WORDS.showEnded);
  if (show.state === "scheduled") return off(WORDS.notStarted);
  if (!online) return off(WORDS.waiting);
  if (product.listed === false) return off(WORDS.notForSale);
  if (product.hold_policy === "lottery") return off(WORDS.byLottery, WORDS.lotteryText);
  const place = state.places[product.sku];
  if (isGone(product) && place) return off(WORDS.inLine(place), WORDS.turn, { soldOut: true, waits: true });
  if (isGone(product) && !product.parts && own < limit) return { ...ready, label: WORDS.join, note: `${WORDS.wouldBe((product.waiting ?? 0) + 1)} ${WORDS.turn}`, soldOut: true, joins: true };
  if (isGone(product)) return off(WORDS.soldOut, product.held ? WORDS.cameBack : "", { soldOut: true });
  if (show.state === "paused") return off(WORDS.showPaused, WORDS.pausedText);
  if (show.sales_paused) return off(WORDS.salesArePaused, WORDS.moderatorCheck);
  if (own >= limit) return off(WORDS.limit(own, limit), WORDS.limitRule(limit));
  return product.hold_policy === "pay_first" ? { ...ready, note: WORDS.payFirst } : ready;
}
