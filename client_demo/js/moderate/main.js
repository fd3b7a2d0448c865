/** The moderator's page: chat with one-key actions, chat rules, show controls, viewer card, log. */
import { Api, newKey } from "../api.js";
import { roleTag } from "../chat.js";
import { $, attr, flag, framed, h, icon, initial, list, show, text } from "../dom.js";
import { Feed, showId } from "../feed.js";
import { timeOfDay } from "../format.js";
import { attempt, chatField, confirm, drawHeader, keyList, onKeys, pace, stopped, toast, Undo } from "../tools.js";
import { Whep } from "../whep.js";
import { Log } from "./log.js";

const KEYS = [["↑ ↓ or K J", "Move"], ["D", "Delete the message"], ["T", "Time out 5 min"], ["Shift T", "Time out 1 h"], ["B", "Ban"], ["Z", "Undo, 10 s"], ["Space", "Freeze the list"], ["/", "Write in chat"], ["Esc", "Close the viewer card"], ["?", "This list"]];
const UNDO_MS = 10_000;
const SLOW_S = 10;
const TIMEOUT_S = 300;
const LONG_TIMEOUT_S = 3_600;
const SHORTEST_TIMEOUT_S = 10;
const CARD_LINES = 4;

const api = new Api("moderate", showId());
const draw = framed(() => feed.state && render());
const feed = new Feed(api, { draw, update, live: () => void log.read() });
const log = new Log(feed, nameOf);
const undo = new Undo();
let selected = "";
let frozen = false;
/** @type {import("../types").Line[]} what the list shows while it stands still */
let still = [];
/** @type {Record<string, string>} last mark of a viewer: "banned" or "timed out" */
const marks = {};

const whep = new Whep(api, {
  stream: (stream) => {
    const video = /** @type {any} */ ($("video"));
    video.srcObject = stream;
    video.play().catch(() => {});
  },
  state: () => {},
});

/** @param {string} pid */
function nameOf(pid) {
  if (!pid) return "The server";
  if (pid === feed.state?.show.owner) return "Host";
  return feed.state?.chat.findLast((line) => line.subject === pid)?.name ?? `…${pid.slice(-5)}`;
}

/** @param {any} body */
const moderate = (body) => attempt(() => api.call("POST", "/moderation", { body, key: newKey() }));
const line = () => feed.state.chat.find((candidate) => candidate.id === selected);
const visible = () => (frozen ? still : feed.state.chat);

/** @param {import("../types").Line | undefined} [target] */
async function remove(target = line()) {
  if (target && !target.deleted && (await moderate({ action: "delete", message_ids: [target.id] }))) toast(`Deleted what ${target.name} wrote.`);
}

/** A timeout cannot be lifted, only replaced: the undo is the shortest there is. @param {number} seconds */
async function timeOut(seconds) {
  const target = line();
  if (!target || !(await moderate({ action: "timeout", subject: target.subject, seconds, reason: "Broke the chat rules" }))) return;
  marks[target.subject] = "timed out";
  undo.offer(`${target.name} can write again in ${seconds / 60} min.`, async () => {
    await api.call("POST", "/moderation", { body: { action: "timeout", subject: target.subject, seconds: SHORTEST_TIMEOUT_S, reason: "Undone" }, key: newKey() });
    delete marks[target.subject];
    draw();
  }, UNDO_MS);
}

async function ban() {
  const target = line();
  if (!target || !(await moderate({ action: "ban", subject: target.subject, reason: "Broke the chat rules" }))) return;
  marks[target.subject] = "banned";
  undo.offer(`${target.name} is banned.`, () => unban(target.subject), UNDO_MS);
  draw();
}

/** @param {string} subject */
async function unban(subject) {
  await api.call("POST", "/moderation", { body: { action: "unban", subject }, key: newKey() });
  delete marks[subject];
  draw();
}

/** @param {string} id */
function select(id) {
  selected = id;
  freeze(Boolean(id));
  draw();
}

/** With a message selected or Space pressed the list stands still. @param {boolean} on */
function freeze(on) {
  if (on && !frozen) still = feed.state.chat;
  frozen = on;
}

/** @param {number} step */
function move(step) {
  const lines = visible();
  if (!lines.length) return;
  const at = lines.findIndex((candidate) => candidate.id === selected);
  select(lines[at < 0 ? lines.length - 1 : Math.max(0, Math.min(lines.length - 1, at + step))].id);
  $("thread").querySelector("[aria-selected=true]")?.scrollIntoView({ block: "nearest" });
}

/** @param {any} message */
function update(message) {
  if (message.type === "moderation" || message.type === "show.state" || message.type.startsWith("pr")) void log.read();
  if (message.type === "error") toast(message.data.message ?? message.data.code);
}

