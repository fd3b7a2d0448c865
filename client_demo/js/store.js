/**
 * State of one show as a page knows it (`State` in types.d.ts): a snapshot, then updates in the order of the log. Pure.
 * The chain and frame rules are in the README. Pins and flash starts enter the state at once and are *shown* when the
 * video gets to their `at_ms` (`shownPin`, `pricing.offer`), so that nothing can overtake anything.
 */

export const CHAT_KEPT = 200;
const PINS_KEPT = 8;
/** Lots that are over stay so many, to say how they ended. */
const LOTS_OVER_KEPT = 4;
/** Ticks in a row that know of an entry that never came. */
const BEHIND_MAX = 3;
const SHOW = {
  id: "", title: "", currency: "", owner: "", state: "scheduled", sales_paused: false, video_blanked: false, host_away: false, frozen: false,
  frozen_total_ms: 0, frozen_since_ms: 0, test_mode: false, show_flash: null, campaign: null, chat_mode: "all", slow_mode_s: 0, starts_at_ms: null, reason: undefined,
};

const showFields = (data) => Object.fromEntries(Object.keys(SHOW).filter((name) => data[name] !== undefined).map((name) => [name, data[name]]));

/** State from a snapshot; what no snapshot carries (own orders, hearts) is taken over from `before`. */
export function fromSnapshot(data, before = null) {
  const products = {};
  for (const product of data.products ?? []) products[product.sku] = asProduct(product, data.seq);
  return {
    show: { ...SHOW, ...before?.show, reason: undefined, ...showFields(data) },
    epoch: data.epoch,
    last: data.seq,
    pins: data.pin ? [{ sku: data.pin, at_ms: 0 }] : [],
    skus: Object.keys(products).filter((sku) => products[sku].listed), // the bag, in its order; `products` has all
    products,
    lots: Object.fromEntries((data.lots ?? []).map((lot) => [lot.id, lot])),
    orders: withOrders(before?.orders ?? {}, data.orders ?? []),
    draws: Object.fromEntries((data.draws ?? []).map((draw) => [draw.id, draw])),
    entered: before?.entered ?? {},
    places: before?.places ?? {},
    chat: (data.chat ?? before?.chat ?? []).slice(-CHAT_KEPT),
    viewers: data.viewers ?? before?.viewers ?? null,
    hearts: before?.hearts ?? 0,
    behind: 0,
    aimed: before?.aimed ?? null,
  };
}

const asProduct = (product, as_of) => ({ flash: null, listed: true, show_flash_price_minor: null, campaign_price_minor: null, reference_price_minor: null, price_version: 0, list_price_minor: product.price_minor, ...product, as_of });

/** Applies one update: {state, verdict}. "loss": ask again from `last`. */
export function receive(state, update) {
  const { type, seq, prev, epoch, data } = update;
  if (type === "snapshot") return { state: fromSnapshot({ ...data, epoch, seq: seq ?? data.seq }, state), verdict: "applied" };
  if (epoch !== undefined && epoch !== state.epoch) return { state, verdict: "loss" };
  const chained = prev !== undefined;
  if (chained && seq <= state.last) return { state, verdict: "duplicate" };
  if (chained && prev > state.last) return { state, verdict: "loss" };
  const change = CHANGES[type];
  if (!change && !chained) return { state, verdict: "ignored" };
  const changed = change ? change(state, update) : state;
  if (chained) return { state: { ...changed, last: seq }, verdict: "applied" };
  if (type !== "tick") return { state: changed, verdict: "applied" };
  const behind = data.head > state.last ? state.behind + 1 : 0;
  return { state: { ...changed, behind }, verdict: behind >= BEHIND_MAX ? "loss" : "applied" };
}

