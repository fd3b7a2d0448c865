/** State of a show: chain rules, what replaces what, and which pin belongs to which frame. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { offer } from "../../client_demo/js/pricing.js";
import { awaitsFrame, fromSnapshot, ownUnits, receive, shownPin, variantsOf } from "../../client_demo/js/store.js";

const product = (sku, more = {}) => ({ sku, title: sku, price_minor: 4800, list_price_minor: 4800, reference_price_minor: null, price_version: 1, left: 10, held: 0, sold: 0, flash: null, ...more });
const snapshot = (more = {}) => ({ id: "s", title: "S", currency: "USD", owner: "p_h", state: "live", pin: "a", products: [product("a"), product("b")], epoch: "e1", seq: 10, viewers: 3, server_ms: 0, ...more });
const start = () => fromSnapshot(snapshot());
const entry = (type, seq, prev, data, more = {}) => ({ type, epoch: "e1", seq, prev, ts: 1000, at_ms: 1000, data, ...more });

/** Applies updates in turn and gives the verdicts. */
function play(state, ...updates) {
  const verdicts = [];
  for (const update of updates) {
    const step = receive(state, update);
    state = step.state;
    verdicts.push(step.verdict);
  }
  return { state, verdicts };
}

test("entries of the chain apply in order, across numbers that others own", () => {
  const { state, verdicts } = play(start(), entry("product.pinned", 13, 9, { sku: "b" }), entry("product.unpinned", 20, 13, { sku: "b" }));
  assert.deepEqual(verdicts, ["applied", "applied"]);
  assert.equal(state.last, 20);
});

test("an entry that was seen is a duplicate and changes nothing", () => {
  const before = start();
  const { state, verdict } = receive(before, entry("product.unpinned", 10, 9, { sku: "a" }));
  assert.equal(verdict, "duplicate");
  assert.equal(state, before);
});

test("a predecessor that was never seen is a loss and changes nothing", () => {
  const before = start();
  const { state, verdict } = receive(before, entry("product.unpinned", 14, 12, { sku: "a" }));
  assert.equal(verdict, "loss");
  assert.equal(state, before);
});

test("another epoch is a loss, whatever its numbers say", () => {
  assert.equal(receive(start(), entry("product.unpinned", 11, 10, { sku: "a" }, { epoch: "e2" })).verdict, "loss");
});

test("an entry of a type that this page does not know still moves the chain", () => {
  const { state, verdicts } = play(start(), entry("something.new", 11, 10, {}), entry("product.unpinned", 12, 11, { sku: "a" }));
  assert.deepEqual(verdicts, ["applied", "applied"]);
  assert.equal(state.last, 12);
});

test("an unknown update outside the chain is ignored", () => {
  assert.equal(receive(start(), { type: "something", epoch: "e1", data: {} }).verdict, "ignored");
});

test("a snapshot replaces what it carries and keeps what it cannot know", () => {
  const mine = { id: "o1", sku: "a", quantity: 1, state: "held", seq: 9 };
  const before = { ...start(), orders: { o1: mine }, hearts: 7 };
  const { state, verdict } = receive(before, { type: "snapshot", epoch: "e2", seq: 44, data: snapshot({ pin: null, seq: undefined }) });
  assert.equal(verdict, "applied");
  assert.equal(state.epoch, "e2");
  assert.equal(state.last, 44);
  assert.equal(shownPin(state, 0), null);
  assert.deepEqual(state.orders, { o1: mine });
  assert.equal(state.hearts, 7);
});

test("three ticks that know of an entry which never came are a loss; one is not", () => {
  const tick = { type: "tick", epoch: "e1", data: { head: 12, viewers: 3, reactions: {}, chat: [] } };
  const { verdicts } = play(start(), tick, tick, tick);
  assert.deepEqual(verdicts, ["applied", "applied", "loss"]);
  const well = { type: "tick", epoch: "e1", data: { head: 10, viewers: 3 } };
  assert.deepEqual(play(start(), tick, tick, well, tick).verdicts, ["applied", "applied", "applied", "applied"]);
});

test("older stock never replaces newer stock", () => {
  const stock = (left, as_of) => ({ type: "stock", epoch: "e1", as_of, data: { sku: "a", left, held: 0, sold: 10 - left } });
  const { state } = play(start(), stock(4, 15), stock(6, 12));
  assert.equal(state.products.a.left, 4);
});

test("stock older than the snapshot is dropped", () => {
  const { state } = play(start(), { type: "stock", epoch: "e1", as_of: 8, data: { sku: "a", left: 1, held: 0, sold: 9 } });
  assert.equal(state.products.a.left, 10);
});

