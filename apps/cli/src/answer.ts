import { ThinglineError } from "@thingline/protocol";

/** All but a snapshot is a few words; another server may listen there. */
export const ordinaryAnswerBytesMax = 64 * 1024;

/**
 * The body of an HTTP answer, up to a bound.
 *
 * @param options.what how to call it in the error.
 * @throws {ThinglineError} LIMIT_EXCEEDED; whatever the stream throws.
 */
export async function readAnswer(
  body: AsyncIterable<Uint8Array> | null,
  { bytesMax = ordinaryAnswerBytesMax, what }: { bytesMax?: number; what: string },
): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of body ?? []) {
    bytes += chunk.length;
    // Leaving the loop ends the connection.
    if (bytes > bytesMax) {
      const message = `${what} is too large: it has more than ${bytesMax} bytes, which is all that is taken`;
      throw new ThinglineError("LIMIT_EXCEEDED", message, { details: { bytesMax } });
    }
    chunks.push(chunk);
  }
  const whole = new Uint8Array(bytes);
  let at = 0;
  for (const chunk of chunks) {
    whole.set(chunk, at);
    at += chunk.length;
  }
  return whole;
}
