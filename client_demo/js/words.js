/** What the watch page says. Short, plain, present tense: what happened, what is safe, what you can do. */
import { countdown, money, price, timeOfDay } from "./format.js";

/** @param {number} minor @param {string} currency */
const p = (minor, currency) => price(minor, currency);

export const WORDS = {
  live: "LIVE", away: "Host away", ended: "Ended", paused: "Paused", offline: "Offline", soon: "Starts soon",
  startsIn: (/** @type {number} */ ms) => `Starts in ${countdown(ms)}`,
  flash: "Flash price", pinned: "Pinned", timerPaused: "Timer paused", salesPaused: "Sales paused",
  flashIn: (/** @type {number} */ ms) => `Flash price in ${countdown(ms)}`,
  buy: (/** @type {number} */ minor, /** @type {string} */ currency) => `Buy for ${p(minor, currency)}`,
  asking: "Asking for yours…", stillAsking: "Still asking…", waiting: "Waiting for connection", checking: "Checking the price…",
  salesArePaused: "Sales are paused", showPaused: "The show is paused", showEnded: "The show has ended", notStarted: "Not open yet",
  buckets: { low: "10 or fewer left", in_stock: "In stock" },
  soldOut: "Sold out", buyersClosed: "Buying needs an account",
  moderatorCheck: "A moderator is checking something. Holds and timers are frozen and resume where they stopped.",
  cameBack: "One may come back: holds that run out are for sale again.",
  limitRule: (/** @type {number} */ n) => `Limit ${n} per person, so more people get one.`,
  limit: (/** @type {number} */ n, /** @type {number} */ max) => `You have ${n} of ${max} allowed`,
  finish: (/** @type {number} */ ms) => `Finish paying · ${countdown(ms)}`,
  low: (/** @type {string} */ amount) => `Lowest price in 30 days: ${amount}`,
  held: "Held for you",
  until: (/** @type {number} */ ms) => `Nobody else can take it until ${timeOfDay(ms)}. If time runs out you pay nothing.`,
  frozen: "Timers are frozen. Nobody else can take it. If time runs out you pay nothing.",
  pay: (/** @type {string} */ amount) => `Pay ${amount}`, paying: "Paying…", back: "Give it back", testPay: "Test card",
  total: "Total, tax included", item: "Item", flashItem: "Item, flash price", shipping: "Shipping", tax: "Tax included",
  declined: (/** @type {number} */ ms) => `Your bank said no. The item is still held for ${countdown(ms)}. Try another card.`,
  inProgress: "Another payment for this is being tried. Wait for its answer.",
  unknown: "The bank has not answered yet. You are not charged twice; this page tells you how it ends.",
  slow: "The bank is taking its time. Your item stays held.",
  yours: "It’s yours", receipt: (/** @type {string} */ title) => `${title}. Your payment went through.`,
  order: "Order", paid: "Paid", toShow: "Back to the show", close: "Close", notNow: "Not now",
  priceChanged: "The price changed",
  priceNow: (/** @type {string} */ amount) => `The flash price ended before your tap arrived. It is ${amount} now. Nothing was charged.`,
  holdEnded: "Your hold ended",
  notCharged: (/** @type {string} */ left) => `You were not charged.${left}`,
  stillLeft: (/** @type {number} */ left, /** @type {string} */ amount) => ` ${left} still available at ${amount}.`,
  again: "Hold one again", givenBack: "Given back. You were not charged.",
  gone: "Sold out", goneText: (/** @type {number} */ held) => `0 left${held ? `, ${held} on hold` : ""}. Nothing was charged.`,
  refused: "That did not work", banned: "You can’t take part here",
  bannedText: "A moderator has banned you from this show. Chat, video and buying are closed for you.",
  bag: "In this show", ledger: "Stock comes from the sale ledger.", nothing: "Nothing listed yet. The host adds products during the show.",
  left: (/** @type {number} */ n) => `${n} left`, leftOf: (/** @type {number} */ n, /** @type {number} */ of) => `${n} left of ${of}`,
  rest: (/** @type {number} */ held, /** @type {number} */ sold) => `${held} on hold · ${sold} sold`,
  spoken: (/** @type {number[]} */ [left, held, sold]) => `${left} left, ${held} on hold, ${sold} sold of ${left + held + sold}`,
  joining: "Joining…", stillJoining: "Still connecting…", noVideo: "This network blocks live video. Prices and buying work.",
  reconnecting: "Reconnecting…", reconnectText: "Prices update when you are back.",
  holdSafe: (/** @type {number} */ ms) => `Your hold is safe until ${timeOfDay(ms)}. Prices update when you are back.`,
  awayTitle: "The host will be right back", awayText: "The connection dropped. The flash price waits too.",
  blanked: "Video is off for a moment", ended2: "The show has ended", endedText: "Holds stay valid until they run out.",
  pausedTitle: "The show is paused", pausedText: "Timers are frozen, holds are safe.",
  waitingRoom: "The show has not started", noHost: "Waiting for the host", unknownShow: "There is no such show",
  everyone: "Everyone can write", buyersOnly: "Buyers only", emotes: "Hearts only", chatOff: "Chat is off",
  slowMode: (/** @type {number} */ s) => `Slow mode ${s} s`,
  again2: (/** @type {number} */ ms) => `You can write again in ${Math.ceil(ms / 1000)} s`,
  timedOut: (/** @type {number} */ ms, /** @type {string} */ why) => `You can write again at ${timeOfDay(ms)}.${why ? ` Reason: ${why}.` : ""}`,
  notSent: "Not sent. Try again.", hello: "Say hello. Be kind.", ask: "Ask anything",
  partnership: "Paid partnership", partnershipText: "The host earns a commission when you buy these. It does not change your price.",
  soundOn: "Sound on", soundOff: "Sound off", play: "Play", pause: "Pause", copied: "Link copied", got: "Got it",
};

/** @param {number} minor @param {string} currency */
export const full = (minor, currency) => money(minor, currency);

/** Label of a stock display. @param {import("./types").Product} product */
export function stockWords(product) {
  const { left, held = 0, sold = 0 } = product;
  if (left == null) {
    const bucket = product.sold_out ? WORDS.soldOut : (WORDS.buckets[/** @type {"low"} */ (product.bucket)] ?? "");
    return { left: bucket, rest: "", spoken: bucket };
  }
  const of = left + held + sold;
  return { left: left ? WORDS.leftOf(left, of) : WORDS.left(0), rest: WORDS.rest(held, sold), spoken: WORDS.spoken([left, held, sold]) };
}
