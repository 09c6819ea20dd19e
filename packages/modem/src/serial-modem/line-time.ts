/** The receiver's buffer and a margin: the silence after which a burst of data mode is over. [SLM22 slm_at_host] */
const burst = { bufferBytes: 256, bitsPerByte: 10, marginMs: 10 };

/** At least so long must the silence be that ends a burst, at this speed of the line. */
export function timeLimitMsMin(baudRate: number): number {
  return Math.floor((burst.bufferBytes * burst.bitsPerByte * 1000) / baudRate) + burst.marginMs;
}