test("a product's update does not turn its stock back", () => {
  const { state } = play(start(), { type: "stock", epoch: "e1", as_of: 30, data: { sku: "a", left: 2, held: 0, sold: 8 } }, entry("product.updated", 11, 10, product("a", { title: "A2", left: 9, sold: 1 })));
  assert.equal(state.products.a.title, "A2");
  assert.equal(state.products.a.left, 2);
});

test("an order takes the newer version, from whichever side it comes", () => {
  const order = (state, seq) => ({ type: "order", epoch: "e1", as_of: seq, data: { id: "o", sku: "a", quantity: 2, state, seq } });
  const { state } = play(start(), order("paid", 20), order("held", 18));
  assert.equal(state.orders.o.state, "paid");
  assert.equal(ownUnits(state, "a"), 2);
  assert.equal(ownUnits(play(state, order("expired", 25)).state, "a"), 0);
});

test("a pin is shown from its frame on, and the one before it until then", () => {
  const { state } = play(start(), entry("product.pinned", 11, 10, { sku: "b" }, { at_ms: 5000 }));
  assert.equal(shownPin(state, 4999).sku, "a");
  assert.equal(shownPin(state, 4999.6).sku, "b");
  assert.equal(awaitsFrame(state, 4999), true);
  assert.equal(awaitsFrame(state, 5000), false);
});

test("an unpin takes effect at once, also on a pin that waits for its frame", () => {
  const { state } = play(start(), entry("product.pinned", 11, 10, { sku: "b" }, { at_ms: 5000 }), entry("product.unpinned", 12, 11, { sku: "b" }, { at_ms: 5100 }));
  assert.equal(shownPin(state, 4000), null);
  assert.equal(shownPin(state, 9000), null);
});

test("the pin of a product that came after the snapshot is shown", () => {
  const { state } = play(start(), entry("product.pinned", 11, 10, { sku: "new", title: "New", price_minor: 900, image_url: null }));
  assert.equal(shownPin(state, 2000).title, "New");
});

test("an ended price clears its flash and no other", () => {
  const flash = (id, seq, prev) => entry("price.flash", seq, prev, { id, sku: "a", price_minor: 3600, list_price_minor: 4800, price_version: 2, starts_sale_ms: 0, ends_sale_ms: 9000 });
  const ended = (id, seq, prev) => entry("price.ended", seq, prev, { id, sku: "a", price_minor: 4800, price_version: 3 });
  assert.equal(play(start(), flash("f1", 11, 10), ended("f1", 12, 11)).state.products.a.flash, null);
  assert.equal(play(start(), flash("f2", 11, 10), ended("f1", 12, 11)).state.products.a.flash.id, "f2");
});

test("deleted lines stay marked, chat rules follow the moderation entries", () => {
  const line = { id: "1-0", subject: "p", name: "P", text: "x", ts: 1 };
  const tick = { type: "tick", epoch: "e1", data: { head: 10, viewers: 1, chat: [line] } };
  const { state } = play(start(), tick, entry("moderation", 11, 10, { action: "delete", message_ids: ["1-0"] }), entry("moderation", 12, 11, { action: "slow_mode", seconds: 10 }), entry("moderation", 13, 12, { action: "chat_mode", mode: "buyers" }));
  assert.equal(state.chat[0].deleted, true);
  assert.equal(state.show.slow_mode_s, 10);
  assert.equal(state.show.chat_mode, "buyers");
});

test("a freeze without its start counts from the entry", () => {
  const { state } = play(start(), entry("show.state", 11, 10, { state: "live", sales_paused: true, frozen: true }, { ts: 777 }));
  assert.equal(state.show.frozen_since_ms, 777);
});

test("a lot is known from its opening or a snapshot, follows its bids, and stays a while after its end", () => {
  const lot = { id: "l", sku: "a", state: "open", leader: null, price_minor: null, next_minor: 500, bids: 0, ends_sale_ms: 9000 };
  const { state } = play(start(), entry("lot.opened", 11, 10, lot), entry("lot.bid", 12, 11, { ...lot, leader: "p_1", price_minor: 500, bids: 1 }));
  assert.equal(state.lots.l.leader, "p_1");
  const over = play(state, entry("lot.closed", 13, 12, { id: "l", sku: "a", winner: "p_1", price_minor: 500, bids: 1 })).state;
  assert.deepEqual([over.lots.l.state, over.lots.l.price_minor], ["closed", 500]);
  assert.deepEqual(Object.keys(fromSnapshot(snapshot({ lots: [lot] })).lots), ["l"]);
  const many = Array.from({ length: 9 }, (_, i) => entry("lot.opened", 20 + i, i ? 19 + i : 10, { ...lot, id: `l${i}` }));
  const ends = Array.from({ length: 9 }, (_, i) => entry("lot.cancelled", 30 + i, i ? 29 + i : 28, { id: `l${i}`, sku: "a", reason: "r" }));
  assert.deepEqual(Object.keys(play(start(), ...many, ...ends).state.lots), ["l5", "l6", "l7", "l8"]);
});

