/** The studio: camera on air, run of show, flash prices, sales and chat of one show. */
import { Api, newKey } from "../api.js";
import { roleTag } from "../chat.js";
import { $, attr, flag, framed, h, icon, initial, later, list, show, text } from "../dom.js";
import { Feed, showId } from "../feed.js";
import { attempt, chatField, confirm, drawHeader, keyList, onKeys, pace, stick, stopped, toast, Undo } from "../tools.js";
import { Whip } from "../whip.js";
import { Camera } from "./camera.js";
import { Files } from "./files.js";
import { Health } from "./health.js";
import { Orders } from "./orders.js";
import { Run } from "./run.js";

const KEYS = [["1–9", "Pin"], ["0", "Unpin"], ["N", "Pin the next product"], ["F", "Flash price for the selected row"], ["E E", "End the flash early"], ["Z", "Undo, 5 s"], ["M", "Microphone"], ["V", "Camera"], ["P", "Pause or resume the show"], ["G", "Go live"], ["/", "Write in chat"], ["?", "This list"]];
const UNDO_MS = 5_000;
const TWICE_MS = 2_000;
const COUNT_FROM = 3;
const TIMEOUT_S = 300;
/** A flash price is in a hurry: its dialog is there before it is asked for. */
const FLASH_AFTER_MS = 2_000;

const api = new Api("studio", showId());
const draw = framed(() => feed.state && render());
const feed = new Feed(api, { draw, update });
const undo = new Undo();
let mine = "off";
let counting = 0;

const whip = new Whip(api, {
  state: (state, code) => {
    mine = state;
    if (state === "refused") toast(code === "already_publishing" ? "Someone else is on air with another account." : `You could not go on air (${code}).`);
    if (state === "replaced") toast("You went on air on another device. This page has stopped sending.");
    if (state === "onair" && feed.state.show.state === "scheduled") void command("/start");
    draw();
  },
  answers: () => feed.live.answers(),
  replaced: (publication) => {
    const onAir = feed.timeline.publication;
    return Boolean(publication) && Boolean(onAir) && onAir !== publication && !feed.state.show.host_away;
  },
});
const camera = new Camera({ track: (track) => void whip.replace(track), draw });
const health = new Health(feed, () => mine);
const run = new Run(feed, { pin, unpin, flash: (product) => open(flashes, product), endFlash, restock, auction: (product) => open(lots, product) });
const orders = new Orders(feed, draw);
new Files(feed);

/** What comes with its first use, or with the first of its kind that there is. */
const offerUndo = (/** @type {string} */ words, /** @type {string} */ path) => undo.offer(words, () => api.call("DELETE", path), UNDO_MS);
const flashes = later(() => import("./flash.js").then(({ FlashDialog }) => new FlashDialog(feed, { headers: press, started: (flash) => offerUndo("Flash price is set.", `/flash/${flash.id}`) })));
const draws = later(() => import("./draws.js").then(({ Draws }) => new Draws(feed, { headers: press })));
const lots = later(() => import("./lots.js").then(({ Lots }) => new Lots(feed, { headers: press, draw: (product) => open(draws, product) })));
const coupons = later(() => import("./coupons.js").then(({ Coupons }) => new Coupons(feed)));
const reductions = later(() => import("./reductions.js").then(({ Reductions }) => new Reductions(feed, { headers: press, started: offerUndo })));
const bag = later(() => import("./bag.js").then(({ Bag }) => new Bag(feed)));

/** @param {ReturnType<typeof later<any>>} part @param {any} [product] */
async function open(part, product) {
  const made = await part.get();
  if (made) made.open(product);
  else toast("No answer from the server. Try again.");
}

/** Draws a part if it is there, and fetches it when there is something for it to draw. @param {ReturnType<typeof later<any>>} part @param {boolean} needed */
function drawPart(part, needed) {
  if (part.made) part.made.draw();
  else if (needed) void part.get().then((made) => made && draw()); // after a failure the next draw tries again, not this one
}

/** The moment of the press, for commands of the page that is on air (the frame that shows it gets the change). */
function press() {
  const publication = whip.publication || feed.timeline.publication;
  return whip.onAir && publication ? { "Vendue-Press": `${(performance.timeOrigin + performance.now()).toFixed(1)};${publication}` } : {};
}

/** @param {string} path @param {string} [method] @param {any} [body] */
const command = (path, method = "POST", body) => attempt(() => api.call(method, path, { body: body ?? (method === "DELETE" ? undefined : {}), key: newKey(), headers: press() }));

/** @param {string} sku */
async function pin(sku) {
  const before = run.pinned()?.sku;
  const title = feed.state.products[sku]?.title;
  if (!title || before === sku || !(await command("/pin", "PUT", { sku }))) return;
  undo.offer(`${title} is on screen.`, () => (before ? api.call("PUT", "/pin", { body: { sku: before }, headers: press() }) : api.call("DELETE", "/pin", { headers: press() })), UNDO_MS);
}

