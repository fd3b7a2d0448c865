/** The watch page: wires feed, player, buying, chat and sheets, and draws the parts that belong to none of them. */
import { Api } from "../api.js";
import { $, attr, flag, framed, icon, ring, setRing, setStock, show, stockBar, text } from "../dom.js";
import { Feed, showId } from "../feed.js";
import { count, countdown, dateTime, price, seconds } from "../format.js";
import { holdLeft, offer } from "../pricing.js";
import { awaitsFrame, shownPin } from "../store.js";
import { full, stockWords, WORDS } from "../words.js";
import { buyButton, Buying } from "./buy.js";
import { Player } from "./player.js";
import { Room } from "./room.js";

const KEYS = [["B", "Buy the pinned product"], ["G", "Bag"], ["M", "Sound"], ["K", "Pause the picture"], ["F", "Full screen"], ["H", "Send a heart"], ["/", "Write in chat"], ["?", "This list"], ["Esc", "Close"]];
const FLASH_WARN_MS = 10_000;
const JOIN_SLOW_MS = 3_000;
const REPORT_EVERY_MS = 15_000;
const DELAY_WARN_MS = 1_000;

const api = new Api("watch", showId(), { guests: true });
const draw = framed(() => feed.state && render());
const feed = new Feed(api, { draw, update, live: () => void buying.resume() });
const player = new Player(feed, draw);
const room = new Room(feed, draw);
const buying = new Buying(feed, { draw, held: (order) => void sheet("hold", order), result: (code, detail) => void refused(code, detail) });

const pinRing = ring();
const pinStock = stockBar();
$("pin-ring").replaceWith(pinRing);
$("pin-stock").append(pinStock);
$("shop").replaceChildren();

/** The sheets come with the first tap that needs one. @type {Promise<import("./sheets.js").Sheets> | null} */
let sheetsLoading = null;
/** @type {import("./sheets.js").Sheets | null} */
let sheets = null;

function loadSheets() {
  sheetsLoading ??= import("./sheets.js").then(({ Sheets }) => (sheets = new Sheets(feed, {
    pay: (order, token) => buying.pay(order, token),
    giveBack: (order) => buying.giveBack(order),
    buy: tapBuy, offer: offerOf, button: buttonOf,
    payNote: (order) => (buying.paying?.order === order.id ? buying.paying.note : null),
  })));
  return sheetsLoading;
}

/** @param {"hold" | "bag" | "partnership" | "keys" | "result"} kind @param {any} [detail] */
async function sheet(kind, detail) {
  (await loadSheets())[kind](detail);
}

const offerOf = (/** @type {any} */ product) => offer(feed.state.show, product, feed.present(), feed.now());
const openHold = () => Object.values(feed.state.orders).find((order) => order.state === "held" || order.state === "paying");
const banned = () => feed.code === "banned" || player.refusal === "banned";

/** @param {import("../types").Product} product */
function buttonOf(product) {
  const hold = openHold();
  return buyButton({
    state: feed.state, product, offer: offerOf(product), online: feed.status === "live", askedMs: buying.askedMs(product.sku),
    holdMs: hold?.sku === product.sku ? holdLeft(feed.state.show, hold, feed.now()) : null, mayBuy: !banned() && (feed.live.hello?.may ?? ["buy"]).includes("buy"),
  });
}

/** @param {string} sku */
function tapBuy(sku) {
  const hold = openHold();
  void loadSheets();
  if (hold?.sku === sku) return void sheet("hold", hold);
  const product = feed.state.products[sku];
  if (product && buttonOf(product).enabled) void buying.ask(sku, offerOf(product).price_minor);
}

