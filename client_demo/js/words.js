/** What the watch page says; its sheets bring their own words. Short, plain, present tense. */
import { countdown, dayAndTime, ordinal, price, timeOfDay } from "./format.js";

export const WORDS = {
  live: "LIVE", away: "Host away", ended: "Ended", paused: "Paused", offline: "Offline", soon: "Starts soon",
  startsIn: (ms) => `Starts in ${countdown(ms)}`,
  flash: "Flash price", pinned: "Pinned", timerPaused: "Timer paused", salesPaused: "Sales paused",
  campaign: ({ title, ends_at_ms }) => `${title}, until ${dayAndTime(ends_at_ms)}`,
  flashIn: (ms) => `Flash price in ${countdown(ms)}`,
  buy: (minor, currency) => `Buy for ${price(minor, currency)}`,
  asking: "Asking for yours…", stillAsking: "Still asking…", waiting: "Waiting for connection",
  salesArePaused: "Sales are paused", showPaused: "The show is paused", showEnded: "The show has ended", notStarted: "Not open yet",
  buckets: { low: "10 or fewer left", in_stock: "In stock" },
  soldOut: "Sold out", notForSale: "Not for sale now", buyersClosed: "Buying is not open to you",
  moderatorCheck: "A moderator is checking something. Holds and timers are frozen and resume where they stopped.",
  coupon: (code) => `With your coupon ${code}.`,
  join: "Join the waitlist", inLine: (place) => `You are ${ordinal(place)} in line`, wouldBe: (place) => `You’d be ${ordinal(place)}.`,
  turn: "One that comes back is held for the first in line for a minute.", leaveLine: "Leave the line",
  cameBack: "One may come back: holds that run out are for sale again.",
  limitRule: (n) => `Limit ${n} per person, so more people get one.`,
  limit: (n, max) => `You have ${n} of ${max} allowed`,
  finish: (ms) => `Finish paying · ${countdown(ms)}`,
  heldPay: (amount) => `Held for you · Pay ${amount}`,
  payToGet: (amount) => `Yours once paid · Pay ${amount}`,
  payFirst: "Nobody can reserve this one: it is yours once you have paid.",
  byLottery: "By lottery only", lotteryText: "Enter when the host opens a draw. Being fast does not help.",
  low: (amount) => `Lowest price in 30 days: ${amount}`,
  left: (n, of) => `${n} left${n ? ` of ${of}` : ""}`,
  rest: (held, sold) => `${held} on hold · ${sold} sold`,
  spoken: (left, held, sold) => `${left} left, ${held} on hold, ${sold} sold of ${left + held + sold}`,
  joining: "Joining…", stillJoining: "Still connecting…", noVideo: "Video does not get through here. Prices and buying work.", noHost: "Waiting for the host",
  reconnecting: "Reconnecting…", reconnectText: "Prices update when you are back.",
  holdSafe: (ms) => `Your hold is safe until ${timeOfDay(ms)}. Prices update when you are back.`,
  awayTitle: "The host will be right back", awayText: "The connection dropped. The flash price waits too.",
  blanked: "Video is off for a moment", endedText: "Holds stay valid until they run out.",
  pausedText: "Timers are frozen, holds are safe.", waitingRoom: "The show has not started",
  banned: "You can’t take part here", bannedText: "A moderator has banned you from this show. Chat, video and buying are closed for you.",
  unknownShow: "There is no such show", closed: "This link does not work any more", closedText: "Ask for a new one, or reload the page.",
  modes: { all: "Everyone can write", buyers: "Buyers only", emotes: "Hearts only", off: "Chat is off" },
  slowMode: (s) => `Slow mode ${s} s`,
  wait: (ms) => `You can write again in ${Math.ceil(ms / 1000)} s`,
  timedOut: (ms, why) => `You can write again at ${timeOfDay(ms)}.${why ? ` Reason: ${why}.` : ""}`,
  notSent: "Not sent. Try again.", ask: "Ask anything", copied: "Link copied",
  soundOn: "Sound on", soundOff: "Sound off", play: "Play", pause: "Pause",
};

/** A product's stock in words, from the three ledger numbers or from what its seller shows. */
export function stockWords({ left, held, sold, sold_out, bucket }) {
  if (left != null) return { left: WORDS.left(left, left + held + sold), rest: WORDS.rest(held, sold), spoken: WORDS.spoken(left, held, sold) };
  const words = sold_out ? WORDS.soldOut : (WORDS.buckets[bucket] ?? "");
  return { left: words, rest: "", spoken: words };
}

/** A product's title with what makes it this variant. */
export const titleOf = ({ title, options }) => (options ? [title, ...Object.values(options)].join(", ") : title);
