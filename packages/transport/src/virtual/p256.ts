import { concatBytes } from "@thingline/protocol";
import { derElements, derTags, encodeInteger, encodeSequence, firstDerElement } from "@thingline/protocol/x509";
import { bigIntOfBytes, bytesOfBigInt, mod, modInverse } from "./modular.js";

// NIST P-256 (SEC 2 §2.4.2): y² = x³ - 3x + b over the field of p, with a base point of order n.
const p = 2n ** 256n - 2n ** 224n + 2n ** 192n + 2n ** 96n - 1n;
export const p256Order = 0xffffffff_00000000_ffffffff_ffffffff_bce6faad_a7179e84_f3b9cac2_fc632551n;
const curveB = 0x5ac635d8_aa3a93e7_b3ebbd55_769886bc_651d06b0_cc53b0f6_3bce3c3e_27d2604bn;
const baseX = 0x6b17d1f2_e12c4247_f8bce6e5_63a440f2_77037d81_2deb33a0_f4a13945_d898c296n;
const baseY = 0x4fe342e2_fe1a7f9b_8ee7eb4a_7c0f9e16_2bce3357_6b315ece_cbb64068_37bf51f5n;

/** Jacobian coordinates: (x / z², y / z³). z = 0 is the point at infinity. */
type Point = [x: bigint, y: bigint, z: bigint];

/** The uncompressed public point of a private number. Not constant in time: for tests and simulations only. */
export function p256PublicPoint(secret: bigint): Uint8Array {
  const [x, y] = multiplyBase(secret);
  return concatBytes([Uint8Array.of(4), bytesOfBigInt(x, 32), bytesOfBigInt(y, 32)]);
}

/** ECDSA as DER `SEQUENCE { r, s }`; `nonce` is from 1 to the order less one. */
export function p256Sign(secret: bigint, digest: bigint, nonce: bigint): Uint8Array {
  const r = mod(multiplyBase(nonce)[0], p256Order);
  const s = mod(modInverse(nonce, p256Order) * (digest + r * secret), p256Order);
  return encodeSequence(encodeInteger(r), encodeInteger(s));
}

/** SEC 1 §4.1.4. */
export function p256Verify({ x, y }: { x: bigint; y: bigint }, digest: bigint, signature: Uint8Array): boolean {
  const series = firstDerElement(signature);
  const numbers = series?.tag === derTags.sequence ? derElements(series.content) : undefined;
  if (numbers?.length !== 2 || series?.whole.length !== signature.length) return false;
  const [r = 0n, s = 0n] = numbers.map(({ content }) => bigIntOfBytes(content));
  if (r === 0n || s === 0n || r >= p256Order || s >= p256Order) return false;
  if (mod(y * y - (x * x * x - 3n * x + curveB), p) !== 0n) return false;
  const inverse = modInverse(s, p256Order);
  const ofBase = multiply([baseX, baseY, 1n], mod(digest * inverse, p256Order));
  const sum = add(ofBase, multiply([x, y, 1n], mod(r * inverse, p256Order)));
  return sum[2] !== 0n && mod(toAffine(sum)[0], p256Order) === r;
}

function multiplyBase(scalar: bigint): [x: bigint, y: bigint] {
  return toAffine(multiply([baseX, baseY, 1n], scalar));
}

function multiply(point: Point, scalar: bigint): Point {
  let sum: Point = [0n, 1n, 0n];
  let addend = point;
  for (let left = scalar; left > 0n; left >>= 1n) {
    if ((left & 1n) === 1n) sum = add(sum, addend);
    addend = double(addend);
  }
  return sum;
}

function toAffine(sum: Point): [x: bigint, y: bigint] {
  const inverse = modInverse(sum[2], p);
  const square = (inverse * inverse) % p;
  return [(sum[0] * square) % p, (((sum[1] * square) % p) * inverse) % p];
}

function double([x, y, z]: Point): Point {
  const delta = (z * z) % p;
  const gamma = (y * y) % p;
  const beta = (x * gamma) % p;
  const alpha = mod(3n * (x - delta) * (x + delta), p);
  const x3 = mod(alpha * alpha - 8n * beta, p);
  const z3 = mod((y + z) * (y + z) - gamma - delta, p);
  return [x3, mod(alpha * (4n * beta - x3) - 8n * gamma * gamma, p), z3];
}

function add(a: Point, b: Point): Point {
  if (a[2] === 0n) return b;
  if (b[2] === 0n) return a;
  const [aa, bb] = [(a[2] * a[2]) % p, (b[2] * b[2]) % p];
  const [u1, u2] = [(a[0] * bb) % p, (b[0] * aa) % p];
  const [s1, s2] = [(((a[1] * bb) % p) * b[2]) % p, (((b[1] * aa) % p) * a[2]) % p];
  if (u1 === u2) return s1 === s2 ? double(a) : [0n, 1n, 0n];
  const h = mod(u2 - u1, p);
  const r = mod(s2 - s1, p);
  const hh = (h * h) % p;
  const hhh = (hh * h) % p;
  const v = (u1 * hh) % p;
  const x = mod(r * r - hhh - 2n * v, p);
  return [x, mod(r * (v - x) - s1 * hhh, p), (((a[2] * b[2]) % p) * h) % p];
}
