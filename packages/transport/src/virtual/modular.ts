import { fromHex, toHex } from "@thingline/protocol";

export function mod(value: bigint, modulus: bigint): bigint {
  const rest = value % modulus;
  return rest < 0n ? rest + modulus : rest;
}

export function modPow(base: bigint, exponent: bigint, modulus: bigint): bigint {
  let result = 1n;
  let square = mod(base, modulus);
  for (let left = exponent; left > 0n; left >>= 1n) {
    if ((left & 1n) === 1n) result = (result * square) % modulus;
    square = (square * square) % modulus;
  }
  return result;
}

/** The inverse by the extended Euclidean algorithm; the two must have no common divisor. */
export function modInverse(value: bigint, modulus: bigint): bigint {
  let [low, high] = [mod(value, modulus), modulus];
  let [x, y] = [1n, 0n];
  while (low > 1n) {
    const quotient = high / low;
    [low, high] = [high - quotient * low, low];
    [x, y] = [y - quotient * x, x];
  }
  return mod(x, modulus);
}

export function bigIntOfBytes(bytes: Uint8Array): bigint {
  return bytes.length === 0 ? 0n : BigInt(`0x${toHex(bytes)}`);
}

/** Big-endian, `length` bytes or more. */
export function bytesOfBigInt(value: bigint, length: number): Uint8Array {
  const digits = value.toString(16);
  return fromHex(digits.padStart(Math.max(length * 2, digits.length + (digits.length % 2)), "0")) as Uint8Array;
}
