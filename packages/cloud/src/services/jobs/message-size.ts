import {
  jobsClientTokenCharactersMax,
  statusDetailKeyCharactersMax,
  statusDetailsMax,
  statusDetailValueCharactersMax,
} from "@thingline/protocol/jobs";
import { ThinglineError } from "@thingline/protocol";

// A device gets its document within a PUBLISH, whose payload AWS bounds: what a document can become, with what can stand around it.

/** Of a message to a device. @see AWS General Reference, "AWS IoT Core endpoints and quotas", publish payload */
export const jobMessageBytesMax = 128 * 1024;
/** Of UTF-8, for one UTF-16 unit of text. */
const unitBytesMax = 3;
/** Names, numbers and punctuation of the longest answer, and the id of its job. */
const frameBytesMax = 1_024;
/** Two texts, their quotes, a colon and a comma. */
const pairPunctuationBytes = 6;

const statusDetailsBytesMax =
  statusDetailsMax *
  (statusDetailKeyCharactersMax + unitBytesMax * statusDetailValueCharactersMax + pairPunctuationBytes);

/** Of a document with its placeholders filled: so much of a message is left when a device gives all status details that it may. */
export const filledDocumentBytesMax =
  jobMessageBytesMax - frameBytesMax - unitBytesMax * jobsClientTokenCharactersMax - statusDetailsBytesMax;

/** @throws {ThinglineError} REQUEST_INVALID for a document that no message could hold */
export function requireFilledSize(filled: string): void {
  const bytes = bytesOver(filled, filledDocumentBytesMax);
  if (bytes === undefined) return;
  const message = `document: it can have ${bytes} bytes when its placeholders are filled, at most ${filledDocumentBytesMax} go into a message to a device`;
  throw new ThinglineError("REQUEST_INVALID", message);
}

/** The bytes of a text that has more of them than allowed; undefined for any other. */
export function bytesOver(text: string, bytesMax: number): number | undefined {
  // Most texts are far too short to be counted.
  if (text.length * unitBytesMax <= bytesMax) return undefined;
  const { length } = encoder.encode(text);
  return length > bytesMax ? length : undefined;
}

const encoder = new TextEncoder();
