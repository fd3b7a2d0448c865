/** The watch page: wires feed, player, chat and sale, and draws chips, pin card and notice. */
import { Api, kept } from "../api.js";
import { $, attr, flag, framed, h, later, maybe, ring, setRing, setStock, show, stockBar, text } from "../dom.js";
import { Feed, showId } from "../feed.js";
import { count, countdown, dateTime, money, price } from "../format.js";
import { holdLeft, offer, withCoupon } from "../pricing.js";
import { awaitsFrame, shownPin, variantsOf } from "../store.js";
import { stockWords, WORDS } from "../words.js";
import { buyButton, isGone } from "./button.js";
import { Player } from "./player.js";
import { Room } from "./room.js";

const FLASH_WARN_MS = 10_000;
const JOIN_SLOW_MS = 3_000;
const EXTRAS_AFTER_MS = 400;
const DELAY_WARN_MS = 1_000;

const api = new Api("watch", showId(), true);
const draw = framed(() => (feed.state ? render() : drawNotice()));
const feed = new Feed(api, { draw, update, live: readOrders });
const player = new Player(feed, { draw, awaits: () => awaitsFrame(feed.state, feed.present()) });
const room = new Room(feed, draw);

const pinRing = ring();
const pinStock = stockBar();
const holdRing = ring();
$("pin-ring").replaceWith(pinRing);
$("pin-stock").append(pinStock);
$("holdbar").append(holdRing, h("span"));

/** Buying and its sheets come with the first tap that needs them. */
let sale = null;
let saleLoading = null;
const tapSlot = `vendue:tap:${api.show}`;
const page = { draw, offer: offerOf, button: buttonOf, buy: tapBuy, coupon: () => coupon, takeCoupon };
/** The coupon that this viewer buys with in this show, as the server told it; null: none. */
const couponSlot = `vendue:coupon:${api.show}`;
let coupon = JSON.parse(kept.get(couponSlot) ?? "null");
function takeCoupon(told) {
  coupon = told;
  kept.set(couponSlot, told && JSON.stringify(told));
  draw();
}
const loadSale = () => (saleLoading ??= import("./sale.js").then(({ Sale }) => (sale = new Sale(feed, page, tapSlot)), () => {
  saleLoading = null;
  room.warn(WORDS.notSent);
}));
/** The card of an auction comes with the first lot, that of a draw with the first draw, the waitlist with the first who waits. */
const lots = later(() => import("./lots.js").then(({ LotCard }) => new LotCard(feed, page)));
const draws = later(() => import("./draws.js").then(({ DrawCard }) => new DrawCard(feed, page)));
const waitlist = later(() => import("./line.js").then(({ Waitlist }) => new Waitlist(feed, async (code, detail) => (await loadSale())?.refused(code, detail))));
const sheet = async (kind, detail) => (await loadSale())?.sheets[kind](detail);

function offerOf(product) {
  return offer(feed.state.show, product, feed.present(), feed.now());
}
const couponed = (now, sku) => ({ ...now, price_minor: withCoupon(now.price_minor, coupon, sku) });
const openHold = () => Object.values(feed.state.orders).find((order) => ["open", "held", "paying"].includes(order.state));
/** Is this product in an order, or in a tap that waits for one? */
const has = (order, sku) => Boolean(order?.lines.some((line) => line.sku === sku));
const holdMs = (hold) => holdLeft(feed.state.show, hold, feed.now());
const banned = () => feed.code === "banned" || player.refusal === "banned";
/** Which variant of the pinned product the viewer chose; another pin is another choice. */
let chosen = { pin: "", sku: "" };
function pinned() {
  const pin = shownPin(feed.state, feed.present());
  return (pin?.sku === chosen.pin && variantsOf(feed.state, pin).find(({ sku }) => sku === chosen.sku)) || pin;
}

function buttonOf(product) {
  const hold = openHold();
  const tap = sale?.tap;
  const may = feed.live.hello?.may?.includes("buy") ?? true;
  return buyButton({
    state: feed.state, product, offer: couponed(offerOf(product), product.sku), online: feed.status === "live", askedMs: has(tap, product.sku) ? performance.now() - tap.at : null,
    holdMs: has(hold, product.sku) ? holdMs(hold) : null, closed: banned() ? WORDS.banned : may ? "" : WORDS.buyersClosed,
  });
}

