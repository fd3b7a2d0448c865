/**
 * State of one show as a page knows it: a snapshot, then updates in the order of the log. Pure: no clock, no DOM, no network.
 *
 * Chain rules: a public entry carries `seq` and `prev` (the public entry before it). It is a duplicate when `seq` ≤ last
 * and proves a loss when `prev` > last; only then the page asks for what is missing. `stock` and `order` are outside the
 * chain; each says with `as_of` (or `seq`) what it reflects, and an older one never replaces a newer one.
 *
 * Pins and flash starts carry `at_ms`, the frame they belong to. They enter the state at once and are *shown* when the
 * video on screen gets there (`shownPin`, `pricing.offer`), so that nothing can overtake anything.
 */

/** @import {Line, Order, Product, Show, State, Update, Verdict} from "./types" */

export const CHAT_KEPT = 200;
const PINS_KEPT = 8;
const SHOW_FIELDS = ["id", "title", "currency", "owner", "state", "sales_paused", "video_blanked", "host_away", "frozen",
  "frozen_total_ms", "frozen_since_ms", "test_mode", "chat_mode", "slow_mode_s", "starts_at_ms", "reason"];

/** @param {any} data @returns {Partial<Show>} */
function showFields(data) {
  /** @type {any} */
  const out = {};
  for (const name of SHOW_FIELDS) if (data[name] !== undefined) out[name] = data[name];
  return out;
}

/**
 * State from a snapshot; what the page knows and a snapshot does not carry (own orders, hearts) is taken over.
 * @param {any} data @param {State | null} [before]
 * @returns {State}
 */
export function fromSnapshot(data, before = null) {
  /** @type {Record<string, Product>} */
  const products = {};
  for (const product of data.products ?? []) products[product.sku] = asProduct(product, data.seq);
  return {
    show: /** @type {Show} */ ({ frozen_total_ms: 0, frozen_since_ms: 0, host_away: false, test_mode: false, chat_mode: "all",
      slow_mode_s: 0, starts_at_ms: null, ...before?.show, reason: undefined, ...showFields(data) }),
    epoch: data.epoch,
    last: data.seq,
    pins: data.pin ? [{ sku: data.pin, at_ms: 0 }] : [],
    skus: Object.keys(products),
    products,
    orders: withOrders(before?.orders ?? {}, data.orders ?? []),
    chat: (data.chat ?? before?.chat ?? []).slice(-CHAT_KEPT),
    viewers: data.viewers ?? before?.viewers ?? null,
    hearts: before?.hearts ?? 0,
    behind: 0,
    aimed: before?.aimed ?? null,
  };
}

/** @param {any} product @param {number} seq @returns {Product} */
const asProduct = (product, seq) => ({ ...product, as_of: seq, flash: product.flash ? { visible_from_ms: 0, ...product.flash } : null,
  list_price_minor: product.list_price_minor ?? product.price_minor });

/**
 * Applies one update. The state that comes back is new where something changed and the same object where nothing did.
 * @param {State} state @param {Update} update
 * @returns {{state: State, verdict: Verdict}}
 */
export function receive(state, update) {
  if (update.type === "snapshot") {
    return { state: fromSnapshot({ epoch: update.epoch, seq: update.seq, ...update.data }, state), verdict: "applied" };
  }
  if (update.epoch !== undefined && update.epoch !== state.epoch) return { state, verdict: "loss" };
  const chained = update.seq !== undefined && update.prev !== undefined;
  if (chained) {
    if (/** @type {number} */ (update.seq) <= state.last) return { state, verdict: "duplicate" };
    if (/** @type {number} */ (update.prev) > state.last) return { state, verdict: "loss" };
  }
  const change = CHANGES[update.type];
  if (!change && !chained) return { state, verdict: "ignored" };
  const changed = change ? change(state, update) : state;
  if (update.type === "tick") {
    const behind = (update.data.head ?? 0) > state.last ? state.behind + 1 : 0;
    return { state: { ...changed, behind }, verdict: behind >= 3 ? "loss" : "applied" };
  }
  return { state: chained ? { ...changed, last: /** @type {number} */ (update.seq) } : changed, verdict: "applied" };
}

