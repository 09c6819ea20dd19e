import { concatBytes } from "@thingline/protocol";

/** First 32 bits of the fractional parts of the cube roots of the first 64 primes (FIPS 180-4 §4.2.2). */
const constants = rootsOfPrimes(64, 3);
/** The same of the square roots of the first 8 primes (§5.3.3). */
const initial = rootsOfPrimes(8, 2);

/** SHA-256 (FIPS 180-4) without `node:crypto`. */
export function sha256(data: Uint8Array): Uint8Array {
  const state = Uint32Array.from(initial);
  const padded = new Uint8Array(Math.ceil((data.length + 9) / 64) * 64);
  padded.set(data);
  padded[data.length] = 0x80;
  const view = new DataView(padded.buffer);
  view.setUint32(padded.length - 8, Math.floor(data.length / 2 ** 29));
  view.setUint32(padded.length - 4, data.length << 3);
  for (let offset = 0; offset < padded.length; offset += 64) compress(state, view, offset);
  const digest = new Uint8Array(32);
  const out = new DataView(digest.buffer);
  state.forEach((word, index) => out.setUint32(index * 4, word));
  return digest;
}

/** HMAC (RFC 2104). */
export function hmacSha256(key: Uint8Array, data: Uint8Array): Uint8Array {
  const block = new Uint8Array(64);
  block.set(key.length > 64 ? sha256(key) : key);
  const inner = sha256(concatBytes([block.map((byte) => byte ^ 0x36), data]));
  return sha256(concatBytes([block.map((byte) => byte ^ 0x5c), inner]));
}

function compress(state: Uint32Array, view: DataView, offset: number): void {
  const words = new Uint32Array(64);
  for (let t = 0; t < 16; t++) words[t] = view.getUint32(offset + t * 4);
  for (let t = 16; t < 64; t++) {
    const [before2, before15] = [words[t - 2] as number, words[t - 15] as number];
    const sigma1 = rotate(before2, 17) ^ rotate(before2, 19) ^ (before2 >>> 10);
    const sigma0 = rotate(before15, 7) ^ rotate(before15, 18) ^ (before15 >>> 3);
    words[t] = sigma1 + (words[t - 7] as number) + sigma0 + (words[t - 16] as number);
  }
  let [a, b, c, d, e, f, g, h] = state as unknown as [number, number, number, number, number, number, number, number];
  for (let t = 0; t < 64; t++) {
    const sum1 = rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25);
    const one = (h + sum1 + ((e & f) ^ (~e & g)) + (constants[t] as number) + (words[t] as number)) | 0;
    const sum0 = rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22);
    const two = (sum0 + ((a & b) ^ (a & c) ^ (b & c))) | 0;
    [h, g, f, e, d, c, b, a] = [g, f, e, (d + one) | 0, c, b, a, (one + two) | 0];
  }
  [a, b, c, d, e, f, g, h].forEach((value, index) => {
    state[index] = (state[index] as number) + value;
  });
}

function rotate(value: number, by: number): number {
  return (value >>> by) | (value << (32 - by));
}

function rootsOfPrimes(count: number, degree: 2 | 3): number[] {
  const roots: number[] = [];
  for (let candidate = 2n; roots.length < count; candidate++) {
    let isPrime = true;
    for (let divisor = 2n; divisor * divisor <= candidate; divisor++) if (candidate % divisor === 0n) isPrime = false;
    if (isPrime) roots.push(Number(BigInt.asUintN(32, integerRoot(candidate << BigInt(32 * degree), BigInt(degree)))));
  }
  return roots;
}

/** The largest r with r^degree <= value. */
function integerRoot(value: bigint, degree: bigint): bigint {
  let [low, high] = [0n, 1n << 40n];
  while (low < high) {
    const middle = (low + high + 1n) >> 1n;
    if (middle ** degree <= value) low = middle;
    else high = middle - 1n;
  }
  return low;
}
