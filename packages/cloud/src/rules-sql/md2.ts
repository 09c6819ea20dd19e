import { fromHex } from "@thingline/protocol";

/** A substitution of bytes that is made from the digits of pi. */
const substitution: Uint8Array = fromHex(
  "292e43c9a2d87c013d3654a1ecf0061362a705f3c0c7738c98932bd9bc4c82ca1e9b573cfdd4e01667426f188a17e512be4ec4d6da9ede49a0fbf58ebb2fee7a" +
    "a968799115b2073f94c210890b225f21807f5d9a5a903227353ecce7bff79703ff1930b348a5b5d1d75e922aac56aac64fb838d296a47db676fc6be29c7404f1" +
    "459d705964718720865bcf65e62da8021b6025adaeb0b9f61c46616934407e0f5547a323dd51af3ac35cf9cebac5ea262c530d6e85288409d3dfcdf441814d52" +
    "6adc37c86cc1abfa24e17b080cbdb14a7888958be363e86de9cbd5fe3b001d39f2efb70e6658d0e4a67772f8eb754b0a314450b48fed1f1adb998d339f118314",
)!;

/** MD2, which no cryptographic library has any more. @see RFC 1319 */
export function md2(data: Uint8Array): Uint8Array {
  const padding = 16 - (data.length % 16);
  const blocks = new Uint8Array(data.length + padding + 16).fill(padding, data.length, data.length + padding);
  blocks.set(data);
  appendChecksum(blocks);
  const state = new Uint8Array(48);
  for (let at = 0; at < blocks.length; at += 16) {
    for (let byte = 0; byte < 16; byte++) {
      state[16 + byte] = blocks[at + byte]!;
      state[32 + byte] = state[16 + byte]! ^ state[byte]!;
    }
    mix(state);
  }
  return state.slice(0, 16);
}

function appendChecksum(blocks: Uint8Array): void {
  const end = blocks.length - 16;
  let last = 0;
  for (let at = 0; at < end; at++) {
    const place = end + (at % 16);
    last = blocks[place]! ^ substitution[blocks[at]! ^ last]!;
    blocks[place] = last;
  }
}

function mix(state: Uint8Array): void {
  let last = 0;
  for (let round = 0; round < 18; round++) {
    for (let at = 0; at < state.length; at++) {
      last = state[at]! ^ substitution[last]!;
      state[at] = last;
    }
    last = (last + round) % 256;
  }
}