const CHANGES = {
  "show.state": (state, { data, ts }) => {
    const show = { ...state.show, reason: undefined, ...showFields(data) };
    if (show.frozen && !show.frozen_since_ms) show.frozen_since_ms = ts;
    return { ...state, show, products: state.show.state === "scheduled" && show.state !== "scheduled" ? onOffer(state.products) : state.products };
  },
  "product.updated": (state, { data, seq }) => {
    const old = state.products[data.sku];
    const newer = old?.as_of > seq ? { left: old.left, held: old.held, sold: old.sold, sold_out: old.sold_out, as_of: old.as_of } : { as_of: seq };
    const flash = data.flash && old?.flash?.id === data.flash.id ? { flash: { ...old.flash, ...data.flash } } : {};
    return withProduct(state, { ...asProduct({ ...old, ...data }, seq), ...flash, ...newer });
  },
  "product.pinned": (state, { data, at_ms = 0 }) => {
    const known = state.products[data.sku] ? state : withProduct(state, asProduct(data, 0));
    return { ...known, pins: [...state.pins, { sku: data.sku, at_ms }].slice(-PINS_KEPT) };
  },
  "product.unpinned": (state) => ({ ...state, pins: [] }),
  "bag.changed": (state, { data: { skus } }) => {
    const products = Object.fromEntries(Object.values(state.products).map((product) => [product.sku, { ...product, listed: skus.includes(product.sku) }]));
    return { ...state, skus: skus.filter((sku) => products[sku]), products };
  },
  "price.flash": (state, { data, ts, at_ms = ts ?? 0 }) => {
    const old = state.products[data.sku];
    const flash = { ...data, visible_from_ms: at_ms, pressed_before_ms: (ts ?? at_ms) - at_ms };
    return old ? withProduct(state, { ...old, ...reference(data), flash, list_price_minor: data.list_price_minor ?? old.list_price_minor }) : state;
  },
  "price.ended": (state, { data }) => {
    const { id, sku, price_minor, price_version } = data;
    const old = state.products[sku];
    const listed = (data.price_reason?.rule ?? "list") === "list" ? { list_price_minor: price_minor } : {};
    return old ? withProduct(state, { ...old, ...reference(data), ...listed, flash: old.flash?.id === id ? null : old.flash, price_version }) : state;
  },
  "price.show_flash": reductionBegins("show_flash"),
  "price.show_ended": reductionEnds("show_flash"),
  "price.campaign": reductionBegins("campaign"),
  "price.campaign_ended": reductionEnds("campaign"),
  "lot.opened": (state, { data }) => withLot(state, data),
  "lot.bid": (state, { data }) => withLot(state, data),
  "lot.closed": (state, { data }) => overLot(state, data.id, { state: "closed", leader: data.winner, price_minor: data.price_minor }),
  "lot.cancelled": (state, { data }) => overLot(state, data.id, { state: "cancelled", reason: data.reason }),
  "draw.opened": (state, { data }) => withDraw(state, data),
  "draw.closed": (state, { data: { id, entries } }) => withDraw(state, { id, entries, state: "closed" }),
  "draw.drawn": (state, { data: { id, winners, seed } }) => withDraw(state, { id, winners, seed, state: "drawn" }),
  "draw.cancelled": (state, { data: { id, reason } }) => withDraw(state, { id, reason, state: "cancelled" }),
  "draw.entered": (state, { data: { id } }) => ({ ...state, entered: { ...state.entered, [id]: true } }),
  stock: (state, { data, as_of = 0 }) => {
    const old = state.products[data.sku];
    return !old || as_of < old.as_of ? state : withProduct(state, { ...old, waiting: 0, ...data, as_of });
  },
  order: (state, { data }) => ({ ...withoutTurn(state, data), orders: withOrders(state.orders, [data]) }),
  "waitlist.joined": (state, { data: { sku, place } }) => withPlace(state, sku, place),
  "waitlist.left": (state, { data: { sku } }) => withPlace(state, sku, null),
  moderation: (state, { data, ts }) => moderated(state, data, ts),
  tick: (state, { data: { viewers, reactions, chat } }) => ({
    ...state,
    viewers: viewers ?? state.viewers,
    hearts: state.hearts + (reactions?.heart ?? 0),
    chat: chat?.length ? [...state.chat, ...chat].slice(-CHAT_KEPT) : state.chat,
  }),
};

/** A reduction of the whole show: `kind` names it in the state, and with `_price_minor` a product's price in it. */
function reductionBegins(kind) {
  return (state, { data: { prices, ...told }, ts, at_ms = ts ?? 0 }) => {
    const reduction = { ...told, visible_from_ms: at_ms, pressed_before_ms: (ts ?? at_ms) - at_ms };
    return withPrices({ ...state, show: { ...state.show, [kind]: reduction } }, kind, prices, ({ price_minor }) => ({ [`${kind}_price_minor`]: price_minor }));
  };
}

function reductionEnds(kind) {
  return (state, { data: { id, prices } }) => {
    if (state.show[kind]?.id !== id) return state;
    return withPrices({ ...state, show: { ...state.show, [kind]: null } }, kind, prices, ({ price_version }) => ({ price_version }));
  };
}

/** What an entry tells of each of its products, and who is in the reduction. */
function withPrices(state, kind, prices, more) {
  const told = new Map(prices.map((each) => [each.sku, { ...reference(each), ...more(each) }]));
  const products = Object.entries(state.products).map(([sku, product]) => [sku, { ...product, [`${kind}_price_minor`]: null, ...told.get(sku) }]);
  return { ...state, products: Object.fromEntries(products) };
}

