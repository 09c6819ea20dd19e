import { ThinglineError } from "@thingline/protocol";
import { parseCertificates, parsePrivateKey, readPem } from "@thingline/protocol/x509";

export type PemLineEnds = "lf" | "crlf";

export interface NormalizedPem {
  /** What goes to the modem: whole blocks, lines of 64 characters, each with its line end. */
  text: string;
  /** What is not as it was, in words for people; empty where nothing was changed. */
  changes: readonly string[];
}

export interface NormalizePemOptions {
  /** How to call the text in errors: the name of its file. */
  what: string;
  /** Default `lf`, as the files of `thing create` and of AWS have. The modem's digest is over them. */
  lineEnds?: PemLineEnds;
}

const mark = "\uFEFF";
const lineEndOf: Readonly<Record<PemLineEnds, string>> = { lf: "\n", crlf: "\r\n" };
const block = /-----BEGIN ([A-Z0-9 ]{1,64})-----([^-]*)-----END \1-----/gu;

/**
 * Brings a PEM text into the one form that every modem takes: a modem that checks nothing keeps a text without line ends, or with a byte order
 * mark, and fails in the handshake later.
 *
 * @param kind `certificates`: one or more; `privateKey`: exactly one, unencrypted.
 * @throws {ThinglineError} CERTIFICATE_INVALID, KEY_INVALID; the message never quotes the text.
 */
export function normalizePem(
  original: string,
  kind: "certificates" | "privateKey",
  { what, lineEnds = "lf" }: NormalizePemOptions,
): NormalizedPem {
  const repaired = repair(original);
  const result = readPem(repaired.text);
  if ("reason" in result) {
    const code = kind === "privateKey" ? "KEY_INVALID" : "CERTIFICATE_INVALID";
    throw new ThinglineError(code, `${what} is not a PEM: ${result.reason}`);
  }
  if (kind === "privateKey") parsePrivateKey(repaired.text, what);
  else parseCertificates(repaired.text, what);
  const isParameters = ({ label }: { label: string }) => kind === "privateKey" && label === "EC PARAMETERS";
  const blocks = result.blocks.filter((each) => !isParameters(each));
  const lines = blocks.map(({ pem }) => pem).join("");
  const text = lineEnds === "lf" ? lines : lines.replaceAll("\n", "\r\n");
  if (text === original) return { text, changes: [] };
  // Of a text without lines there is nothing more to tell.
  const changes = [...repaired.changes, ...(repaired.isFlat ? [] : changesOf(repaired.text, lineEnds))];
  if (blocks.length < result.blocks.length) changes.push("EC PARAMETERS before the key were left out");
  return { text, changes: changes.length > 0 ? changes : ["its lines were written anew"] };
}

/** What makes no PEM of it for most readers, and can be told without doubt. */
function repair(original: string): { text: string; changes: string[]; isFlat: boolean } {
  const changes: string[] = [];
  let text = original;
  if (text.startsWith(mark)) {
    text = text.slice(mark.length);
    changes.push("the byte order mark at its beginning was left out");
  }
  if (!/[\r\n]/u.test(text.trim()) && /\\n/u.test(text)) {
    text = text.replaceAll(/\\r\\n|\\n/gu, "\n");
    changes.push("\\n in the text became line ends");
  }
  const unfolded = text.replaceAll(block, (whole: string, label: string, body: string) => {
    // Header lines say that a key is encrypted, and are the reader's to refuse.
    const hasOwnLines = /^[ \t]*[\r\n]/u.test(body) && /[\r\n][ \t]*$/u.test(body);
    if (hasOwnLines || body.includes(":")) return whole;
    return `-----BEGIN ${label}-----\n${body.replaceAll(/\s/gu, "")}\n-----END ${label}-----\n`;
  });
  const isFlat = unfolded !== text;
  if (isFlat) changes.push("line ends were put where blanks or nothing stood");
  return { text: unfolded, changes, isFlat };
}

function changesOf(text: string, lineEnds: PemLineEnds): string[] {
  const changes: string[] = [];
  const ends = new Set(text.match(/\r\n|\n|\r/gu));
  const wanted = lineEndOf[lineEnds];
  if ([...ends].some((each) => each !== wanted)) {
    changes.push(lineEnds === "lf" ? "its line ends became LF" : "its line ends became CR LF");
  }
  const lines = text.split(/\r\n|\n|\r/u);
  if (lines.at(-1) !== "") changes.push("the missing line end behind its last line was added");
  if (lines.slice(0, -1).some((line) => line.trim() === "")) changes.push("blank lines were left out");
  if (lines.some((line) => line !== line.trim() && line.trim() !== "")) {
    changes.push("blanks around its lines were left out");
  }
  changes.push(...outsideAndWidth(lines.map((line) => line.trim())));
  return changes;
}

const lineCharacters = 64;

function outsideAndWidth(lines: readonly string[]): string[] {
  let isInside = false;
  let outside = 0;
  let isOtherWidth = false;
  let isShortSeen = false;
  for (const line of lines) {
    if (line.startsWith("-----BEGIN ")) [isInside, isShortSeen] = [true, false];
    else if (line.startsWith("-----END ")) isInside = false;
    else if (isInside && line !== "") {
      isOtherWidth ||= isShortSeen || line.length > lineCharacters;
      isShortSeen = line.length < lineCharacters;
    } else if (line !== "") outside++;
  }
  return [
    ...(outside > 0 ? [`text around it was left out (${outside} line${outside === 1 ? "" : "s"})`] : []),
    ...(isOtherWidth ? [`its lines were cut to ${lineCharacters} characters`] : []),
  ];
}
