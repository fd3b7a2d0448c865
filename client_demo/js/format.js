/** Money, times and counts in the reader's own way of writing, through Intl. Money stays in integer minor units. */

/** @type {Map<string, Intl.NumberFormat>} */
const formats = new Map();

/** @param {string} currency @param {number | undefined} digits */
function numberFormat(currency, digits) {
  const key = `${currency}/${digits}`;
  let format = formats.get(key);
  if (!format) {
    const fraction = digits === undefined ? {} : { minimumFractionDigits: digits, maximumFractionDigits: digits };
    format = new Intl.NumberFormat(undefined, { style: "currency", currency, currencyDisplay: "narrowSymbol", ...fraction });
    formats.set(key, format);
  }
  return format;
}

/** Digits after the point of a currency. @param {string} currency */
export const minorDigits = (currency) => numberFormat(currency, undefined).resolvedOptions().maximumFractionDigits ?? 2;

/** An amount with all its digits: "$40.90". @param {number} minor @param {string} currency */
export function money(minor, currency) {
  return numberFormat(currency, undefined).format(minor / 10 ** minorDigits(currency));
}

/** A price as it is said: "$36", "$36.50". @param {number} minor @param {string} currency */
export function price(minor, currency) {
  const unit = 10 ** minorDigits(currency);
  return numberFormat(currency, minor % unit === 0 ? 0 : undefined).format(minor / unit);
}

/** Symbol of a currency for the front of an input. @param {string} currency */
export function symbol(currency) {
  return numberFormat(currency, 0).formatToParts(0).find((part) => part.type === "currency")?.value ?? currency;
}

/**
 * What a person typed as an amount, in minor units; null when it is not an amount.
 * @param {string} typed @param {string} currency
 */
export function parseMoney(typed, currency) {
  const plain = typed.trim().replace(",", ".");
  if (!/^\d{1,9}(\.\d*)?$/.test(plain)) return null;
  const digits = minorDigits(currency);
  const [whole, fraction = ""] = plain.split(".");
  if (fraction.length > digits) return null;
  return Number(whole + fraction.padEnd(digits, "0"));
}

/** 84000 → "1:24"; whole seconds, rounded up, so that 0:00 means over. @param {number} ms */
export function countdown(ms) {
  const seconds = Math.max(0, Math.ceil(ms / 1000));
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60];
  const tail = `${String(seconds % 60).padStart(2, "0")}`;
  return hours ? `${hours}:${String(minutes).padStart(2, "0")}:${tail}` : `${minutes}:${tail}`;
}

const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
const day = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
const counts = new Intl.NumberFormat(undefined);
const short = new Intl.NumberFormat(undefined, { notation: "compact", maximumFractionDigits: 1 });

/** Time of day with seconds. @param {number} ms */
export const timeOfDay = (ms) => clock.format(ms);
/** @param {number} ms */
export const dateTime = (ms) => day.format(ms);
/** 1284 → "1,284". @param {number} n */
export const count = (n) => counts.format(n);
/** 2104 → "2.1K". @param {number} n */
export const compact = (n) => short.format(n).toLowerCase();
/** @param {number} ms */
export const seconds = (ms) => `${(ms / 1000).toFixed(1)} s`;