async function tapBuy(sku) {
  const product = feed.state.products[sku];
  const button = product && buttonOf(product);
  if (!button?.enabled) return;
  if (button.joins) return void (await waitlist.get())?.join(sku);
  const { price_minor } = offerOf(product); // what the buyer saw, not what it is when the code has come
  const hold = openHold();
  await loadSale();
  if (has(hold, sku)) sale?.sheets.hold(hold);
  else sale?.ask(sku, price_minor);
}

/** After each (re)connection: how the own orders stand, and a tap that was never answered. */
async function readOrders() {
  if (kept.get(tapSlot)) void loadSale();
  if (api.token && Object.values(feed.state.products).some(({ waiting }) => waiting)) void waitlist.get().then((loaded) => loaded?.read());
  if (api.token) void readEntries();
  if (api.token) feed.take(...(await api.call("GET", "/api/v1/me/orders").catch(() => ({ orders: [] }))).orders);
}

/** Which of the draws that go on one has entered: a page that was loaded meanwhile cannot know. */
async function readEntries() {
  for (const { id } of Object.values(feed.state.draws).filter(({ state }) => state === "open" || state === "closed")) {
    const draw = await api.call("GET", `/draws/${id}`).catch(() => null);
    if (draw?.entered) feed.entered(id);
  }
}

function update({ type, data }) {
  if (type === "order" && data.state === "held" && (data.lines[0].waited || data.lines[0].draw) && sale?.sheets.kind !== "hold") void sheet("hold", data); // their turn has come, or they won
  if (type === "stock" && feed.state.places[data.sku] > 1) void waitlist.get().then((loaded) => loaded?.moved()); // somebody before one may have left
  if (type === "error") room.refused(data);
  if (type === "tick") extras?.hearts(data.reactions?.heart ?? 0);
}

function render() {
  const { show: now, orders } = feed.state;
  const hold = openHold();
  document.title = now.title;
  for (const element of document.querySelectorAll("[data-text=title]")) text(element, now.title);
  for (const element of document.querySelectorAll("[data-text=host]")) text(element, now.state === "live" ? "Live now" : "");
  flag(document.body, "test", now.test_mode);
  show(document.querySelector(".testbar"), now.test_mode);
  sale?.follow(orders);
  drawChips();
  drawPin(pinned());
  for (const [card, all] of [[lots, feed.state.lots], [draws, feed.state.draws]]) {
    if (card.made) card.made.draw(pinned());
    else if (Object.keys(all).length) void card.get().then((made) => made && draw());
  }
  drawNotice(hold);
  drawHoldBar(hold);
  extras?.draw();
  room.draw(banned());
  player.controls($("notice").hidden);
  if (sale?.sheets.kind) sale.sheets.update();
}

/** What is on: the word in the badge. */
function badge({ state, host_away, starts_at_ms }) {
  if (state === "ended") return WORDS.ended;
  if (state === "scheduled") return starts_at_ms > feed.now() ? WORDS.startsIn(starts_at_ms - feed.now()) : WORDS.soon;
  if (feed.status === "reconnecting") return WORDS.offline;
  return host_away ? WORDS.away : state === "paused" ? WORDS.paused : WORDS.live;
}

function drawChips() {
  const { show: now, viewers, skus, products } = feed.state;
  const live = now.state === "live";
  const delay = feed.timeline.delay(feed.now());
  const word = badge(now);
  text($("live"), word);
  flag($("live"), "live", word === WORDS.live);
  show($("viewers"), live && viewers !== null);
  text($("viewers").lastElementChild, count(viewers ?? 0));
  show($("delay"), live);
  text($("delay").lastElementChild, Number.isNaN(delay) ? "…" : `${(delay / 1000).toFixed(1)} s`);
  attr($("delay").firstElementChild, "class", `dot ${Number.isNaN(delay) ? "" : delay < DELAY_WARN_MS ? "ok" : "warn"}`);
  show($("paid"), skus.some((sku) => products[sku].commission_bps > 0));
  text($("bag").lastElementChild, skus.length);
  attr($("bag"), "aria-label", `Bag, ${skus.length} products`);
}

