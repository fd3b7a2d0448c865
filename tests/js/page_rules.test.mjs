/** Rules of the pages that need no page: Buy button, reconnecting, forecasts, verdicts, amounts. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { countdown, money, price } from "../../client_demo/js/format.js";
import { parseMoney } from "../../client_demo/js/amount.js";
import { buyButton } from "../../client_demo/js/watch/button.js";

globalThis.addEventListener ??= () => {};
globalThis.window ??= globalThis;
const { reconnectDelay } = await import("../../client_demo/js/live.js");
const { forecast, reduced, repetition, typedPrice } = await import("../../client_demo/js/studio/flash.js");
const { asked } = await import("../../client_demo/js/studio/reductions.js");
const { verdict } = await import("../../client_demo/js/studio/health.js");
const { layersFor, refitted } = await import("../../client_demo/js/whip.js");
const { moved, setId } = await import("../../client_demo/js/studio/bag.js");
const { drawWords } = await import("../../client_demo/js/watch/draws.js");
const { buyerName, kept, named } = await import("../../client_demo/js/studio/orders.js");

const show = (more = {}) => ({ state: "live", currency: "USD", sales_paused: false, frozen: false, ...more });
const product = (more = {}) => ({ sku: "a", left: 5, held: 1, sold: 2, per_viewer_max: 2, flash: null, ...more });
const button = (more = {}) => buyButton({ state: { show: show(more.show), orders: more.orders ?? {}, places: more.places ?? {} }, product: product(more.product), offer: { price_minor: 3600, flash: null, ...more.offer }, online: true, askedMs: null, holdMs: null, closed: "", ...more.now });

test("a Buy that is ready names its price", () => {
  assert.deepEqual(button(), { label: "Buy for $36", enabled: true, spinner: false, note: "", soldOut: false });
});

test("a tap is asking until it is answered, and says so without flicker", () => {
  assert.deepEqual([button({ now: { askedMs: 100 } }).label, button({ now: { askedMs: 100 } }).enabled], ["Buy for $36", false]);
  assert.deepEqual([button({ now: { askedMs: 400 } }).label, button({ now: { askedMs: 400 } }).spinner], ["Asking for yours…", true]);
  assert.equal(button({ now: { askedMs: 4000 } }).label, "Still asking…");
});

test("every reason not to sell disables and says why", () => {
  const cases = [
    [{ product: { left: 0, parts: [] } }, "Sold out"], [{ product: { left: 0 }, places: { a: 3 } }, "You are 3rd in line"], [{ show: { sales_paused: true } }, "Sales are paused"],
    [{ show: { state: "paused" } }, "The show is paused"], [{ show: { state: "ended" } }, "The show has ended"], [{ show: { state: "scheduled" } }, "Not open yet"],
    [{ now: { online: false } }, "Waiting for connection"], [{ now: { closed: "You can’t take part here" } }, "You can’t take part here"],
    [{ orders: { o: { sku: "a", quantity: 2, state: "paid" } } }, "You have 2 of 2 allowed"],
    [{ orders: { o: { sku: "a", quantity: 1, state: "held" } }, product: { flash: { per_viewer_max: 1 } }, offer: { own: { phase: "running" } } }, "You have 1 of 1 allowed"],
  ];
  for (const [given, label] of cases) assert.deepEqual([button(given).label, button(given).enabled], [label, false]);
});

test("what is paid first says so, and what goes by lottery is not bought", () => {
  const { label, enabled, note } = button({ product: { hold_policy: "pay_first" } });
  assert.deepEqual([label, enabled, note.split(":")[0]], ["Buy for $36", true, "Nobody can reserve this one"]);
  for (const left of [0, 5]) assert.deepEqual([button({ product: { hold_policy: "lottery", left } }).label, button({ product: { hold_policy: "lottery", left } }).enabled], ["By lottery only", false]);
  assert.equal(button({ orders: { o: { sku: "a", quantity: 2, state: "open" } } }).enabled, true); // nothing is reserved by it
});

test("what is sold out can be waited for, and one is told where one would be", () => {
  const { label, enabled, joins, note } = button({ product: { left: 0, waiting: 3 } });
  assert.deepEqual([label, enabled, joins, note.split(".")[0]], ["Join the waitlist", true, true, "You’d be 4th"]);
  assert.equal(button({ product: { left: null, sold_out: true } }).label, "Join the waitlist");
  assert.equal(button({ product: { left: 0 }, orders: { o: { sku: "a", quantity: 2, state: "paid" } } }).label, "Sold out");
});

test("a small camera sends fewer layers, and its full size among them", () => {
  const rids = (width, height) => layersFor({ width, height }).map(({ rid }) => rid).join("");
  assert.deepEqual([rids(1280, 720), rids(960, 540), rids(854, 480), rids(640, 480), rids(480, 270), rids(426, 240), rids()], ["qhf", "qhf", "hf", "hf", "hf", "f", "qhf"]);
});

test("another camera fills as many of the agreed layers as it can, and its full size is among them", () => {
  const fits = (agreed, width, height) => refitted([...agreed].map((rid) => ({ rid })), { width, height }).map(({ rid, active, scaleResolutionDownBy }) => active ? `${rid}/${scaleResolutionDownBy}` : "-").join(" ");
  assert.deepEqual([fits("qhf", 1280, 720), fits("qhf", 640, 480), fits("qhf", 320, 180)], ["q/4 h/2 f/1", "q/2 h/1 -", "q/1 - -"]);
  assert.deepEqual([fits("hf", 1280, 720), fits("hf", 320, 180), fits("f", 1280, 720)], ["h/2 f/1", "h/1 -", "f/1"]);
});

test("orders that are over do not count against the limit", () => {
  assert.equal(button({ orders: { o: { sku: "a", quantity: 2, state: "cancelled" } } }).enabled, true);
});

test("an own hold can be paid whatever happens to the sale", () => {
  assert.deepEqual([button({ now: { holdMs: 61_000 }, show: { state: "ended" } }).label, button({ now: { holdMs: 61_000 }, show: { state: "ended" } }).enabled], ["Finish paying · 1:01", true]);
});

test("close codes: 4500 and up never again, 4008 at once, 4009 later, the rest with a growing wait", () => {
  assert.equal(reconnectDelay(4503, 0, 0.5), null);
  assert.equal(reconnectDelay(4999, 3, 0.5), null);
  assert.equal(reconnectDelay(4008, 0, 0.5), 0);
  assert.ok(reconnectDelay(4009, 0, 0) >= 5000);
  assert.ok(reconnectDelay(1012, 0, 1) < reconnectDelay(1012, 3, 0));
  assert.ok(reconnectDelay(1006, 50, 1) <= 12_000);
});

test("countdowns round up, so that 0:00 means over", () => {
  assert.deepEqual([84_000, 83_001, 1, 0, -5, 3_600_000].map(countdown), ["1:24", "1:24", "0:01", "0:00", "0:00", "1:00:00"]);
});

test("money keeps to the currency's minor unit", () => {
  assert.deepEqual([price(3600, "USD"), price(3650, "USD"), money(4090, "USD"), price(1200, "JPY"), money(1500, "KWD").includes("1.500")], ["$36", "$36.50", "$40.90", "¥1,200", true]);
});

test("amounts as people type them", () => {
  assert.deepEqual(["12", "12.5", "12,50", " 0.99 ", "12.345", "-1", "1e3", "", "abc"].map((typed) => parseMoney(typed, "USD")), [1200, 1250, 1250, 99, null, null, null, null, null]);
  assert.deepEqual([parseMoney("1200", "JPY"), parseMoney("12.5", "JPY")], [1200, null]);
});

test("what a flash price would cost", () => {
  assert.deepEqual(forecast(5400, 7200, 20, 1200), { takings: 108_000, commission: 12_960, kept: 95_040, givenUp: 36_000, percent: 25 });
});

test("a flash price that repeats has windows that never meet", () => {
  assert.deepEqual([repetition(null, 15, 60), repetition(1, null, 60), repetition(3, 2, 60)], [{}, {}, { repeat: { every_s: 120, times: 3 } }]);
  assert.deepEqual([repetition(3, 1, 60), repetition(3, null, 60), repetition(0, 15, 60), repetition(101, 15, 60), repetition(2, 1441, 60), repetition(NaN, 15, 60)], Array(6).fill(null));
});

test("the verdict word comes from what viewers get", () => {
  const publisher = { loss: 0, bitrate_bps: 1 };
  assert.equal(verdict({ publisher, viewers: { count: 100, freezes_per_min: 0 } }, show(), "onair").verdict, "Everyone sees you clearly");
  assert.equal(verdict({ publisher, viewers: { count: 100, freezes_per_min: 4 } }, show(), "onair").verdict, "Some viewers freeze");
  assert.equal(verdict({ publisher, viewers: { count: 0 } }, show(), "onair").advice, "Nobody is watching yet.");
  assert.equal(verdict({ publisher: { ...publisher, b_frames: true }, viewers: { count: 9 } }, show(), "onair").tone, "warn");
  assert.equal(verdict({ publisher: null }, show(), "off").verdict, "Nobody is on air");
  assert.equal(verdict({ publisher: null }, show({ state: "scheduled" }), "off").verdict, "Not on air yet");
  assert.equal(verdict(null, show(), "reconnecting").verdict, "You are offline");
});

test("an order's row says what of the money stays, and who bought", () => {
  assert.equal(kept({ total_minor: 2000, refunds: [] }), 2000);
  assert.equal(kept({ total_minor: 2000, refunds: [{ amount_minor: 300 }, { amount_minor: 200 }] }), 1500);
  const line = (sku, quantity) => ({ sku, quantity });
  assert.equal(named({ lines: [line("a", 1)] }, { a: { title: "Mug" } }), "Mug");
  assert.equal(named({ lines: [line("a", 2), line("b", 1)] }, {}), "a × 2 + 1 more");
  assert.equal(buyerName("p_0123456789abcdefghijkl"), "Buyer ijkl");
});

test("a flash price is typed as an amount or as a percentage, taken off as the server takes it", () => {
  assert.deepEqual(typedPrice("30 %", "USD"), { percent_off: 30 });
  assert.deepEqual(typedPrice("7.50", "USD"), { price_minor: 750 });
  for (const nonsense of ["0%", "100%", "-5%", "%", "", "five"]) assert.equal(typedPrice(nonsense, "USD"), null, nonsense);
  assert.equal(reduced(999, 33), 670);
});

test("a product moves by one place and not beyond the ends", () => {
  assert.deepEqual([moved(["a", "b", "c"], 0, 1), moved(["a", "b", "c"], 2, -1), moved(["a"], 0, -1), moved(["a"], 0, 1)], [["b", "a", "c"], ["a", "c", "b"], ["a"], ["a"]]);
});

test("a set's id comes from its title, and is nobody else's", () => {
  const ids = ["Küche & Bad", "  ", "日本", "x".repeat(80)].map((title) => setId(title, []));
  assert.deepEqual(ids, ["ku-che-bad", "set", "set", "x".repeat(60)]);
  const kept = [{ id: "set", title: "日本" }, { id: "set-2", title: "中国" }];
  assert.deepEqual(["日本", "中国", "한국"].map((title) => setId(title, kept)), ["set", "set-2", "set-3"]);
});

test("a draw says what one can do and how it ended", () => {
  const draw = { state: "open", units: 2, price_minor: 400, entries: 0 };
  const words = (more = {}) => drawWords({ draw: { ...draw, ...more.draw }, left: 1000, me: "p_a", entered: false, currency: "USD", may: true, paused: false, ...more });
  assert.deepEqual([words().button, words().enabled], ["Enter, to buy for $4", true]);
  assert.equal(words({ draw: { ...draw, price_minor: 0 } }).button, "Enter, it is free");
  assert.deepEqual([words({ entered: true }).button, words({ entered: true }).enabled], ["You are in", false]);
  assert.equal(words({ left: 0 }).note, "Drawing among all who entered…");
  const drawn = { ...draw, state: "drawn", entries: 9, winners: ["p_b"] };
  assert.equal(words({ draw: drawn, entered: true }).note, "1 of 9 people got one. Not you this time.");
  assert.match(words({ draw: { ...drawn, winners: ["p_a"] } }).note, /^You have one for \$4/);
});

test("a coupon takes off what the server takes off, of what it is for", async () => {
  const { withCoupon } = await import("../../client_demo/js/pricing.js");
  const coupon = { percent_off: 33, amount_off_minor: null, skus: ["a"] };
  assert.deepEqual([withCoupon(999, coupon, "a"), withCoupon(999, coupon, "b"), withCoupon(999, null, "a")], [670, 999, 999]);
  assert.deepEqual([withCoupon(999, { percent_off: null, amount_off_minor: 300, skus: null }, "b"), withCoupon(200, { percent_off: null, amount_off_minor: 300, skus: null }, "b")], [699, 1]);
});

test("a reduction of the whole show is for a while from now, or between two dates", () => {
  const now = new Date("2026-11-27T00:20").getTime();
  const typed = { dates: true, off: 20, duration: 180, ahead: 0, title: " Black Friday ", from: "2026-11-28T00:00", to: "2026-11-30T00:00", now };
  const [starts_at_ms, ends_at_ms] = [typed.from, typed.to].map((local) => new Date(local).getTime());
  assert.deepEqual(asked(typed), { path: "/campaigns", body: { title: "Black Friday", percent_off: 20, starts_at_ms, ends_at_ms } });
  assert.equal(asked({ ...typed, from: "2026-11-27T00:00" }).body.starts_at_ms, now);
  assert.deepEqual(asked({ ...typed, dates: false }), { path: "/show_flash", body: { percent_off: 20, duration_s: 180, starts_in_s: 0 } });
  for (const wrong of [{ off: 0 }, { off: 1.5 }, { title: " " }, { from: "" }, { from: "2026-11-26T23:00" }, { to: typed.from }, { to: "" }, { dates: false, ahead: 301 }]) assert.ok(asked({ ...typed, ...wrong }).wrong, JSON.stringify(wrong));
});
