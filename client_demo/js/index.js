/** The directory: every show, the live ones first, with what is pinned, from which price, and how many watch. */
import { $, h, icon } from "./dom.js";
import { inlineSnapshot } from "./feed.js";
import { count, dateTime, price } from "./format.js";

const ORDER = ["live", "paused", "scheduled", "ended"];
const LABELS = { live: "LIVE", paused: "Paused", scheduled: "Not started", ended: "Ended" };
/** Cards with details; the shows after them have their title alone. */
const DETAILED = 24;
const NO_IMAGE = "/static/assets/bag.svg";

const get = async (path) => {
  const answer = await fetch(path);
  return answer.ok ? answer.json() : null;
};

/** What a show sells, in one line. */
function offers({ products, currency }) {
  if (!products.length) return "No products yet";
  const lowest = Math.min(...products.map((product) => product.price_minor));
  return `${products.length === 1 ? "1 product" : `${products.length} products`} from ${price(lowest, currency)}`;
}

function card(show) {
  const products = show.products ?? [];
  const pinned = products.find((product) => product.sku === show.pin) ?? products[0];
  const live = show.state === "live";
  return h("li", {}, h("a", { class: "card", href: `/watch/${encodeURIComponent(show.id)}`, "data-testid": `show-${show.id}` },
    h("div", { class: "poster" }, h("img", { src: pinned?.image_url || NO_IMAGE, alt: "", width: 320, height: 200, loading: "lazy" }),
      h("div", { class: "a" }, h("span", { class: `chip ${live ? "live" : ""}`, text: LABELS[show.state] ?? show.state }), live && show.viewers > 0 && h("span", { class: "chip n" }, icon("eye"), count(show.viewers)))),
    h("div", { class: "about" }, h("b", { class: "b nowt clip", text: show.title }),
      h("span", { class: "mut sm clip", text: show.state === "scheduled" && show.starts_at_ms ? dateTime(show.starts_at_ms) : live && show.pin && pinned ? `On screen: ${pinned.title}, ${price(pinned.price_minor, show.currency)}` : "" }),
      h("span", { class: "mut sm n", text: show.products ? offers(show) : "" }))));
}

document.title = "Vendue";
const { shows } = inlineSnapshot() ?? (await get("/api/v1/shows")) ?? { shows: [] };
shows.sort((a, b) => ORDER.indexOf(a.state) - ORDER.indexOf(b.state));
const draw = (list) => $("shows").replaceChildren(list.length ? h("ul", { class: "shelf" }, ...list.map(card)) : h("p", { class: "mut", text: "No shows yet. One that starts appears here." }));
draw(shows);
const detailed = await Promise.all(shows.slice(0, DETAILED).map(async (show) => (await get(`/api/v1/shows/${encodeURIComponent(show.id)}`).catch(() => null)) ?? show));
draw([...detailed, ...shows.slice(DETAILED)]);