const drawn = { sku: "", amount: "" };

function drawPin(product) {
  show($("pin"), product);
  if (!product) return void (drawn.sku = "");
  const { currency } = feed.state.show;
  const now = offerOf(product);
  const { price_minor, was_minor, percent, flash } = now;
  const button = buttonOf(product);
  const amount = price(price_minor, currency);
  if (drawn.sku !== product.sku || drawn.amount !== amount) fadeIn(product, amount);
  attr($("pin-image"), "src", product.image_url || "/static/assets/bag.svg");
  attr($("pin-image"), "alt", product.title);
  text($("pin-title"), product.title);
  text($("pin-price"), amount);
  maybe($("pin-was"), was_minor ? price(was_minor, currency) : "");
  maybe($("pin-off"), percent > 0 ? `−${percent}%` : "");
  text($("pin-low"), was_minor ? WORDS.low(price(was_minor, currency)) : "");
  drawKick(now, button.soldOut);
  show(pinRing, flash);
  if (flash) drawRing(flash);
  setStock(pinStock, product, stockWords(product));
  drawVariants(product, currency);
  show(document.querySelector(".fine"), (product.hold_policy ?? "hold") === "hold"); // that it is held while one decides
  maybe($("pin-note"), button.note || (withCoupon(price_minor, coupon, product.sku) < price_minor ? WORDS.coupon(coupon.code) : ""));
  show($("pin-leave"), button.waits);
  drawBuy(button);
}

/** The choice between variants: what each is, and its price where that differs. */
function drawVariants(product, currency) {
  const select = $("pin-variant");
  const variants = variantsOf(feed.state, product);
  show(select, variants.length);
  const words = variants.map((variant) => {
    const { price_minor } = offerOf(variant);
    const dearer = variants.some((other) => offerOf(other).price_minor !== price_minor);
    return [variant.sku, `${Object.entries(variant.options).map(([name, value]) => `${name} ${value}`).join(", ")}${dearer ? ` · ${price(price_minor, currency)}` : ""}${isGone(variant) ? ` · ${WORDS.soldOut}` : ""}`];
  });
  const key = JSON.stringify(words);
  if (select.dataset.drawn !== key) {
    select.dataset.drawn = key;
    select.replaceChildren(...words.map(([value, text]) => h("option", { value, text })));
  }
  if (select.value !== product.sku) select.value = product.sku;
}
$("pin-variant").addEventListener("change", ({ target }) => {
  chosen = { pin: shownPin(feed.state, feed.present())?.sku ?? "", sku: target.value };
  draw();
});

$("pin-leave").addEventListener("click", async () => (await waitlist.get())?.leave(pinned().sku));

function fadeIn(product, amount) {
  const part = drawn.sku === product.sku ? $("pin-price") : $("pin");
  part.classList.remove("fade");
  void part.offsetWidth; // starts the animation again
  part.classList.add("fade");
  if (drawn.sku) text($("say-polite"), `${product.title}, ${amount}`);
  Object.assign(drawn, { sku: product.sku, amount });
}

function drawBuy({ label, enabled, spinner }) {
  const buy = $("buy");
  const plain = !enabled && !spinner && label.startsWith("Buy for"); // asked a moment ago: looks as before
  text(buy.children[1], label);
  show(buy.firstElementChild, spinner);
  show(buy.lastElementChild, enabled);
  flag(buy, "act", enabled || plain);
  attr(buy, "disabled", enabled || plain ? null : "");
}

function drawKick({ flash, campaign }, soldOut) {
  const { sales_paused } = feed.state.show;
  const [bolt, words, out] = $("kick").children;
  text(words, sales_paused ? WORDS.salesPaused : !flash ? (campaign ? WORDS.campaign(campaign) : WORDS.pinned) : flash.paused ? WORDS.timerPaused : flash.phase === "announced" ? WORDS.flashIn(flash.remaining_ms) : WORDS.flash);
  show(words, !soldOut);
  show(out, soldOut);
  show(bolt, flash && !soldOut);
  flag($("kick"), "so", soldOut || !flash);
}