/** A refusal of an order, in words. @param {string} code @param {any} detail */
async function refused(code, detail) {
  const product = feed.state.products[detail.sku];
  const { currency } = feed.state.show;
  const now = product && price(detail.price_minor ?? offerOf(product).price_minor, currency);
  const buy = () => product && buying.ask(product.sku, detail.price_minor ?? offerOf(product).price_minor);
  const left = product?.left ? WORDS.stillLeft(product.left, now) : "";
  /** @type {Record<string, any>} */
  const results = {
    price_changed: { icon: "alert", tone: "warn", title: WORDS.priceChanged, body: WORDS.priceNow(now), primary: WORDS.buy(detail.price_minor ?? 0, currency), act: buy, ghost: WORDS.notNow },
    hold_expired: { icon: "clock", title: WORDS.holdEnded, body: WORDS.notCharged(left), primary: left ? WORDS.again : WORDS.toShow, act: left ? buy : undefined, ghost: WORDS.close },
    sold_out: { icon: "bag", title: WORDS.gone, body: WORDS.goneText(product?.held ?? 0), primary: WORDS.toShow },
    limit_reached: { icon: "users", title: WORDS.limit(detail.limit, detail.limit), body: WORDS.limitRule(detail.limit), primary: WORDS.toShow },
    sales_paused: { icon: "pause", title: WORDS.salesArePaused, body: WORDS.moderatorCheck, primary: WORDS.toShow },
    show_closed: { icon: "clock", title: WORDS.showEnded, body: WORDS.notCharged(""), primary: WORDS.close },
    banned: { icon: "ban", title: WORDS.banned, body: WORDS.bannedText, primary: WORDS.close },
    guests_closed: { icon: "shield", title: WORDS.buyersClosed, body: WORDS.notCharged(""), primary: WORDS.toShow },
    paid: { icon: "check", tone: "ok", title: WORDS.yours, body: WORDS.receipt(product?.title ?? ""), primary: WORDS.toShow },
    given_back: { icon: "undo", title: WORDS.back, body: WORDS.givenBack, primary: WORDS.toShow },
  };
  const known = results[code] ?? { icon: "alert", tone: "warn", title: WORDS.refused, body: detail.detail ?? detail.title ?? code, primary: WORDS.close };
  await sheet("result", { kind: code, ...known, extra: code === "paid" ? (await loadSheets()).receipt(detail.order) : null });
}

/** What the page does on an update besides drawing. @param {any} message */
function update(message) {
  if (message.type === "order") settled(message.data.order ?? message.data);
  if (message.type === "error") room.refused(message.data);
  if (message.type === "tick") for (let i = 0; i < Math.min(3, message.data.reactions?.heart ?? 0); i++) setTimeout(() => room.fly(), i * 150);
}

/** Follows the order whose sheet is open to its end. @param {import("../types").Order} order */
function settled(order) {
  if (sheets?.kind !== "hold" || sheets.holdId !== order.id) return;
  /** @type {Record<string, string>} */
  const ends = { paid: "paid", expired: "hold_expired", cancelled: "given_back", refund_due: "hold_expired" };
  if (ends[order.state]) void refused(ends[order.state], { sku: order.sku, order });
}

function render() {
  const { state } = feed;
  const host = "Live now";
  document.title = `${state.show.title} · Vendue`;
  for (const element of document.querySelectorAll("[data-text=title]")) text(element, state.show.title);
  for (const element of document.querySelectorAll("[data-text=host]")) text(element, state.show.state === "live" ? host : "");
  flag(document.body, "test", state.show.test_mode);
  show(/** @type {Element} */ (document.querySelector(".testbar")), state.show.test_mode);
  const hold = openHold();
  if (hold) settled(hold);
  else if (sheets?.kind === "hold") settled(state.orders[sheets.holdId]);
  drawChips();
  drawPin();
  drawNotice(hold);
  drawHoldBar(hold);
  drawShop();
  room.draw(banned());
  player.controls($("notice").hidden);
  if (sheets?.kind) sheets.update();
}

function drawChips() {
  const { show: now, viewers, skus, products } = feed.state;
  const live = $("live");
  const away = now.host_away || now.state === "paused";
  const wait = (now.starts_at_ms ?? 0) - feed.now();
  const label = now.state === "ended" ? WORDS.ended : now.state === "scheduled" ? (wait > 0 ? WORDS.startsIn(wait) : WORDS.soon)
    : feed.status === "reconnecting" ? WORDS.offline : away ? (now.host_away ? WORDS.away : WORDS.paused) : WORDS.live;
  flag(live, "live", label === WORDS.live);
  text(live, label);
  show($("viewers"), viewers !== null && now.state === "live");
  text(/** @type {Element} */ ($("viewers").lastElementChild), count(viewers ?? 0));
  const delay = feed.timeline.delay(feed.now());
  show($("delay"), now.state === "live");
  text(/** @type {Element} */ ($("delay").lastElementChild), Number.isNaN(delay) ? "…" : seconds(delay));
  const dot = /** @type {HTMLElement} */ ($("delay").firstElementChild);
  dot.className = `dot ${Number.isNaN(delay) ? "" : delay < DELAY_WARN_MS ? "ok" : "warn"}`;
  show($("paid"), skus.some((sku) => (products[sku].commission_bps ?? 0) > 0));
  text(/** @type {Element} */ ($("bag").lastElementChild), String(skus.length));
  attr($("bag"), "aria-label", `Bag, ${skus.length} products`);
}

