/** Server clock, RTP time to server time, and what counts as on screen. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { CAP_MS, ServerClock, Timeline } from "../../client_demo/js/timeline.js";

const clock = (rtp_timestamp, server_ms, publication = "p1") => ({ publication, rtp_timestamp, server_ms });

function timeline(...pairs) {
  const made = new Timeline();
  for (const pair of pairs) made.clock(pair);
  return made;
}

test("the server clock believes the quickest answer", () => {
  const server = new ServerClock();
  server.sample(1000, 1200, 5_000_180);
  server.sample(2000, 2010, 5_001_005);
  server.sample(3000, 3400, 5_002_390);
  assert.equal(server.at(4000), 5_003_000);
});

test("a guess serves until the first answer, and never after it", () => {
  const server = new ServerClock();
  server.guess(100, 9_100);
  assert.equal(server.at(200), 9_200);
  server.sample(300, 302, 9_401);
  server.guess(400, 1);
  assert.equal(server.at(400), 9_500);
});

test("a frame is placed by the latest pair that is not after it", () => {
  const line = timeline(clock(90_000, 10_000), clock(180_000, 11_004));
  assert.equal(line.msOf(90_000 + 45_000), 10_500);
  assert.equal(line.msOf(180_000 + 9_000), 11_104);
});

test("a frame before every pair is placed by the first", () => {
  assert.equal(timeline(clock(90_000, 10_000)).msOf(81_000), 9_900);
});

test("RTP timestamps wrap", () => {
  const line = timeline(clock(2 ** 32 - 9_000, 10_000));
  assert.equal(line.msOf(9_000), 10_200);
  line.clock(clock(9_000, 10_200));
  assert.equal(line.msOf(18_000), 10_300);
});

test("without a pair nothing is known", () => {
  assert.ok(Number.isNaN(new Timeline().msOf(5)));
});

test("what is on screen is the frame's time", () => {
  const line = timeline(clock(0, 10_000));
  line.frame(9_000, 10_400);
  assert.equal(line.present(10_400), 10_100);
  assert.equal(line.delay(10_400), 300);
});

test("without a picture, changes apply at once", () => {
  assert.equal(new Timeline().present(10_400), 10_400);
  const line = timeline(clock(0, 10_000));
  line.frame(9_000, 10_400);
  assert.equal(line.present(11_500), 11_500, "the last frame is too old to speak for now");
  assert.ok(Number.isNaN(line.delay(11_500)));
});

test("nothing waits longer than the cap", () => {
  const line = timeline(clock(0, 10_000));
  line.frame(0, 14_000);
  assert.equal(line.present(14_000), 14_000 - CAP_MS);
});

test("a frame cannot be ahead of now", () => {
  const line = timeline(clock(0, 10_000));
  line.frame(90_000, 10_900);
  assert.equal(line.present(10_900), 10_900);
});

test("a mapping that cannot be of this video is left aside", () => {
  const line = timeline(clock(0, 10_000));
  line.frame(0, 10_000_000);
  assert.equal(line.present(10_000_000), 10_000_000);
});

test("the newest pair names the publication on air", () => {
  const line = timeline(clock(0, 10_000), clock(90_000, 11_000, "p2"));
  assert.equal(line.publication, "p2");
});