function render() {
  drawHeader(feed, "Moderate");
  drawRules();
  drawControls();
  drawChat();
  drawViewer();
  log.draw();
  const { show: now } = feed.state;
  flag($("prev"), "off", now.video_blanked);
  text($("mid"), now.video_blanked ? "The video is blank for viewers." : now.state === "ended" ? "The show has ended." : now.host_away ? "The host is away." : "");
  show($("mid"), Boolean($("mid").textContent));
  if (feed.status === "stopped") stopped(feed.code);
}

function drawRules() {
  const { slow_mode_s, chat_mode } = feed.state.show;
  attr($("slow"), "aria-checked", String(slow_mode_s > 0));
  text($("slow-note"), `One message every ${slow_mode_s || SLOW_S} s`);
  for (const mode of ["buyers", "emotes", "off"]) attr($(mode), "aria-checked", String(chat_mode === mode));
}

/** Two steps to stop something, one to resume it. */
const CONTROLS = [
  { id: "sales", on: (/** @type {any} */ now) => now.sales_paused, stop: ["pause", "Pause sales"], go: ["play", "Resume sales"], body: { stop: "pause_sales", go: "resume_sales" }, testid: "pause-sales",
    ask: { title: "Pause sales?", body: "Nobody can buy. Holds and timers stand still and resume where they stopped.", yes: "Pause sales", no: "Keep selling" } },
  { id: "video", on: (/** @type {any} */ now) => now.video_blanked, stop: ["blank", "Blank video"], go: ["eye", "Show video"], body: { stop: "blank_video", go: "show_video" }, testid: "blank-video",
    ask: { title: "Blank the video?", body: "Viewers see no picture. Timers stand still until you show it again.", yes: "Blank video", no: "Keep showing" } },
];

function drawControls() {
  const box = $("controls");
  if (!box.childElementCount) {
    for (const control of CONTROLS) box.append(h("button", { class: "btn line", "data-testid": control.testid, onclick: () => toggle(control) }));
    box.append(h("button", { class: "btn danger", "data-testid": "end-show", onclick: endShow }, icon("stop"), "End show"));
  }
  const { show: now } = feed.state;
  CONTROLS.forEach((control, index) => {
    const button = /** @type {HTMLElement} */ (box.children[index]);
    const [name, label] = control.on(now) ? control.go : control.stop;
    if (button.textContent !== label) button.replaceChildren(icon(name), label);
    attr(button, "class", `btn ${control.on(now) ? "act" : "line"}`);
    attr(button, "disabled", now.state === "ended" ? "" : null);
  });
  attr(/** @type {any} */ (box.lastElementChild), "disabled", now.state === "live" || now.state === "paused" ? null : "");
}

/** @param {typeof CONTROLS[number]} control */
function toggle(control) {
  if (control.on(feed.state.show)) return void moderate({ action: control.body.go, reason: "Checked" });
  confirm({ ...control.ask, act: () => void moderate({ action: control.body.stop, reason: "A moderator is checking something" }) });
}

function endShow() {
  const held = Object.values(feed.state.products).reduce((sum, { held }) => sum + (held ?? 0), 0);
  confirm({
    title: `End the show for ${(feed.state.viewers ?? 0).toLocaleString()} people?`, body: `${held} on hold stay valid until they run out.`, yes: "End now", no: "Keep going", testid: "end-confirm",
    act: () => void attempt(() => api.call("POST", "/end", { body: {}, key: newKey() })),
  });
}

function drawChat() {
  const lines = visible();
  const thread = $("thread");
  text($("pace"), pace(feed.state.chat, feed.now()));
  const fresh = feed.state.chat.length && frozen ? feed.state.chat.filter((candidate) => candidate.ts > (still.at(-1)?.ts ?? 0)).length : 0;
  text($("frozen"), frozen ? (fresh ? `${fresh} new · Esc shows them` : "Standing still") : "");
  if (!lines.length) return void (thread.childElementCount || thread.replaceChildren(h("p", { class: "empty", text: "No messages yet." })));
  const byId = new Map(feed.state.chat.map((candidate) => [candidate.id, candidate]));
  list(thread, lines, (candidate) => candidate.id, row, (element, candidate) => {
    flag(element, "gone", Boolean(byId.get(candidate.id)?.deleted ?? candidate.deleted) || marks[candidate.subject] === "banned");
    attr(element, "aria-selected", String(candidate.id === selected));
  });
  if (!frozen) thread.scrollTop = thread.scrollHeight;
}