async function unpin() {
  const before = run.pinned()?.sku;
  if (before && (await command("/pin", "DELETE"))) undo.offer("Nothing is pinned.", () => api.call("PUT", "/pin", { body: { sku: before }, headers: press() }), UNDO_MS);
}

/** @param {import("../types").Product | null} product */
async function endFlash(product) {
  if (product?.flash) await command(`/flash/${product.flash.id}`, "DELETE");
}

/** @param {import("../types").Product} product */
function restock(product) {
  const dialog = /** @type {any} */ ($("dialog"));
  const field = /** @type {any} */ (h("input", { inputmode: "numeric", value: "10", "aria-label": "Units to add", "data-testid": "restock-delta" }));
  const key = newKey();
  const submit = async (/** @type {Event} */ event) => {
    event.preventDefault();
    const delta = Number(field.value);
    if (!Number.isInteger(delta) || delta === 0) return;
    dialog.close();
    await attempt(() => api.call("POST", `/products/${encodeURIComponent(product.sku)}/restock`, { body: { delta }, key }));
  };
  dialog.className = "dlg slim";
  dialog.replaceChildren(h("form", { onsubmit: submit }, h("div", { class: "l" }, h("h2", { text: `Add stock: ${product.title}` }), h("span", { class: "inp" }, field), h("button", { class: "btn act t44", text: "Add" }))));
  dialog.showModal();
  field.select();
}

/** Goes on air after a count-down that can be cancelled. */
function go() {
  if (counting) {
    clearInterval(counting);
    counting = 0;
    return draw();
  }
  if (mine === "onair" || mine === "starting" || mine === "reconnecting") return whip.stop();
  if (!camera.stream) return void camera.open();
  let left = COUNT_FROM;
  const step = () => {
    if (left === 0) {
      clearInterval(counting);
      counting = 0;
      whip.start(/** @type {MediaStream} */ (camera.stream));
    } else $("mid").replaceChildren(h("b", { text: String(left--) }));
    draw();
  };
  counting = /** @type {any} */ (setInterval(step, 700));
  step();
}

function end() {
  const held = Object.values(feed.state.products).reduce((sum, { held }) => sum + (held ?? 0), 0);
  confirm({
    title: `End the show for ${(feed.state.viewers ?? 0).toLocaleString()} people?`, body: `${held} on hold stay valid until they run out.`, yes: "End now", no: "Keep going", testid: "end-confirm",
    act: async () => (await command("/end")) && whip.stop(),
  });
}

const pause = () => command(feed.state.show.state === "paused" ? "/resume" : "/pause");

function obs() {
  const dialog = /** @type {any} */ ($("dialog"));
  const line = (/** @type {string} */ label, /** @type {string} */ value, secret = false) => h("div", { class: "lab" }, label, h("div", { class: "inp" },
    h("span", { class: "mono grow clip", text: secret ? `${value.slice(0, 4)}${"•".repeat(20)}${value.slice(-4)}` : value }),
    h("button", { class: "ib", "aria-label": `Copy ${label.toLowerCase()}`, onclick: () => navigator.clipboard?.writeText(value).then(() => toast("Copied"), () => {}) }, icon("copy"))));
  dialog.className = "dlg slim";
  dialog.replaceChildren(h("div", { class: "l" }, h("div", {}, h("h2", { text: "Send from OBS instead" }), h("p", { class: "sm mut", text: "Settings, Stream, service “WHIP”. Paste both lines. Keyframe interval 2 s, no B-frames." })),
    line("Server", `${location.origin}/whip/${encodeURIComponent(api.show)}`), line("Bearer token", api.token ?? "", true), h("p", { class: "xs mut", text: "Anyone with this token can broadcast as you." }),
    h("button", { class: "btn t44", text: "Close", onclick: () => dialog.close() })));
  dialog.showModal();
}

/** @param {any} message */
function update(message) {
  if (message.type === "error") toast(message.data.message ?? message.data.code);
}

function render() {
  drawHeader(feed, "Studio");
  drawAir();
  camera.draw();
  run.draw();
  orders.draw();
  const { state } = feed;
  drawPart(lots, Object.keys(state.lots).length > 0);
  drawPart(draws, Object.keys(state.draws).length > 0);
  drawPart(reductions, Boolean(state.show.show_flash || state.show.campaign));
  drawChat();
  health.draw();
  if (feed.status === "stopped") stopped(feed.code);
}

