import { decodeBase64, encodeBase64 } from "../base64.js";

/** One block between BEGIN and END (RFC 7468). */
export interface PemBlock {
  /** `CERTIFICATE`, `RSA PRIVATE KEY`, ... */
  readonly label: string;
  readonly der: Uint8Array;
  /** Lines of 64 characters, LF, one trailing LF: the form whose digest other tools show. */
  readonly pem: string;
}

/** The text is written when somebody asks for it: a check of three files asks for none. */
class ReadBlock implements PemBlock {
  readonly label: string;
  readonly der: Uint8Array;

  constructor(label: string, der: Uint8Array) {
    this.label = label;
    this.der = der;
  }

  get pem(): string {
    return encodePem(this.label, this.der);
  }
}

/** PEM as text, or as the bytes of a file that holds it. */
export type Pem = string | Uint8Array;

export type PemResult = { blocks: readonly [PemBlock, ...PemBlock[]] } | { reason: string };

export const pemCharactersMax = 64 * 1024;
export const pemBlocksMax = 16;

/** RFC 7468, 2. */
const pemLineCharacters = 64;

const begin = /^-----BEGIN ([A-Z0-9 ]{1,64})-----$/u;
const end = /^-----END ([A-Z0-9 ]{1,64})-----$/u;

/**
 * Finds every PEM block in a text with LF, CRLF or CR line ends. What stands outside of the blocks is allowed, as openssl
 * writes explanations there. A reason says why the text is no PEM; it never quotes the text, which may be a key.
 */
export function readPem(pem: Pem): PemResult {
  // A byte is a character at the least, but in UTF-16, which is refused.
  if (pem.length > pemCharactersMax) {
    return { reason: `it has ${pem.length} characters, more than ${pemCharactersMax}` };
  }
  if (typeof pem !== "string" && isUtf16(pem)) return { reason: "it is UTF-16 text: save it as UTF-8" };
  const text = pemText(pem);
  if (text.trim() === "") return { reason: "it is empty" };
  const blocks: PemBlock[] = [];
  let label: string | undefined;
  let body: string[] = [];
  for (const line of text.split(/\r\n|\n|\r/u).map((each) => each.trim())) {
    const started = begin.exec(line)?.[1];
    const ended = end.exec(line)?.[1];
    if (started !== undefined) {
      if (label !== undefined) return { reason: `a second BEGIN line comes before "END ${label}"` };
      [label, body] = [started, []];
    } else if (ended !== undefined) {
      if (label === undefined) return { reason: `there is "END ${ended}" without its BEGIN line` };
      if (ended !== label) return { reason: `"BEGIN ${label}" is closed by "END ${ended}"` };
      const block = readBody(label, body);
      if (typeof block === "string") return { reason: block };
      if (blocks.push(block) > pemBlocksMax) return { reason: `it has more than ${pemBlocksMax} blocks` };
      label = undefined;
    } else if (label !== undefined) {
      body.push(line);
    }
  }
  if (label !== undefined) return { reason: `the END line of "BEGIN ${label}" is missing` };
  const [first, ...others] = blocks;
  return first ? { blocks: [first, ...others] } : { reason: whyNoBlock(text) };
}

/** Bytes are read as UTF-8; what is none stays visible as U+FFFD. */
export function pemText(pem: Pem): string {
  return typeof pem === "string" ? pem : new TextDecoder().decode(pem);
}

/** As PowerShell's `>` writes it: with a byte order mark, or every other byte 0. */
function isUtf16(bytes: Uint8Array): boolean {
  const [first, second] = bytes;
  if ((first === 0xff && second === 0xfe) || (first === 0xfe && second === 0xff)) return true;
  return bytes.length >= 4 && (bytes[0] === 0) !== (bytes[1] === 0) && bytes[0] === bytes[2] && bytes[1] === bytes[3];
}

function readBody(label: string, lines: readonly string[]): PemBlock | string {
  if (lines.some((line) => line.includes(":"))) {
    const isEncrypted = lines.some((line) => line.startsWith("Proc-Type:") && line.includes("ENCRYPTED"));
    return isEncrypted
      ? `its ${label} is encrypted; a device needs it without a passphrase, as \`openssl pkey -in FILE\` writes it`
      : `its ${label} has header lines, which are not supported`;
  }
  const der = decodeBase64(lines.join(""));
  if (!der) return `the text between BEGIN and END of its ${label} is not base64`;
  if (der.length === 0) return `its ${label} has no content`;
  return new ReadBlock(label, der);
}

function whyNoBlock(text: string): string {
  if (/\\r|\\n/u.test(text) && text.includes("-----BEGIN"))
    return "its line ends are written as \\n instead of being line ends";
  if (looksLikePath(text)) return "it looks like the path of a file: pass what is in the file";
  if (text.includes("-----BEGIN")) return "its line ends are missing, or the BEGIN line has other text on it";
  if (/[\0\uFFFD]/u.test(text)) return "it has binary content (DER?) where PEM text is expected";
  return 'it has no line "-----BEGIN ...-----"';
}

/** One short line that begins or ends as paths do. Base64 may hold a slash, too. */
function looksLikePath(text: string): boolean {
  const line = text.trim();
  if (line.length > 1024 || /[\r\n]/u.test(line)) return false;
  return (
    /\.(?:pem|crt|cer|key|der|p12|pfx|csr|txt)$/iu.test(line) || /^(?:\.{0,2}\/|~\/|file:|[A-Za-z]:[\\/])/u.test(line)
  );
}

export function encodePem(label: string, der: Uint8Array): string {
  const text = encodeBase64(der);
  let pem = `-----BEGIN ${label}-----\n`;
  for (let at = 0; at < text.length; at += pemLineCharacters) pem += `${text.slice(at, at + pemLineCharacters)}\n`;
  return `${pem}-----END ${label}-----\n`;
}
