/** Product rows: the bag on a phone, the column on a desktop. One honest line each. */
import { attr, css, h, list, maybe, text } from "../dom.js";
import { countdown, price } from "../format.js";
import { stockWords, titleOf, WORDS } from "../words.js";
import { isGone } from "./button.js";

export const NO_IMAGE = "/static/assets/bag.svg";

export const thumb = (product, size) => h("img", { class: "th", src: product?.image_url || NO_IMAGE, width: size, height: size, alt: "" });

/** Draws the rows of all products but `without`. `page` has offer(product), button(product) and buy(sku); `pick` is the bag's (see picker). */
export function productRows(parent, { state, page, size, act, without, pick }) {
  const create = (product) => h("li", { class: "row", "data-testid": `product-${product.sku}` }, thumb(product, size),
    h("div", { class: "grow" }, h("div", { class: "b sm clip title" }), h("div", { class: "row n sm prices" }, h("b"), h("s", { class: "mut" }), h("span", { class: "tag act" })), h("div", { class: "xs mut n clip stk" })),
    pick && picker(product, pick),
    h("button", { class: `btn t44 ${act}`, "data-testid": `buy-${product.sku}`, onclick: () => page.buy(product.sku) }));
  list(parent, state.skus.filter((sku) => sku !== without).map((sku) => state.products[sku]), (product) => product.sku, create, (row, product) => {
    const { price_minor, was_minor, flash } = page.offer(product);
    const { label, enabled, joins, waits } = page.button(product);
    const [title, prices, stock] = row.children[1].children;
    const gone = isGone(product);
    text(title, titleOf(product));
    text(prices.children[0], price(price_minor, state.show.currency));
    maybe(prices.children[1], was_minor ? price(was_minor, state.show.currency) : "");
    maybe(prices.children[2], flash?.phase === "running" ? `Flash ${countdown(flash.remaining_ms)}` : "");
    text(stock, gone ? WORDS.soldOut : stockWords(product).left);
    const open = label === WORDS.byLottery ? "Lottery" : enabled && !label.startsWith("Buy") ? "Pay" : "Buy";
    text(row.lastElementChild, gone ? (joins ? "Wait" : waits ? "In line" : WORDS.soldOut) : open);
    attr(row.lastElementChild, "aria-label", `${label}: ${product.title}`);
    attr(row.lastElementChild, "disabled", enabled ? null : "");
    if (pick) drawPicker(row.children[2], product, pick, gone);
  });
}

/** How many of a product are picked, one less, one more. `pick`: of(sku), add(sku, units). */
const picker = ({ sku, title }, pick) => h("div", { class: "pick n", role: "group", "aria-label": `Bag: ${title}` },
  h("button", { class: "btn ghost t44", "aria-label": "One less", text: "−", onclick: () => pick.add(sku, -1) }),
  h("b", { "data-testid": `picked-${sku}` }),
  h("button", { class: "btn ghost t44", "aria-label": "One more", "data-testid": `pick-${sku}`, text: "+", onclick: () => pick.add(sku, 1) }));

function drawPicker(box, { sku, left }, pick, gone) {
  const [less, units, more] = box.children;
  const picked = pick.of(sku);
  text(units, picked || "");
  css(less, "visibility", picked ? "visible" : "hidden");
  attr(more, "disabled", gone || picked >= (left ?? Infinity) ? "" : null);
}
