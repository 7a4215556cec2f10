/** Exact amounts of money, in the operator's currency: sums of prices never drift, as floating point does. */

/**
 * An amount in units of 1e-15 of the currency: a whole number of tokens costs a whole number of them, if the
 * price of a million tokens has at most nine decimals.
 */
export type Money = bigint;

/** The digits after the decimal point. */
const decimals = 15;
const unitsPerMicro = 10n ** 9n;
/** Numbers with more digits before the decimal point than any amount of money has. */
const maxExponent = 40;

/**
 * Returns the amount that a decimal number stands for, rounded half up: `1.25`, or the shortest decimal of a
 * `number`, so that 0.1 is a tenth exactly. Amounts of 1e40 and more, which only mistakes make, are 1e40.
 * @throws RangeError for text that is no decimal number, and for numbers that are not finite.
 */
export function toMoney(amount: number | string): Money {
  const parts = /^(-?)(\d+)(?:\.(\d+))?(?:e([+-]?\d+))?$/i.exec(String(amount));
  if (parts === null) throw new RangeError(`not a decimal number: ${amount}`);
  const [, sign, whole = "", fraction = "", exponent = "0"] = parts;
  const shift = decimals - fraction.length + Number(exponent);
  const digits = BigInt(whole + fraction);
  const units =
    shift >= 0 ? digits * 10n ** BigInt(Math.min(shift, decimals + maxExponent)) : divide(digits, -shift);
  const most = 10n ** BigInt(decimals + maxExponent);
  const bounded = units > most ? most : units;
  return sign === "-" ? -bounded : bounded;
}

/** Returns an amount as a decimal number without superfluous digits, such as `0.0125`. */
export function toDecimal(money: Money): string {
  const digits = String(money < 0n ? -money : money).padStart(decimals + 1, "0");
  const fraction = digits.slice(-decimals).replace(/0+$/, "");
  const sign = money < 0n ? "-" : "";
  return `${sign}${digits.slice(0, -decimals)}${fraction === "" ? "" : "."}${fraction}`;
}

/** Returns an amount in millionths of the currency, rounded down to a whole number. */
export function toMicros(money: Money): number {
  const micros = money / unitsPerMicro;
  return Number(micros * unitsPerMicro > money ? micros - 1n : micros);
}

/** Returns the amount of so many millionths of the currency. */
export function fromMicros(micros: number): Money {
  return BigInt(micros) * unitsPerMicro;
}

/** Returns an amount for people to read, with at most six decimals; rounded down, or up if `isCost`. */
export function toShownMoney(money: Money, isCost = false): string {
  return toDecimal(fromMicros(isCost ? -toMicros(-money) : toMicros(money)));
}

/** Returns the exact sum of two decimal numbers: 0.3 for 0.1 and 0.2. */
export function addAmounts(one: number, other: number): number {
  return Number(toDecimal(toMoney(one) + toMoney(other)));
}

function divide(digits: bigint, places: number): bigint {
  if (places > 1_000) return 0n;
  const divisor = 10n ** BigInt(places);
  return (digits + divisor / 2n) / divisor;
}