test("a bundle has what its parts leave of it", () => {
  const set = product("set", { left: 5, parts: [{ sku: "a", quantity: 2 }, { sku: "b", quantity: 1 }] });
  const state = fromSnapshot(snapshot({ products: [product("a"), product("b"), set] }));
  const stock = (sku, left, as_of) => ({ type: "stock", epoch: "e1", as_of, data: { sku, left, held: 0, sold: 0, sold_out: left <= 0 } });
  const few = play(state, stock("a", 3, 11)).state;
  assert.deepEqual([few.products.set.left, few.products.set.sold_out], [1, false]);
  const none = play(few, stock("b", 0, 12)).state;
  assert.deepEqual([none.products.set.left, none.products.set.sold_out], [0, true]);
  const back = play(none, stock("b", 9, 13), stock("a", 10, 14)).state;
  assert.deepEqual([back.products.set.left, back.products.set.sold_out], [5, false]);
  const order = { id: "o", seq: 1, state: "held", lines: [{ sku: "set", quantity: 2 }, { sku: "a", quantity: 1 }] };
  const mine = play(state, { type: "order", epoch: "e1", data: order }).state;
  assert.deepEqual(["a", "b", "set"].map((sku) => ownUnits(mine, sku)), [5, 2, 2]);
});

test("products of one group are a choice, one alone is none", () => {
  const shirt = (size) => product(`shirt-${size}`, { group: "shirt", options: { Size: size } });
  const state = fromSnapshot(snapshot({ products: [shirt("M"), product("a"), shirt("S"), product("b", { group: "other" })] }));
  const skus = (sku) => variantsOf(state, state.products[sku]).map((variant) => variant.sku);
  assert.deepEqual(skus("shirt-S"), ["shirt-M", "shirt-S"]);
  assert.deepEqual([skus("a"), skus("b"), variantsOf(state, null)], [[], [], []]);
});

test("what may be struck through follows a flash price from its announcement to its end", () => {
  const before = fromSnapshot(snapshot({ state: "scheduled" }));
  const live = receive(before, entry("show.state", 11, 10, { state: "live" })).state;
  assert.deepEqual([before, live].map((state) => state.products.a.reference_price_minor), [null, 4800]);
  const flash = { id: "f", sku: "a", price_minor: 3600, list_price_minor: 4800, reference_price_minor: 4500 };
  const { state } = play(live, entry("price.flash", 12, 11, flash));
  assert.equal(state.products.a.reference_price_minor, 4500);
  const over = receive(state, entry("price.ended", 13, 12, { id: "f", sku: "a", price_minor: 4800, price_version: 3, reference_price_minor: 3600 })).state;
  assert.equal(over.products.a.reference_price_minor, 3600);
});

test("a reduction of the whole show: who is in it, what goes before it, what it leaves", () => {
  const told = { id: "sf", percent_off: 20, starts_sale_ms: 1000, ends_sale_ms: 61_000, prices: [{ sku: "a", price_minor: 3840, reference_price_minor: 4800 }] };
  const { state } = play(start(), entry("price.show_flash", 11, 10, told));
  const at = (now, sku, ms) => offer(now.show, now.products[sku], ms, ms);
  assert.deepEqual([at(state, "a", 1000).price_minor, at(state, "a", 1000).was_minor, at(state, "b", 1000).price_minor], [3840, 4800, 4800]);
  assert.deepEqual([at(state, "a", 61_000).price_minor, at(state, "a", 61_000).flash], [4800, null]);
  const own = play(state, entry("price.flash", 12, 11, { id: "f", sku: "a", price_minor: 4000, list_price_minor: 4800, reference_price_minor: 3840, starts_sale_ms: 1000, ends_sale_ms: 31_000 })).state;
  assert.deepEqual([at(own, "a", 1000).price_minor, at(own, "a", 1000).was_minor, at(own, "a", 31_000).price_minor], [4000, null, 3840]);
  const after = play(own, entry("price.ended", 13, 12, { id: "f", sku: "a", price_minor: 3840, price_version: 4, price_reason: { rule: "show_flash", id: "sf" }, reference_price_minor: 4000 })).state;
  assert.deepEqual([after.products.a.list_price_minor, at(after, "a", 2000).price_minor, at(after, "a", 2000).own], [4800, 3840, null]);
  const over = play(after, entry("price.show_ended", 14, 13, { id: "sf", reason: "stopped", prices: [{ sku: "a", price_minor: 4800, price_version: 5, reference_price_minor: 3840 }] })).state;
  assert.deepEqual([over.show.show_flash, at(over, "a", 2000).price_minor, over.products.a.reference_price_minor, over.products.a.show_flash_price_minor], [null, 4800, 3840, null]);
});

