/** Sale clock, price in force and countdowns, as a page computes them. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { holdLeft, offer, saleMs } from "../../client_demo/js/pricing.js";

const show = (more = {}) => ({ state: "live", frozen: false, frozen_total_ms: 0, frozen_since_ms: 0, ...more });
const flash = { id: "f", price_minor: 3600, starts_sale_ms: 10_000, ends_sale_ms: 70_000, quantity_left: 20, visible_from_ms: 9_000 };
const product = { sku: "a", list_price_minor: 4800, reference_price_minor: 4800, flash };
const at = (ms, given = show(), goods = product) => offer(given, goods, ms, ms);

test("the sale clock leaves frozen time out and stands still while frozen", () => {
  assert.equal(saleMs(show({ frozen_total_ms: 5_000 }), 50_000), 45_000);
  assert.equal(saleMs(show({ frozen: true, frozen_since_ms: 20_000, frozen_total_ms: 5_000 }), 50_000), 15_000);
});

test("before its announcement a flash does not exist, then it is announced, then it runs, then it is over", () => {
  assert.equal(at(8_000).flash, null);
  assert.deepEqual([at(9_500).flash.phase, at(9_500).price_minor], ["announced", 4800]);
  assert.equal(at(9_500).flash.remaining_ms, 500);
  assert.deepEqual([at(10_000).flash.phase, at(10_000).price_minor], ["running", 3600]);
  assert.deepEqual([at(69_999).price_minor, at(70_000).price_minor], [3600, 4800]);
  assert.equal(at(70_000).flash, null);
});

test("it starts with the frame on screen and ends with the server's clock", () => {
  const behind = (server) => offer(show(), product, server - 800, server);
  assert.equal(behind(10_400).price_minor, 4800);
  assert.equal(behind(10_800).price_minor, 3600);
  assert.equal(behind(70_000).price_minor, 4800);
});

test("it starts with the frame of its press, however late the command was, and never before the server gives it", () => {
  const pressed = { ...product, flash: { ...flash, visible_from_ms: 9_800, pressed_before_ms: 200 } };
  const seen = (present, server) => offer(show(), pressed, present, server).price_minor;
  assert.equal(seen(9_799, 10_299), 4800);
  assert.equal(seen(9_800, 10_300), 3600);
  assert.equal(seen(9_900, 9_950), 4800);
});

test("a freeze stops the countdown where it stands, and the price with it", () => {
  const frozen = show({ frozen: true, frozen_since_ms: 40_000 });
  assert.equal(at(40_000, frozen).flash.remaining_ms, 30_000);
  assert.equal(at(400_000, frozen).flash.remaining_ms, 30_000);
  assert.equal(at(400_000, frozen).flash.paused, true);
  assert.equal(at(400_000, frozen).price_minor, 3600);
  const after = show({ frozen_total_ms: 360_000 });
  assert.equal(at(400_000, after).flash.remaining_ms, 30_000);
});

test("a used-up quantity ends it at once", () => {
  assert.equal(at(20_000, show(), { ...product, flash: { ...flash, quantity_left: 0 } }).price_minor, 4800);
});

test("only the 30-day low may be struck through, and only when it is higher", () => {
  assert.deepEqual([at(20_000).was_minor, at(20_000).percent], [4800, 25]);
  assert.equal(at(80_000).was_minor, null);
  assert.deepEqual([at(20_000, show(), { ...product, reference_price_minor: null }).was_minor, at(20_000, show(), { ...product, reference_price_minor: null }).percent], [null, 0]);
});

test("a server that only says the hour of the end is understood, too", () => {
  const plain = { ...product, flash: { id: "f", price_minor: 3600, starts_at_ms: 12_000, ends_at_ms: 72_000 } };
  assert.equal(at(71_999, show({ frozen_total_ms: 2_000 }), plain).price_minor, 3600);
  assert.equal(at(72_000, show({ frozen_total_ms: 2_000 }), plain).price_minor, 4800);
});

test("a hold runs on the sale clock", () => {
  const order = { expires_sale_ms: 120_000, expires_at_ms: null, remaining_ms: null };
  assert.equal(holdLeft(show(), order, 100_000), 20_000);
  assert.equal(holdLeft(show({ frozen: true, frozen_since_ms: 100_000 }), order, 500_000), 20_000);
  assert.equal(holdLeft(show(), order, 130_000), 0);
});