/** @param {import("../types").Line} of */
function row(of) {
  const act = (/** @type {string} */ name, /** @type {string} */ label, /** @type {string} */ key, /** @type {string} */ testid, /** @type {() => void} */ run, tone = "line") => h("button", { class: `btn s ${tone}`, "aria-keyshortcuts": key, "data-testid": testid, onclick: (/** @type {Event} */ event) => {
    event.stopPropagation();
    run();
  } }, icon(name), label, h("kbd", { text: key }));
  return h("div", { class: "mrow", role: "row", "data-testid": "chat-line", onclick: () => select(of.id === selected ? "" : of.id) },
    h("time", { class: "n", role: "gridcell", text: timeOfDay(of.ts) }), initial(of.name, of.subject),
    h("p", { role: "gridcell" }, h("span", { class: "nm", text: of.name }), roleTag(of), of.text),
    h("div", { class: "acts", role: "gridcell" }, act("trash", "Delete", "D", "row-delete", remove), act("clock", "5 min", "T", "row-timeout", () => timeOut(TIMEOUT_S)), act("ban", "Ban", "B", "row-ban", ban, "danger")));
}

/** @type {string | null} */
let drawnFor = null;

function drawViewer() {
  const of = line();
  const key = of ? `${of.id}/${of.deleted}/${marks[of.subject]}/${feed.state.chat.length}` : "";
  if (key === drawnFor) return;
  drawnFor = key;
  const box = $("viewer");
  if (!of) return box.replaceChildren(h("p", { class: "mut sm", text: "Select a message to see who wrote it and to act on it." }));
  const theirs = feed.state.chat.filter((candidate) => candidate.subject === of.subject);
  const stat = (/** @type {any} */ value, /** @type {string} */ label) => h("div", {}, h("b", { text: String(value) }), label);
  const mark = marks[of.subject];
  box.replaceChildren(
    h("div", { class: "row" }, large(of), h("div", { class: "grow" }, h("div", { class: "b nowt clip", "data-testid": "viewer-name", text: of.name }), h("div", { class: "xs mut clip", text: of.role || (mark ?? "viewer") })), h("button", { class: "ib", "aria-label": "Close card", onclick: () => select("") }, icon("x"))),
    h("div", { class: "stat n" }, stat(theirs.length, "messages"), stat(theirs.some((one) => one.bought) ? "yes" : "no", "bought"), stat(theirs.filter((one) => one.deleted).length, "deleted")),
    h("div", { class: "col" }, ...theirs.slice(-CARD_LINES).map((one) => h("div", { class: "hist" }, h("time", { class: "n", text: timeOfDay(one.ts) }), one.deleted ? h("s", { class: "mut", text: one.text }) : h("span", { text: one.text })))),
    h("div", { class: "row" }, h("button", { class: "btn s line grow", "data-testid": "delete", text: "Delete", disabled: of.deleted, onclick: () => remove() }), h("button", { class: "btn s line grow", "data-testid": "timeout", text: "Time out", onclick: () => timeOut(TIMEOUT_S) }),
      mark === "banned" ? h("button", { class: "btn s line grow", "data-testid": "unban", text: "Lift ban", onclick: () => attempt(() => unban(of.subject)) }) : h("button", { class: "btn s danger grow", "data-testid": "ban", text: "Ban", onclick: ban })),
    h("p", { class: "xs mut", text: "A ban ends chat, video and buying on this show. You can undo it." }));
}

/** @param {import("../types").Line} of */
function large(of) {
  const disc = initial(of.name, of.subject);
  disc.classList.add("lg");
  return disc;
}

/** @type {[string, () => any][]} */
const RULES = [
  ["slow", () => moderate({ action: "slow_mode", seconds: feed.state.show.slow_mode_s ? 0 : SLOW_S })],
  ...["buyers", "emotes", "off"].map((mode) => /** @type {[string, () => any]} */ ([mode, () => moderate({ action: "chat_mode", mode: feed.state.show.chat_mode === mode ? "all" : mode })])),
  ["keys", () => keyList(KEYS)],
];
for (const [id, act] of RULES) $(id).addEventListener("click", act);

/** @type {Record<string, () => any>} */
const PRESS = {
  arrowup: () => move(-1), k: () => move(-1), arrowdown: () => move(1), j: () => move(1), d: () => remove(), t: () => timeOut(TIMEOUT_S), b: ban, z: () => undo.run(),
  " ": () => (freeze(!frozen), draw()), escape: () => select(""), "?": () => keyList(KEYS),
};
onKeys((key, event) => {
  if (event.shiftKey && key === "T") void timeOut(LONG_TIMEOUT_S);
  else if (!PRESS[key.toLowerCase()]) return false;
  else void PRESS[key.toLowerCase()]();
  return true;
});
chatField(feed);
setInterval(draw, 1000);

await feed.start();
if (feed.state) whep.start();
else stopped(feed.code);
