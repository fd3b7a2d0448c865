/**
 * The proof of one order, checked here and not by its server: the entry hashes to what the seal says, and the seal is signed
 * (docs/verify.md, "One order"). Pure: bytes and WebCrypto's `subtle` in, findings out.
 */

const STEP_DIGITS = 32;
const HASH_DIGITS = 64;
const SEAL_DOMAIN = "vendue-seal-v1\0";
const utf8 = new TextEncoder();

export const hex = (bytes) => Array.from(new Uint8Array(bytes), (byte) => byte.toString(16).padStart(2, "0")).join("");
const fromHex = (digits) => Uint8Array.from(digits.match(/../g) ?? [], (pair) => parseInt(pair, 16));
const fromBase64 = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
const toBase64 = (bytes) => btoa(String.fromCharCode(...bytes));
const isHash = (text) => typeof text === "string" && text.length === HASH_DIGITS && /^[0-9a-f]+$/.test(text);

function joined(...parts) {
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.byteLength, 0));
  let at = 0;
  for (const part of parts) {
    all.set(new Uint8Array(part.buffer ?? part, part.byteOffset ?? 0, part.byteLength), at);
    at += part.byteLength;
  }
  return all;
}

function numbers(size, ...values) {
  const view = new DataView(new ArrayBuffer(size * values.length));
  values.forEach((value, i) => (size === 4 ? view.setUint32(i * 4, value) : view.setBigUint64(i * 8, BigInt(value))));
  return new Uint8Array(view.buffer);
}

/** The 32 bytes of a public key out of PEM (SubjectPublicKeyInfo). */
export const keyOf = (pem) => fromBase64(pem.replace(/-----[A-Z ]+-----|\s/g, "")).slice(-32);

/** What a seal's signature is over. */
export async function sealMessage(seal, subtle) {
  const show = utf8.encode(seal.show);
  const epoch = utf8.encode(seal.epoch);
  const steps = new Uint8Array(await subtle.digest("SHA-256", utf8.encode(seal.steps)));
  return joined(utf8.encode(SEAL_DOMAIN), numbers(4, show.length, epoch.length), show, epoch, numbers(8, seal.seq, seal.ts), fromHex(seal.hash), steps);
}

/** true, false, or null: this browser cannot tell. */
async function isSigned(seal, key, subtle) {
  let imported;
  try {
    imported = await subtle.importKey("raw", key, { name: "Ed25519" }, false, ["verify"]);
  } catch {
    return null;
  }
  const signature = fromBase64(seal.signature);
  if (toBase64(signature) !== seal.signature) return false; // its one encoding: no digit can change unnoticed
  return subtle.verify({ name: "Ed25519" }, imported, signature, await sealMessage(seal, subtle));
}

/** Anything that throws is a proof that does not hold. */
async function holds(check) {
  try {
    return await check();
  } catch {
    return false;
  }
}

/**
 * Judges `proof` (the server's answer) for an order of a show, with the server's key in PEM. Every finding is true, false, or null
 * where it cannot be told: `order`, `hash`, `place`, `signature`. `sealed` is false while the entry waits for its seal.
 */
export async function checkProof(proof, pem, show, order, subtle) {
  const read = (raw) => holds(() => JSON.parse(raw));
  const entry = (await read(proof.entry)) || {};
  const sealed = typeof proof.seal === "string" && typeof proof.before === "string";
  const seal = (sealed && (await read(proof.seal))) || {};
  const found = { entry, seal, sealed, key: "", after: "", order: entry.body?.order?.id === order && entry.body.order.show === show };
  if (!sealed) return found;
  const covered = seal.seq - entry.seq;
  const at = seal.steps?.length - (covered + 1) * STEP_DIGITS;
  found.place = seal.kind === "seal" && seal.show === show && covered >= 0 && at >= 0 && isHash(seal.hash) && isHash(proof.before);
  if (!subtle) return { ...found, hash: null, signature: null };
  found.hash = found.place && (await holds(async () => {
    found.after = hex(await subtle.digest("SHA-256", joined(fromHex(proof.before), utf8.encode(proof.entry))));
    const step = seal.steps.slice(at, at + STEP_DIGITS);
    return found.after.startsWith(step) && step.length === STEP_DIGITS && (covered > 0 || found.after === seal.hash);
  }));
  found.signature = await holds(async () => {
    const key = keyOf(pem);
    found.key = hex(await subtle.digest("SHA-256", key));
    return key.length === 32 && seal.key === toBase64(key) && isSigned(seal, key, subtle);
  });
  return found;
}

/** "holds", "broken", "waiting" for its seal, or "partly": what could be checked holds. */
export function verdict(found) {
  const findings = found.sealed ? [found.order, found.place, found.hash, found.signature] : [found.order];
  if (findings.includes(false)) return "broken";
  if (!found.sealed) return "waiting";
  return findings.includes(null) ? "partly" : "holds";
}
