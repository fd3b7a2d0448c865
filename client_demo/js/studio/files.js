/** Products from and to a CSV file: a file with a bad row changes nothing, and every bad row is shown. */
import { newKey, Problem } from "../api.js";
import { $, h } from "../dom.js";
import { attempt, saveFile, toast } from "../tools.js";

const SHOWN = 200;

/** What is wrong with a file, in a sentence. Pure. @param {number} total */
export const verdict = (total) => `${total === 1 ? "One thing is" : `${total} things are`} wrong. Nothing of the file was taken.`;

export class Files {
  /** @param {import("../feed.js").Feed} feed */
  constructor(feed) {
    this.feed = feed;
    this.dialog = /** @type {HTMLDialogElement} */ (/** @type {any} */ ($("dialog")));
    const input = h("input", { type: "file", accept: ".csv,text/csv", hidden: true, "data-testid": "products-input", onchange: () => void attempt(() => this.take(/** @type {any} */ (input))) });
    $("products-import").after(input);
    $("products-import").onclick = () => input.click();
    $("products-file").onclick = () => void attempt(() => saveFile(feed.api, "/products.csv", `${feed.state.show.id}-products.csv`));
  }

  /** @param {HTMLInputElement} input */
  async take(input) {
    const [file] = input.files ?? [];
    if (!file) return;
    const { api } = this.feed;
    const response = await fetch(`/api/v1/shows/${encodeURIComponent(api.show)}/products.csv`, { method: "POST", body: file, headers: { ...api.bearer(), "Content-Type": "text/csv", "Idempotency-Key": newKey() } });
    input.value = ""; // the same file, mended, is a choice again
    const answer = await response.text();
    if (response.ok) {
      const { created, changed } = JSON.parse(answer);
      return toast(`${created} new, ${changed} changed.`);
    }
    const problem = Problem.of(response, answer);
    if (problem.code !== "bad_rows") throw problem;
    this.wrong(file.name, problem.body);
  }

  /** @param {string} name @param {{errors: {row: number, column: string | null, reason: string}[], total: number}} problem */
  wrong(name, { errors, total }) {
    const rows = errors.slice(0, SHOWN).map(({ row, column, reason }) => h("tr", {}, h("td", { class: "n", text: String(row) }), h("td", { class: "mono", text: column ?? "" }), h("td", { text: reason })));
    const more = total > rows.length && h("p", { class: "xs mut", text: `and ${total - rows.length} more` });
    this.dialog.replaceChildren(h("div", { class: "rowsbox", "data-testid": "bad-rows" }, h("h2", { class: "b", text: name }), h("p", { class: "box bad", role: "alert", text: verdict(total) }),
      h("div", { class: "scroll", tabindex: "0" }, h("table", { class: "sm" }, h("thead", {}, h("tr", {}, ...["Row", "Column", "What is wrong"].map((text) => h("th", { scope: "col", text })))), h("tbody", {}, ...rows))),
      more, h("button", { class: "btn act", text: "Close", onclick: () => this.dialog.close() })));
    this.dialog.showModal();
  }
}