/** @type {{sku?: string, price?: string}} */
const drawn = {};

function drawPin() {
  const product = shownPin(feed.state, feed.present());
  show($("pin"), Boolean(product));
  if (!product) return;
  const { currency } = feed.state.show;
  const now = offerOf(product);
  const amount = price(now.price_minor, currency);
  if (drawn.sku !== product.sku || drawn.price !== amount) {
    for (const id of drawn.sku === product.sku ? ["pin-price"] : ["pin"]) restart($(id));
    if (drawn.sku) text($("say-polite"), `${product.title}, ${amount}`);
    Object.assign(drawn, { sku: product.sku, price: amount });
  }
  attr($("pin-image"), "src", product.image_url || "/static/assets/bag.svg");
  attr($("pin-image"), "alt", product.title);
  text($("pin-title"), product.title);
  text($("pin-price"), amount);
  text($("pin-was"), now.was_minor ? price(now.was_minor, currency) : "");
  show($("pin-was"), Boolean(now.was_minor));
  text($("pin-off"), `−${now.percent}%`);
  show($("pin-off"), now.percent > 0);
  text($("pin-low"), product.reference_price_minor ? WORDS.low(price(product.reference_price_minor, currency)) : "");
  const button = buttonOf(product);
  drawKick(now.flash, button.soldOut);
  drawRing(now.flash);
  setStock(pinStock, product.left == null ? null : { left: product.left, held: product.held ?? 0, sold: product.sold ?? 0 }, stockWords(product));
  text($("pin-note"), button.note);
  show($("pin-note"), Boolean(button.note));
  const buy = $("buy");
  const [spinner, label, key] = /** @type {any} */ (buy.children);
  text(label, button.label);
  show(spinner, button.spinner);
  show(key, button.enabled);
  flag(buy, "act", button.enabled || (!button.spinner && button.label.startsWith("Buy for")));
  attr(buy, "aria-disabled", button.enabled ? null : "true");
  attr(buy, "disabled", button.enabled || button.label.startsWith("Buy for") ? null : "");
}

/** @param {import("../types").FlashView | null} flash @param {boolean} soldOut */
function drawKick(flash, soldOut) {
  const { show: now } = feed.state;
  const [bolt, label, out] = /** @type {any} */ ($("kick").children);
  const words = now.sales_paused ? WORDS.salesPaused : flash?.paused ? WORDS.timerPaused : flash?.phase === "announced" ? WORDS.flashIn(flash.remaining_ms) : flash ? WORDS.flash : WORDS.pinned;
  text(label, words);
  show(label, !soldOut);
  show(out, soldOut);
  show(bolt, Boolean(flash) && !soldOut);
  flag($("kick"), "so", soldOut || !flash);
}

/** @param {import("../types").FlashView | null} flash */
function drawRing(flash) {
  show(pinRing, Boolean(flash));
  if (!flash) return;
  const left = countdown(flash.remaining_ms);
  setRing(pinRing, left, flash.fraction, flash.paused ? "pause" : flash.remaining_ms <= FLASH_WARN_MS ? "warn" : "", flash.paused ? `paused at ${left}` : `${left} left`);
}

/** The one sentence over the video that says why it is not simply playing. @param {any} hold */
function drawNotice(hold) {
  const [title, body, spins, look] = notice(hold);
  const box = $("notice");
  const [spinner, heading, words] = /** @type {any} */ (box.children);
  show(box, Boolean(title));
  text(heading, title);
  text(words, body);
  show(words, Boolean(body));
  show(spinner, spins);
  attr(box, "data-testid", banned() ? "banned" : "notice");
  for (const name of ["soft", "grey", "dark"]) flag($("frame"), name, look === name);
}

/** @param {any} hold @returns {[string, string, boolean, string]} title, sentence, spinner, look of the picture */
function notice(hold) {
  const { show: now } = feed.state;
  const safe = hold ? WORDS.holdSafe(feed.now() + holdLeft(now, hold, feed.now())) : WORDS.reconnectText;
  const joining = performance.now() - player.startedAt;
  if (banned()) return [WORDS.banned, WORDS.bannedText, false, "dark"];
  if (now.state === "ended") return [WORDS.ended2, WORDS.endedText, false, "soft"];
  if (now.video_blanked) return [WORDS.blanked, WORDS.moderatorCheck, false, "dark"];
  if (now.state === "scheduled") return [WORDS.waitingRoom, now.starts_at_ms ? dateTime(now.starts_at_ms) : "", false, "soft"];
  if (feed.status === "reconnecting" && player.state !== "playing") return [WORDS.reconnecting, safe, true, "grey"];
  if (now.host_away) return [WORDS.awayTitle, WORDS.awayText, false, "grey"];
  if (now.state === "paused") return [WORDS.pausedTitle, WORDS.pausedText, false, "grey"];
  if (player.state === "refused") return [WORDS.noVideo, "", false, ""];
  if (player.state === "reconnecting" || (player.state === "stalled" && !player.paused)) return [WORDS.reconnecting, safe, true, "grey"];
  if (player.state === "joining") return [joining > JOIN_SLOW_MS ? (player.link === "connected" ? WORDS.noHost : WORDS.stillJoining) : WORDS.joining, "", true, ""];
  return ["", "", false, ""];
}

