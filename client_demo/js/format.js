/** Money, times and counts in the reader's own way of writing, through Intl. Money stays in integer minor units. */

const formats = new Map();

function numbers(currency, digits) {
  const key = currency + digits;
  const options = { style: "currency", currency, currencyDisplay: "narrowSymbol", minimumFractionDigits: digits, maximumFractionDigits: digits };
  if (!formats.has(key)) formats.set(key, new Intl.NumberFormat(undefined, options));
  return formats.get(key);
}

/** Digits after the point of a currency. */
export const minorDigits = (currency) => numbers(currency).resolvedOptions().maximumFractionDigits;

/** An amount with all its digits: "$40.90". */
export const money = (minor, currency) => numbers(currency).format(minor / 10 ** minorDigits(currency));

/** A price as it is said: "$36", "$36.50". */
export function price(minor, currency) {
  const unit = 10 ** minorDigits(currency);
  return numbers(currency, minor % unit ? undefined : 0).format(minor / unit);
}

/** 84000 → "1:24"; whole seconds, rounded up, so that 0:00 means over. */
export function countdown(ms) {
  const total = Math.max(0, Math.ceil(ms / 1000));
  const two = (n) => String(n % 60).padStart(2, "0");
  const minutes = Math.floor(total / 60);
  return minutes < 60 ? `${minutes}:${two(total)}` : `${Math.floor(minutes / 60)}:${two(minutes)}:${two(total)}`;
}

const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
const day = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
const dayOfYear = new Intl.DateTimeFormat(undefined, { month: "short", day: "numeric", hour: "numeric", minute: "2-digit" });
const short = new Intl.NumberFormat(undefined, { notation: "compact", maximumFractionDigits: 1 });

const places = new Intl.PluralRules("en", { type: "ordinal" });
const ENDINGS = { one: "st", two: "nd", few: "rd", other: "th" };

/** 4 → "4th". @param {number} n */
export const ordinal = (n) => `${n}${ENDINGS[/** @type {keyof typeof ENDINGS} */ (places.select(n))]}`;
export const timeOfDay = (ms) => clock.format(ms);
export const dateTime = (ms) => day.format(ms);
/** "Nov 30, 12:00 AM": of what is not far away. */
export const dayAndTime = (ms) => dayOfYear.format(ms);
export const count = (n) => n.toLocaleString();
/** 2104 → "2.1k". */
export const compact = (n) => short.format(n).toLowerCase();
