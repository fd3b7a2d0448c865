/** The proof page's own verifier, on a proof that a real server made (order_proof.json), and on what is wrong with others. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { checkProof, verdict } from "../../client_demo/js/proof.js";

const { show, order, pem, proof } = JSON.parse(readFileSync(new URL("order_proof.json", import.meta.url)));
const { subtle } = globalThis.crypto;
const judged = async (changed = {}, { key = pem, by = subtle, of = order } = {}) => {
  const found = await checkProof({ ...proof, ...changed }, key, show, of, by);
  return [verdict(found), found];
};
const sealWith = (change) => JSON.stringify({ ...JSON.parse(proof.seal), ...change });

test("a true proof holds, and says what it is of", async () => {
  const [kind, found] = await judged();
  assert.equal(kind, "holds");
  assert.deepEqual([found.order, found.hash, found.place, found.signature], [true, true, true, true]);
  assert.equal(found.entry.body.order.state, "paid");
  assert.ok(found.seal.seq > found.entry.seq, "another entry stands behind it under the same seal");
});

test("every flipped bit of entry, hash and signature turns it false", async () => {
  const flipped = (text, at) => text.slice(0, at) + String.fromCharCode(text.charCodeAt(at) ^ 1) + text.slice(at + 1);
  for (let at = 0; at < proof.entry.length; at += 7) assert.equal((await judged({ entry: flipped(proof.entry, at) }))[0], "broken", `entry ${at}`);
  for (let at = 0; at < proof.before.length; at += 5) assert.equal((await judged({ before: flipped(proof.before, at) }))[0], "broken", `before ${at}`);
  for (let at = 0; at < proof.seal.length; at += 1) assert.equal((await judged({ seal: flipped(proof.seal, at) }))[0], "broken", `seal ${at}: ${proof.seal.slice(at - 9, at + 9)}`);
});

test("a seal that says something else is not signed", async () => {
  const seal = JSON.parse(proof.seal);
  const wrong = { show: "other", epoch: "e", seq: seal.seq + 1, ts: seal.ts + 1, hash: "0".repeat(64), steps: `${seal.steps}${"0".repeat(32)}`, key: btoa("k".repeat(32)), signature: btoa("s".repeat(64)) };
  const [last] = seal.signature.slice(-3);
  const twin = String.fromCharCode(last.charCodeAt(0) + 1); // decodes to the same bytes
  assert.equal(atob(`${seal.signature.slice(0, -3)}${twin}==`), atob(seal.signature));
  assert.equal((await judged({ seal: sealWith({ signature: `${seal.signature.slice(0, -3)}${twin}==` }) }))[0], "broken");
  for (const [name, value] of Object.entries(wrong)) assert.equal((await judged({ seal: sealWith({ [name]: value }) }))[0], "broken", name);
});

test("another order, another key, nonsense: nothing is raised", async () => {
  assert.equal((await judged({}, { of: "o_other" }))[1].order, false);
  const pair = await subtle.generateKey({ name: "Ed25519" }, true, ["sign", "verify"]);
  const other = btoa(String.fromCharCode(...new Uint8Array(await subtle.exportKey("spki", pair.publicKey))));
  assert.equal((await judged({}, { key: `-----BEGIN PUBLIC KEY-----\n${other}\n-----END PUBLIC KEY-----` }))[1].signature, false);
  for (const key of ["", "no key", "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----"]) assert.equal((await judged({}, { key }))[0], "broken");
  for (const changed of [{ entry: "{}" }, { entry: "" }, { seal: "{}" }, { seal: "null" }, { before: "zz" }, { before: "" }]) assert.equal((await judged(changed))[0], "broken", JSON.stringify(changed));
});

test("a new entry waits for its seal", async () => {
  assert.equal((await judged({ seal: null, before: null }))[0], "waiting");
});

test("what a browser cannot do is said, and is no proof of the contrary", async () => {
  const without = { digest: (...given) => subtle.digest(...given), importKey: () => Promise.reject(new DOMException("no", "NotSupportedError")) };
  const [kind, found] = await judged({}, { by: without });
  assert.deepEqual([kind, found.hash, found.signature], ["partly", true, null]);
  const [bare, none] = await judged({}, { by: null });
  assert.deepEqual([bare, none.hash, none.signature, none.order], ["partly", null, null, true]);
  assert.equal((await judged({ entry: proof.entry.replace('"quantity":2', '"quantity":3') }, { by: without }))[0], "broken");
});