let holdRing = /** @type {HTMLElement | null} */ (null);

/** @param {any} hold */
function drawHoldBar(hold) {
  const bar = $("holdbar");
  show(bar, Boolean(hold) && sheets?.kind !== "hold");
  if (!hold) return;
  if (!holdRing) bar.append((holdRing = ring()), document.createElement("span"));
  const left = holdLeft(feed.state.show, hold, feed.now());
  setRing(holdRing, countdown(left), left / (sheets?.holdMs ?? 120_000), feed.state.show.frozen ? "pause" : "", `${countdown(left)} left on your hold`);
  text(/** @type {Element} */ (bar.lastElementChild), `${WORDS.held} · ${WORDS.pay(full(hold.total_minor, feed.state.show.currency))}`);
}

function drawShop() {
  if (!$("shop").offsetParent) return;
  text($("shop-count"), `${feed.state.skus.length} products`);
  if (sheets) sheets.rows($("shop"), 48, false, shownPin(feed.state, feed.present())?.sku);
  else void loadSheets().then(draw);
}

/** Plays an element's entrance again. @param {HTMLElement} element */
function restart(element) {
  element.classList.remove("fade");
  void element.offsetWidth;
  element.classList.add("fade");
}

/** @type {Record<string, () => void>} */
const ACTIONS = {
  sound() {
    player.soundAsked = true;
    player.toggleSound();
  },
  pause: () => player.togglePause(),
  full: () => player.full(),
  pip: () => void player.video.requestPictureInPicture?.().catch(() => {}),
  async share() {
    const link = { title: document.title, url: location.origin + location.pathname };
    if (navigator.share) await navigator.share(link).catch(() => {});
    else await navigator.clipboard?.writeText(link.url).then(() => room.warn(WORDS.copied), () => {});
  },
  buy() {
    const product = shownPin(feed.state, feed.present());
    if (product) tapBuy(product.sku);
  },
  bag: () => void sheet("bag"),
  keys: () => void sheet("keys", KEYS),
};

for (const button of document.querySelectorAll("[data-do]")) button.addEventListener("click", () => ACTIONS[/** @type {any} */ (button).dataset.do]());
$("tapsound").addEventListener("click", ACTIONS.sound);
$("buy").addEventListener("click", ACTIONS.buy);
$("bag").addEventListener("click", ACTIONS.bag);
$("keys").addEventListener("click", ACTIONS.keys);
$("paid").addEventListener("click", () => void sheet("partnership"));
$("holdbar").addEventListener("click", () => void sheet("hold", openHold()));

/** @type {Record<string, () => void>} */
const SHORTCUTS = { b: ACTIONS.buy, g: ACTIONS.bag, m: ACTIONS.sound, k: ACTIONS.pause, " ": ACTIONS.pause, f: ACTIONS.full, h: () => room.heart(), "/": () => $("say").focus(), "?": ACTIONS.keys };
document.addEventListener("keydown", (event) => {
  const at = /** @type {HTMLElement} */ (event.target);
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (at.matches("input,textarea")) return void (event.key === "Escape" && at.blur());
  const act = SHORTCUTS[event.key.toLowerCase()];
  if (!act || sheets?.kind || (event.key === " " && at.matches("button,a"))) return;
  event.preventDefault();
  act();
});

const phone = matchMedia("(max-width:759px)");
const theme = () => (phone.matches ? (document.documentElement.dataset.theme = "dark") : delete document.documentElement.dataset.theme);
phone.addEventListener("change", theme);
theme();

player.awaits = () => awaitsFrame(feed.state, feed.present());
setInterval(draw, 500);
setInterval(async () => {
  if (player.frames) feed.live.send({ type: "report", publication: feed.timeline.publication, first_frame_ms: player.firstFrameMs, freezes: await player.freezes() });
}, REPORT_EVERY_MS);

await feed.start();
if (feed.state) {
  player.start();
}
