/** What every chat list shows of a line. */
import { h, icon } from "./dom.js";

/** Role tag, from the show's members and the ledger; null for a viewer. @param {import("./types").Line} line */
export function roleTag(line) {
  if (line.role === "creator" || line.role === "producer") return h("span", { class: "tag m act", text: "Host" });
  if (line.role === "moderator" || line.role === "admin") return h("span", { class: "tag m info", text: "Mod" });
  return line.bought ? h("span", { class: "tag m ok" }, icon("check"), "Bought") : null;
}