test("a campaign goes by the server's clock, is below both flash prices, and is told again by a snapshot", () => {
  const told = { id: "c", title: "Weekend", percent_off: 20, starts_at_ms: 10_000, ends_at_ms: 70_000, prices: [{ sku: "a", price_minor: 3840, reference_price_minor: 4800 }] };
  const { state } = play(start(), entry("price.campaign", 11, 10, told));
  const at = (now, sku, ms, server = ms) => offer(now.show, now.products[sku], ms, server);
  assert.deepEqual([9_999, 10_000, 69_999, 70_000].map((ms) => at(state, "a", ms).price_minor), [4800, 3840, 3840, 4800]);
  assert.deepEqual([at(state, "a", 10_000).was_minor, at(state, "a", 10_000).campaign.title, at(state, "a", 9_999).campaign, at(state, "b", 10_000).price_minor], [4800, "Weekend", null, 4800]);
  assert.equal(at(state, "a", 9_900, 10_000).price_minor, 4800); // the frame on screen is from before it
  const paused = play(state, entry("show.state", 12, 11, { state: "paused", frozen: true, frozen_since_ms: 1_000, frozen_total_ms: 0 })).state;
  assert.deepEqual([10_000, 70_000].map((ms) => at(paused, "a", ms).price_minor), [3840, 4800]);
  const flash = { id: "sf", percent_off: 50, starts_sale_ms: 20_000, ends_sale_ms: 30_000, prices: [{ sku: "a", price_minor: 2400, reference_price_minor: 3840 }] };
  const both = play(state, entry("price.show_flash", 12, 11, flash, { ts: 15_000, at_ms: 15_000 })).state;
  const seen = (ms) => [at(both, "a", ms).price_minor, at(both, "a", ms).was_minor, at(both, "a", ms).campaign?.id ?? null];
  assert.deepEqual([seen(20_000), seen(30_000)], [[2400, 3840, null], [3840, null, "c"]]);
  assert.equal(awaitsFrame(both, 14_000), true);
  const over = play(both, entry("price.campaign_ended", 13, 12, { id: "c", reason: "stopped", prices: [{ sku: "a", price_minor: 4800, price_version: 3, reference_price_minor: 2400 }] })).state;
  assert.deepEqual([over.show.campaign, over.products.a.campaign_price_minor, over.show.show_flash.id, over.products.a.show_flash_price_minor], [null, null, "sf", 2400]);
  const { prices, ...campaign } = told;
  const loaded = fromSnapshot(snapshot({ campaign, products: [product("a", { campaign_price_minor: 3840, reference_price_minor: 4500 })] }));
  assert.deepEqual([at(loaded, "a", 10_000).price_minor, at(loaded, "a", 10_000).was_minor], [3840, 4500]);
});

test("a changed bag is what is for sale, in its order; what left it is still known", () => {
  const { state } = play(fromSnapshot(snapshot({ pin: null, products: ["a", "b", "c"].map((sku) => product(sku)) })), entry("bag.changed", 11, 9, { skus: ["c", "a"] }));
  assert.deepEqual(state.skus, ["c", "a"]);
  assert.deepEqual(Object.values(state.products).map(({ sku, listed }) => [sku, listed]), [["a", true], ["b", false], ["c", true]]);
  const changed = play(state, entry("product.updated", 12, 11, { ...product("b"), title: "B" })).state;
  assert.deepEqual([changed.skus, changed.products.b.title, changed.products.b.listed], [["c", "a"], "B", false]);
  const back = play(changed, entry("bag.changed", 13, 12, { skus: ["b"] })).state;
  assert.deepEqual([back.skus, back.products.b.listed, back.products.a.listed], [["b"], true, false]);
});

test("a snapshot's products outside the bag are not for sale", () => {
  const state = fromSnapshot(snapshot({ products: [product("b"), product("a", { listed: false })] }));
  assert.deepEqual(state.skus, ["b"]);
  assert.equal(state.products.a.listed, false);
});