const reference = ({ reference_price_minor }) => (reference_price_minor === undefined ? {} : { reference_price_minor });

/** From the show's start the list prices count for the lowest of 30 days. */
const onOffer = (products) => Object.fromEntries(Object.entries(products).map(([sku, product]) => [sku, product.flash ? product : { ...product, reference_price_minor: Math.min(product.reference_price_minor ?? Infinity, product.list_price_minor) }]));

function withProduct(state, product) {
  const skus = state.products[product.sku] ? state.skus : [...state.skus, product.sku];
  const products = { ...state.products, [product.sku]: product };
  for (const each of Object.values(products)) if (each.parts?.some(({ sku }) => sku === product.sku) || (each.parts && each === product)) products[each.sku] = asBundle(each, products);
  return { ...state, skus, products };
}

/** A bundle with what its parts leave of it, as far as their stock is shown. */
function asBundle(bundle, products) {
  const each = bundle.parts.map(({ sku, quantity }) => (products[sku]?.left == null ? (products[sku]?.sold_out ? 0 : Infinity) : Math.floor(products[sku].left / quantity)));
  const least = Math.min(...each);
  return { ...bundle, sold_out: least <= 0, left: bundle.left == null || least === Infinity ? bundle.left : least };
}

/** Where one stands in line for a product; null: not in it. */
const withPlace = (state, sku, place) => ({ ...state, places: { ...state.places, [sku]: place } });

/** An order that is a turn in the line ends the wait for its product. */
function withoutTurn(state, { id, lines }) {
  const { sku, waited } = lines?.[0] ?? {};
  return waited && !state.orders[id] ? withPlace(state, sku, null) : state;
}

/** News of a draw. Those that are over stay as long as the page has no new snapshot: there are at most 20 open at once. */
const withDraw = (state, news) => ({ ...state, draws: { ...state.draws, [news.id]: { ...state.draws[news.id], ...news } } });

const withLot = (state, lot) => ({ ...state, lots: { ...state.lots, [lot.id]: lot } });

function overLot(state, id, end) {
  const lots = Object.values(state.lots).map((lot) => (lot.id === id ? { ...lot, ...end } : lot));
  const gone = lots.filter((lot) => lot.state !== "open").slice(0, -LOTS_OVER_KEPT);
  return { ...state, lots: Object.fromEntries(lots.filter((lot) => !gone.includes(lot)).map((lot) => [lot.id, lot])) };
}

/** Orders with news taken in, in whatever order they come. */
export function withOrders(orders, news) {
  const out = { ...orders };
  for (const order of news) if ((order.seq ?? 0) >= (out[order.id]?.seq ?? 0)) out[order.id] = order;
  return out;
}

function moderated(state, data, ts) {
  const { action, seconds = 0, mode = "all", message_ids = [] } = data;
  if (action === "slow_mode") return { ...state, show: { ...state.show, slow_mode_s: seconds } };
  if (action === "chat_mode") return { ...state, show: { ...state.show, chat_mode: mode } };
  if (action === "delete") return { ...state, chat: state.chat.map((line) => (message_ids.includes(line.id) ? { ...line, deleted: true } : line)) };
  return data.subject ? { ...state, aimed: { ts, ...data } } : state;
}

/** The product whose pin belongs on screen with the frame of `presentMs`, or null. */
export function shownPin(state, presentMs) {
  const pin = state.pins.findLast(({ at_ms }) => presentMs >= at_ms - 0.5);
  return (pin && state.products[pin.sku]) ?? null;
}

/** The variants of a product, itself among them, in the order of the show; one alone is no choice. */
export function variantsOf({ skus, products }, product) {
  const group = product?.group ? skus.map((sku) => products[sku]).filter((other) => other.group === product.group) : [];
  return group.length > 1 ? group : [];
}

/** Is something in the state that has yet to reach the screen? */
export function awaitsFrame({ show, pins, products }, presentMs) {
  const later = (ms) => ms - 0.5 > presentMs;
  return [show.show_flash, show.campaign].some((reduction) => later(reduction?.visible_from_ms ?? 0)) || pins.some((pin) => later(pin.at_ms)) || Object.values(products).some((product) => later(product.flash?.visible_from_ms ?? 0));
}

/** Units of a product in own orders that count against its limit. */
export function ownUnits(state, sku) {
  const counts = Object.values(state.orders).filter((order) => ["held", "paying", "paid"].includes(order.state));
  return counts.flatMap((order) => order.lines ?? [order]).reduce((units, line) => units + line.quantity * (line.sku === sku ? 1 : state.products[line.sku]?.parts?.find((part) => part.sku === sku)?.quantity ?? 0), 0);
}
