import assert from "node:assert/strict";
import { test } from "node:test";
import { asked, couponWords } from "../../client_demo/js/studio/coupons.js";

const TYPED = { code: " spring_24 ", off: "15", isAmount: false, quantity: "", each: "1", lasts: 3600, currency: "USD" };

test("what is typed becomes a code and a coupon", () => {
  assert.deepEqual(asked(TYPED), { code: "SPRING_24", body: { percent_off: 15, quantity: null, per_viewer_max: 1, expires_in_s: 3600 } });
  assert.deepEqual(asked({ ...TYPED, isAmount: true, off: "2.50", quantity: "40", lasts: 0 }), { code: "SPRING_24", body: { amount_off_minor: 250, quantity: 40, per_viewer_max: 1 } });
});

test("nonsense is said before anybody is asked", () => {
  for (const wrong of [{ code: "a" }, { code: "a b c" }, { off: "0" }, { off: "100" }, { off: "1.5" }, { isAmount: true, off: "much" }, { quantity: "0" }, { each: "-1" }, { each: "two" }]) {
    assert.ok(asked({ ...TYPED, ...wrong }).wrong, JSON.stringify(wrong));
  }
});

test("a row says what it takes off, what was used, and its limits", () => {
  const coupon = { percent_off: 15, amount_off_minor: null, skus: null, quantity: 40, used: 3, per_viewer_max: 1, expires_at_ms: null, over: false };
  assert.equal(couponWords(coupon, "USD"), "−15% · 3 of 40 used · 1 each");
  assert.equal(couponWords({ ...coupon, percent_off: null, amount_off_minor: 250, quantity: null, per_viewer_max: null, skus: ["a", "b"], over: true }, "USD"), "−$2.50 · 3 used · 2 of the products · over");
});