function drawAir() {
  const { show: now } = feed.state;
  const onAir = mine === "onair";
  const sending = onAir || mine === "starting" || mine === "reconnecting";
  const chip = $("on");
  text(chip, onAir ? "LIVE" : mine === "starting" ? "Going on air…" : mine === "reconnecting" ? "Reconnecting…" : "Only you see this");
  flag(chip, "live", onAir);
  const mid = $("mid");
  if (!counting) text(mid, camera.problem);
  show(mid, Boolean(counting || camera.problem));
  const button = $("go");
  const label = counting ? "Cancel" : sending ? "Stop camera" : camera.stream ? "Go live" : "Open camera";
  if (button.dataset.label !== label) {
    button.dataset.label = label;
    button.replaceChildren(...(sending || counting ? [label] : [icon("bolt", true), label, " ", h("kbd", { text: "G" })]));
  }
  attr(button, "class", `btn ${sending || counting ? "line" : "act"}`);
  attr(button, "disabled", now.state === "ended" || camera.opening ? "" : null);
  text($("pause"), now.state === "paused" ? "Resume show" : "Pause show");
  show($("pause"), now.state === "live" || now.state === "paused");
  show($("end"), now.state === "live" || now.state === "paused");
}

function drawChat() {
  const { chat } = feed.state;
  text($("pace"), pace(chat, feed.now()));
  const thread = $("thread");
  if (!chat.length) return void (thread.childElementCount || thread.replaceChildren(h("p", { class: "empty", text: "No messages yet." })));
  stick(thread, () => list(thread, chat, (line) => line.id, chatLine, (row, line) => flag(row, "gone", Boolean(line.deleted))));
}

/** @param {import("../types").Line} line */
function chatLine(line) {
  const moderate = (/** @type {any} */ body, /** @type {string} */ done) => attempt(async () => {
    await api.call("POST", "/moderation", { body, key: newKey() });
    toast(done);
  });
  const act = (/** @type {string} */ name, /** @type {string} */ label, /** @type {string} */ testid, /** @type {() => void} */ run) => h("button", { class: "ib", "aria-label": label, "data-testid": testid, onclick: run }, icon(name));
  const own = line.subject === feed.live.hello?.pid;
  return h("div", { class: "chatln", tabindex: "0", "data-testid": "chat-line" }, initial(line.name, line.subject), h("p", {}, h("span", { class: "nm", text: line.name }), roleTag(line), line.text),
    h("div", { class: "hov" }, act("trash", "Delete message", "delete", () => moderate({ action: "delete", message_ids: [line.id] }, "Deleted.")),
      !own && act("clock", "Time out 5 min", "timeout", () => moderate({ action: "timeout", subject: line.subject, seconds: TIMEOUT_S, reason: "Timed out by the host" }, `${line.name} can write again in 5 min.`)),
      !own && act("ban", "Ban", "ban", () => confirm({ title: `Ban ${line.name}?`, body: "Chat, video and buying end for them at once.", yes: "Ban", no: "Keep", act: () => moderate({ action: "ban", subject: line.subject, reason: "Banned by the host" }, `${line.name} is banned.`) }))));
}

let endPressed = -Infinity;
/** @type {Record<string, () => void>} */
const PRESS = {
  0: unpin, n: () => pin(run.next()), z: () => undo.run(), p: pause, "?": () => keyList(KEYS),
  m: () => camera.toggle("audio"), v: () => camera.toggle("video"),
  f: () => {
    const product = feed.state.products[run.selected] ?? run.pinned();
    if (product && !product.flash && product.left !== 0) void open(flashes, product);
  },
  e: () => {
    if (performance.now() - endPressed < TWICE_MS) return void endFlash(run.pinned());
    endPressed = performance.now();
    if (run.pinned()?.flash) toast("Press E again to end the flash.", null, TWICE_MS);
  },
  g: () => ["off", "replaced", "refused"].includes(mine) && go(),
};
onKeys((key) => {
  const name = key.toLowerCase();
  const sku = /^[1-9]$/.test(key) ? feed.state?.skus[Number(key) - 1] : undefined;
  if (sku) void pin(sku);
  else if (!PRESS[name]) return false;
  else PRESS[name]();
  return true;
});
/** @type {[string, () => void][]} */
const BUTTONS = [["go", go], ["end", end], ["pause", pause], ["obs", obs], ["keys", PRESS["?"]], ["mic", PRESS.m], ["cam", PRESS.v], ["show-flash", () => open(reductions)], ["coupons", () => open(coupons)], ["bag-arrange", () => open(bag)]];
for (const [id, act] of BUTTONS) $(id).addEventListener("click", act);
chatField(feed);
setInterval(draw, 500);

void camera.open();
await feed.start();
if (feed.state) health.start();
else stopped(feed.code);
setTimeout(() => void flashes.get(), FLASH_AFTER_MS);
