/** The page that proves one purchase: what was bought and at which price, and why it can be believed. */
import { Api, Offline, Problem, sleep } from "../api.js";
import { $, attr, h, icon, show, text } from "../dom.js";
import { inlineSnapshot } from "../feed.js";
import { dateTime, money, timeOfDay } from "../format.js";
import { checkProof, verdict } from "../proof.js";
import { CHECKS, STATES, UNPROVEN, VERDICTS, refused } from "./words.js";

const ASK_AGAIN_MS = 1000;
const NO_IMAGE = "/static/assets/bag.svg";
const [showId, orderId] = location.pathname.split("/").slice(2).map(decodeURIComponent);
const shown = inlineSnapshot();

/** A line of the order, with the name and picture that the show has for it now. */
function bought(line, currency) {
  const product = shown?.products.find(({ sku }) => sku === line.sku);
  return h("div", { class: "buy" }, h("img", { class: "th", src: product?.image_url || NO_IMAGE, width: 64, height: 64, alt: "" }),
    h("div", { class: "grow" }, h("div", { class: "b", text: `${product?.title ?? line.sku}${line.quantity > 1 ? ` × ${line.quantity}` : ""}` }),
      h("div", { class: "price n" }, h("b", { text: money(line.unit_price_minor, currency) }), line.flash && h("span", { class: "tag act" }, icon("bolt", true), "Flash price"), line.lot && h("span", { class: "tag act" }, icon("gavel"), "Auction"))));
}

/** What the entry says; `proven` false: as a claim, for nothing vouches for it. */
function receipt({ body, ts }, proven) {
  const { order } = body;
  const sum = (label, minor, type = "") => h("div", { class: `n ${type}` }, h("span", { text: label }), h("span", { text: money(minor, order.currency) }));
  const [tone, state] = proven ? (STATES[order.state] ?? ["", order.state]) : ["bad", UNPROVEN];
  return [
    h("div", { class: "row" }, h("span", { class: `tag ${tone}`, "data-testid": "order-state", text: state }), h("span", { class: "xs mut grow n", text: dateTime(ts) }), h("span", { class: "xs mut mono", text: order.id.slice(-8).toUpperCase() })),
    ...order.lines.map((line) => bought(line, order.currency)),
    h("div", { class: "sums" }, order.shipping_minor > 0 && sum("Shipping", order.shipping_minor), order.tax_minor > 0 && sum("Tax", order.tax_minor), sum("Total", order.total_minor, "tot")),
  ];
}

function check([name, value]) {
  const [tone, sign] = value === null ? ["warn", "alert"] : value ? ["ok", "check"] : ["bad", "x"];
  const [title, why, unknown] = CHECKS[name];
  return h("li", { class: `check ${tone}`, "data-testid": `check-${name}`, "data-holds": String(value) }, icon(sign),
    h("div", {}, h("b", { text: value === null ? `Not checked: ${title.toLowerCase()}` : value ? title : `False: ${title.toLowerCase()}` }), h("p", { text: value === null ? unknown : why })));
}

function facts({ entry, seal, after, key }, { before, entry: raw }) {
  const told = { Entry: String(entry.seq), "Hash before it": before, "Hash after it": after, "Seal of entry": `${seal.seq}, ${new Date(seal.ts).toISOString()}`, Signature: seal.signature, Key: seal.key, "Fingerprint of the key (SHA-256)": key, "The entry, byte for byte": raw };
  return Object.entries(told).filter(([, value]) => value).map(([name, value]) => h("div", {}, h("dt", { text: name }), h("dd", { text: value })));
}

function draw(kind, words, sign, tone) {
  attr(document.querySelector("main"), "data-verdict", kind);
  $("disc").className = `disc ${tone}`;
  $("disc").replaceChildren(sign ? icon(sign) : h("span", { class: "spin" }));
  text($("verdict"), words.title);
  text($("sentence"), words.body);
}

function tell(proof, found) {
  const kind = verdict(found);
  const words = VERDICTS[kind];
  draw(kind, { title: words.title, body: words.body(timeOfDay(found.seal.ts ?? found.entry.ts)) }, words.icon, words.tone);
  show($("receipt"), Boolean(found.order));
  if (found.order) $("receipt").replaceChildren(...receipt(found.entry, kind !== "broken").filter(Boolean));
  show($("why"), found.sealed);
  show($("more"), found.sealed);
  if (!found.sealed) return;
  const order = found.entry.body?.order;
  const fair = found.order && kind !== "broken" && Number.isInteger(found.entry.body.seen_price_minor) ? order.lines.every((line) => line.unit_price_minor <= found.entry.body.seen_price_minor) : undefined;
  const findings = { order: found.order, hash: found.hash, place: found.place, signature: found.signature, ...(fair === undefined || order.lines.length > 1 ? {} : { fair }) };
  $("checks").replaceChildren(...Object.entries(findings).map(check));
  $("facts").replaceChildren(...facts(found, proof));
}

/** Asks until the entry has its seal, a second after it was written at most. */
async function main() {
  const api = new Api("verify", showId);
  const path = `/api/v1/shows/${encodeURIComponent(showId)}/orders/${encodeURIComponent(orderId)}/proof`;
  text($("show"), shown?.title ?? showId);
  attr($("show"), "href", `/watch/${encodeURIComponent(showId)}`);
  attr($("get-proof"), "href", path);
  text($("command"), `curl -o proof.json ${location.origin}${path}\nvendue verify proof.json --key key.pem`);
  for (;;) {
    try {
      const [proof, key] = await Promise.all([api.request("GET", path, {}), fetch("/.well-known/vendue-seal-key")]);
      if (!key.ok) throw new Offline();
      const found = await checkProof(proof, await key.text(), showId, orderId, globalThis.crypto?.subtle);
      tell(proof, found);
      if (verdict(found) !== "waiting") return;
    } catch (error) {
      const lasting = error instanceof Problem && error.status < 500;
      draw(lasting ? "none" : "asking", refused(error), lasting ? "alert" : "", lasting ? "warn" : "");
      if (lasting) return;
    }
    await sleep(ASK_AGAIN_MS);
  }
}

void main();