/** @type {Record<string, (state: State, update: Update) => State>} */
const CHANGES = {
  "show.state": (state, { data, ts }) => {
    const fields = showFields(data);
    if (fields.frozen && !fields.frozen_since_ms && !state.show.frozen_since_ms) fields.frozen_since_ms = ts;
    return { ...state, show: { ...state.show, reason: undefined, ...fields } };
  },
  "product.updated": (state, { data, seq = 0 }) => {
    const old = state.products[data.sku];
    const stock = old && old.as_of > seq ? { left: old.left, held: old.held, sold: old.sold, as_of: old.as_of } : { as_of: seq };
    const flash = data.flash ? { visible_from_ms: old?.flash?.id === data.flash.id ? old?.flash?.visible_from_ms : 0, ...data.flash }
      : data.flash === undefined ? (old?.flash ?? null) : null;
    return withProduct(state, { ...old, ...data, ...stock, flash,
      list_price_minor: data.list_price_minor ?? data.price_minor ?? old?.list_price_minor });
  },
  "product.pinned": (state, { data, at_ms = 0 }) => {
    const known = state.products[data.sku] ? state : withProduct(state, asProduct({ reference_price_minor: null, price_version: 0, flash: null, ...data }, 0));
    return { ...known, pins: [...state.pins, { sku: data.sku, at_ms }].slice(-PINS_KEPT) };
  },
  "product.unpinned": (state) => ({ ...state, pins: [] }),
  "price.flash": (state, { data, at_ms = 0 }) => {
    const old = state.products[data.sku];
    if (!old) return state;
    const flash = { ...data, visible_from_ms: at_ms };
    return withProduct(state, { ...old, flash, list_price_minor: data.list_price_minor ?? old.list_price_minor });
  },
  "price.ended": (state, { data }) => {
    const old = state.products[data.sku];
    if (!old) return state;
    const flash = old.flash && old.flash.id !== data.id ? old.flash : null;
    return withProduct(state, { ...old, flash, list_price_minor: data.price_minor, price_version: data.price_version });
  },
  stock: (state, { data, as_of = 0 }) => {
    const old = state.products[data.sku];
    return !old || as_of < old.as_of ? state : withProduct(state, { ...old, ...data, as_of });
  },
  order: (state, { data }) => ({ ...state, orders: withOrders(state.orders, [data.order ?? data]) }),
  moderation: (state, { data, ts }) => moderated(state, { ts, ...data }),
  tick: (state, { data }) => ({
    ...state,
    viewers: data.viewers ?? state.viewers,
    hearts: state.hearts + (data.reactions?.heart ?? 0),
    chat: data.chat?.length ? [...state.chat, ...data.chat].slice(-CHAT_KEPT) : state.chat,
  }),
};

/** @param {State} state @param {Product} product @returns {State} */
function withProduct(state, product) {
  const skus = state.products[product.sku] ? state.skus : [...state.skus, product.sku];
  return { ...state, skus, products: { ...state.products, [product.sku]: product } };
}

/**
 * Orders with newer versions taken in. An answer and an update about the same change may come in any order.
 * @param {Record<string, Order>} orders @param {Order[]} news
 */
export function withOrders(orders, news) {
  const out = { ...orders };
  for (const order of news) {
    const old = out[order.id];
    if (!old || (order.seq ?? 0) >= (old.seq ?? 0)) out[order.id] = order;
  }
  return out;
}

/** @param {State} state @param {any} data @returns {State} */
function moderated(state, data) {
  if (data.action === "slow_mode") return { ...state, show: { ...state.show, slow_mode_s: data.seconds ?? 0 } };
  if (data.action === "chat_mode") return { ...state, show: { ...state.show, chat_mode: data.mode ?? "all" } };
  if (data.action === "delete") {
    const gone = new Set(data.message_ids ?? []);
    return { ...state, chat: state.chat.map((line) => (gone.has(line.id) ? { ...line, deleted: true } : line)) };
  }
  return data.subject ? { ...state, aimed: data } : state;
}

/**
 * The pin that belongs on screen with the frame of `presentMs`.
 * @param {State} state @param {number} presentMs
 * @returns {Product | null}
 */
export function shownPin(state, presentMs) {
  let sku = null;
  for (const pin of state.pins) if (presentMs >= pin.at_ms - 0.5) sku = pin.sku;
  return sku ? (state.products[sku] ?? null) : null;
}

/** Is something in the state that has yet to reach the screen? @param {State} state @param {number} presentMs */
export function awaitsFrame(state, presentMs) {
  if (state.pins.some((pin) => pin.at_ms - 0.5 > presentMs)) return true;
  return state.skus.some((sku) => (state.products[sku].flash?.visible_from_ms ?? 0) - 0.5 > presentMs);
}

/** Own orders of a product that count against its limit. @param {State} state @param {string} sku */
export function ownUnits(state, sku) {
  let units = 0;
  for (const order of Object.values(state.orders)) {
    if (!["held", "paying", "paid"].includes(order.state)) continue;
    for (const line of order.lines ?? [order]) if (line.sku === sku) units += line.quantity;
  }
  return units;
}
