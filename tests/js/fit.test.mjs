/** How large the watch page says that its picture is. */
import assert from "node:assert/strict";
import { test } from "node:test";

globalThis.addEventListener ??= () => {};
globalThis.window ??= globalThis;
const { drawnSize } = await import("../../client_demo/js/watch/fit.js");

const video = (videoWidth, videoHeight, clientWidth, clientHeight) => ({ videoWidth, videoHeight, clientWidth, clientHeight });

test("a picture that fills its box", () => {
  assert.deepEqual(drawnSize(video(1280, 720, 640, 360), 1), { maxWidth: 640, maxHeight: 360 });
  assert.deepEqual(drawnSize(video(1280, 720, 640, 360), 1.5), { maxWidth: 960, maxHeight: 540 });
});

test("what `cover` cuts off counts: a wide picture on a phone is as high as the phone", () => {
  assert.deepEqual(drawnSize(video(1280, 720, 390, 844), 3), { maxWidth: 4501, maxHeight: 2532 });
});

test("the layer that comes does not change what is asked for", () => {
  const [large, small] = [video(1280, 720, 700, 500), video(320, 180, 700, 500)].map((one) => drawnSize(one, 2));
  assert.deepEqual(large, small);
});

test("nothing before there is a picture, and no more than the server takes", () => {
  assert.equal(drawnSize(video(0, 0, 640, 360), 1), null);
  assert.equal(drawnSize(video(640, 360, 0, 0), 1), null);
  assert.deepEqual(drawnSize(video(1280, 720, 40_000, 22_500), 2), { maxWidth: 16_384, maxHeight: 16_384 });
});