function drawRing({ remaining_ms, fraction, paused }) {
  const left = countdown(remaining_ms);
  setRing(pinRing, left, fraction, paused ? "pause" : remaining_ms <= FLASH_WARN_MS ? "warn" : "", paused ? `paused at ${left}` : `${left} left`);
}

/** The one sentence over the video that says why it is not simply playing. */
function drawNotice(hold) {
  const [title, body, spins, look] = notice(hold);
  const box = $("notice");
  const [spinner, heading, words] = box.children;
  show(box, title);
  text(heading, title);
  maybe(words, body);
  show(spinner, spins);
  attr(box, "data-testid", banned() ? "banned" : "notice");
  for (const name of ["soft", "grey", "dark"]) flag($("frame"), name, look === name);
}

// title, sentence, spinner, look of the picture
function notice(hold) {
  const safe = hold && hold.state !== "open" ? WORDS.holdSafe(feed.now() + holdMs(hold)) : WORDS.reconnectText;
  const now = feed.state?.show;
  if (banned()) return [WORDS.banned, WORDS.bannedText, false, "dark"];
  if (feed.status === "stopped") return [feed.code === "unknown_show" ? WORDS.unknownShow : WORDS.closed, WORDS.closedText, false, "dark"];
  if (!now) return [WORDS.joining, "", true, ""];
  if (now.state === "ended") return [WORDS.showEnded, WORDS.endedText, false, "soft"];
  if (now.video_blanked) return [WORDS.blanked, WORDS.moderatorCheck, false, "dark"];
  if (now.state === "scheduled") return [WORDS.waitingRoom, now.starts_at_ms ? dateTime(now.starts_at_ms) : "", false, "soft"];
  if (feed.status === "reconnecting" && player.state !== "playing") return [WORDS.reconnecting, safe, true, "grey"];
  if (now.host_away) return [WORDS.awayTitle, WORDS.awayText, false, "grey"];
  if (now.state === "paused") return [WORDS.showPaused, WORDS.pausedText, false, "grey"];
  if (player.state === "refused") return [WORDS.noVideo, "", false, ""];
  if (player.state === "reconnecting" || (player.state === "stalled" && !player.paused)) return [WORDS.reconnecting, safe, true, "grey"];
  if (player.state !== "joining") return ["", "", false, ""];
  const slow = performance.now() - player.startedAt > JOIN_SLOW_MS;
  return [!slow ? WORDS.joining : player.link === "connected" ? WORDS.noHost : WORDS.stillJoining, "", true, ""];
}

/** An open hold whose sheet is closed. */
function drawHoldBar(hold) {
  show($("holdbar"), hold && sale?.sheets.kind !== "hold");
  if (!hold) return;
  const left = countdown(holdMs(hold));
  setRing(holdRing, left, holdMs(hold) / (sale?.sheets.holdMs ?? 120_000), feed.state.show.frozen ? "pause" : "", `${left} left to pay`);
  text($("holdbar").lastElementChild, WORDS[hold.state === "open" ? "payToGet" : "heldPay"](money(hold.total_minor, feed.state.show.currency)));
}

const ACTIONS = {
  sound: () => player.toggleSound(), unmute: () => player.toggleSound(), buy: () => tapBuy(pinned()?.sku),
  bag: () => sheet("bag"), paid: () => sheet("partnership"), hold: () => sheet("hold", openHold()),
};
for (const button of document.querySelectorAll("[data-do]")) button.addEventListener("click", () => void ACTIONS[button.dataset.do]?.());

const phone = matchMedia("(max-width:759px),(max-height:480px)");
/** On a phone everything lies over the video, which is always dark. */
const theme = () => attr(document.documentElement, "data-theme", phone.matches ? "dark" : null);
phone.addEventListener("change", theme);
theme();

setInterval(draw, 500);
/** Nothing that the first picture should wait for. */
let extras = null;
setTimeout(async () => {
  const { Extras } = await import("./extras.js");
  extras = new Extras({ feed, player, room, page, pinned, sheet, actions: ACTIONS, isOpen: () => Boolean(sale?.sheets.kind) });
  draw();
}, EXTRAS_AFTER_MS);

draw();
await feed.start();
if (feed.state) {
  const { state, host_away } = feed.state.show;
  player.measures = state === "live" && !host_away;
  player.whep.start();
}
