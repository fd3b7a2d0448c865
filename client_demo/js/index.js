/** The directory: every show, the live ones first. */
import { $, h } from "./dom.js";
import { inlineSnapshot } from "./feed.js";
import { dateTime } from "./format.js";

const ORDER = ["live", "paused", "scheduled", "ended"];
const LABELS = { live: "LIVE", paused: "Paused", scheduled: "Not started", ended: "Ended" };

document.title = "Vendue";
const given = inlineSnapshot();
const { shows } = given ?? (await (await fetch("/api/v1/shows")).json());
shows.sort((/** @type {any} */ a, /** @type {any} */ b) => ORDER.indexOf(a.state) - ORDER.indexOf(b.state));
const rows = shows.map((/** @type {any} */ show) => h("li", {}, h("a", { class: "card", href: `/watch/${encodeURIComponent(show.id)}` },
  h("span", { class: "grow b clip", text: show.title }),
  show.state === "scheduled" && show.starts_at_ms && h("span", { class: "mut xs", text: dateTime(show.starts_at_ms) }),
  h("span", { class: `tag ${show.state === "live" ? "live" : ""}`, text: LABELS[/** @type {keyof typeof LABELS} */ (show.state)] ?? show.state }))));
$("shows").replaceChildren(rows.length ? h("ul", {}, ...rows) : h("p", { class: "mut", text: "No shows yet." }));
