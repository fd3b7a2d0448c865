/** What the watch page says of an auction. */
import assert from "node:assert/strict";
import { test } from "node:test";
globalThis.document = { getElementById: () => null };
const { lotWords, shownLot } = await import("../../client_demo/js/watch/lots.js");

const show = { frozen: false, frozen_since_ms: 0, frozen_total_ms: 0 };
const lot = (more = {}) => ({ id: "l", sku: "a", state: "open", start_minor: 3000, leader: null, price_minor: null, next_minor: 3000, bids: 0, ends_sale_ms: 9000, ...more });
const words = (more, rest = {}) => lotWords({ lot: lot(more), left: 5000, me: "p_me", currency: "USD", may: true, paused: false, ...rest });

test("the open lot that ends first is shown, else the one that ended last", () => {
  const lots = [lot({ id: "late", ends_sale_ms: 9000 }), lot({ id: "soon", ends_sale_ms: 8000 }), lot({ id: "over", state: "closed" })];
  assert.equal(shownLot(lots, show, 1000).id, "soon");
  assert.equal(shownLot(lots, show, 8500).id, "late");
  assert.equal(shownLot(lots.slice(2), show, 1000).id, "over");
  assert.equal(shownLot([], show, 1000), null);
});

test("one tap is the next bid; who leads raises the maximum", () => {
  assert.equal(words({}).button, "Bid $30");
  assert.equal(words({ leader: "p_other", price_minor: 3000, next_minor: 3100, bids: 1 }).button, "Bid $31");
  assert.equal(words({ leader: "p_me", price_minor: 3000, next_minor: 3100, bids: 1 }).button, "Raise my maximum");
});

test("a lot that is over, or a viewer who may not bid, has no button to press", () => {
  assert.equal(words({}, { left: 0 }).button, "");
  assert.equal(words({}, { may: false }).enabled, false);
  assert.equal(words({}, { paused: true }).enabled, false);
  assert.match(words({ state: "closed", leader: "p_me", price_minor: 3300 }).note, /yours for \$33/);
  assert.match(words({ state: "closed", leader: "p_other", price_minor: 3300 }).note, /Sold for \$33/);
  assert.equal(words({ state: "closed" }).note, "Nobody bid.");
});
