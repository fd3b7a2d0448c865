/** Amounts as people type them. */
import { minorDigits } from "./format.js";

/** Symbol of a currency for the front of an input. */
export function symbol(currency) {
  const parts = new Intl.NumberFormat(undefined, { style: "currency", currency, currencyDisplay: "narrowSymbol" }).formatToParts(0);
  return parts.find((part) => part.type === "currency")?.value ?? currency;
}

/**
 * What a person typed as an amount, in minor units; null when it is not an amount. Both "12.5" and "12,5" are.
 * @param {string} typed @param {string} currency @returns {number | null}
 */
export function parseMoney(typed, currency) {
  const plain = typed.trim().replace(",", ".");
  if (!/^\d{1,9}(\.\d*)?$/.test(plain)) return null;
  const digits = minorDigits(currency);
  const [whole, fraction = ""] = plain.split(".");
  return fraction.length > digits ? null : Number(whole + fraction.padEnd(digits, "0"));
}
