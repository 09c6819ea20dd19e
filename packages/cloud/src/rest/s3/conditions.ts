/** What a condition is held against. */
export interface Validators {
  /** In quotes. */
  etag: string;
  modifiedAtMs: number;
}

type Headers = Readonly<Record<string, string>>;

/**
 * Whether a GET or HEAD goes on, in the order of RFC 9110 §13.2.2.
 *
 * @returns the status to answer with instead
 */
export function failedCondition(headers: Headers, { etag, modifiedAtMs }: Validators): 304 | 412 | undefined {
  const ifMatch = headers["if-match"];
  if (ifMatch !== undefined) {
    if (!isListed(ifMatch, etag)) return 412;
  } else {
    const before = parseHttpDate(headers["if-unmodified-since"]);
    if (before !== undefined && wholeSeconds(modifiedAtMs) > before) return 412;
  }
  const ifNoneMatch = headers["if-none-match"];
  if (ifNoneMatch !== undefined) return isListed(ifNoneMatch, etag) ? 304 : undefined;
  const since = parseHttpDate(headers["if-modified-since"]);
  return since !== undefined && wholeSeconds(modifiedAtMs) <= since ? 304 : undefined;
}

/** A list of ETags, or `*`. Clients leave the quotes away, and S3 takes that. */
export function isListed(list: string, etag: string): boolean {
  const bare = (text: string) =>
    text
      .trim()
      .replace(/^W\//, "")
      .replace(/^"(.*)"$/, "$1");
  return list.split(",").some((each) => each.trim() === "*" || bare(each) === bare(etag));
}

/** Bytes of an object, `end` not included. */
export interface ByteRange {
  start: number;
  end: number;
}

/**
 * What a Range header asks for. One that is not understood, asks for several ranges, or does not hold by If-Range is as if there were none.
 *
 * @returns `all`, or `unsatisfiable` for a range that begins behind the end
 */
export function rangeOf(headers: Headers, bytes: number, validators: Validators): ByteRange | "all" | "unsatisfiable" {
  const [, first = "", last = ""] = /^bytes=(\d*)-(\d*)$/i.exec((headers["range"] ?? "").replaceAll(" ", "")) ?? [];
  if ((first === "" && last === "") || !holdsIfRange(headers["if-range"], validators)) return "all";
  if (first === "") {
    const count = Number(last);
    return count === 0 || bytes === 0 ? "unsatisfiable" : { start: Math.max(0, bytes - count), end: bytes };
  }
  const start = Number(first);
  const end = last === "" ? Infinity : Number(last) + 1;
  if (end <= start) return "all";
  return start >= bytes ? "unsatisfiable" : { start, end: Math.min(end, bytes) };
}

/** By a strong ETag, or by exactly the date of the object. */
function holdsIfRange(ifRange: string | undefined, { etag, modifiedAtMs }: Validators): boolean {
  if (ifRange === undefined) return true;
  const date = parseHttpDate(ifRange);
  return date === undefined ? ifRange.trim() === etag : date === wholeSeconds(modifiedAtMs);
}

const wholeSeconds = (ms: number) => Math.floor(ms / 1_000);

/** Unix seconds. @returns undefined for what is no date, which is then as if it were not there */
function parseHttpDate(text: string | undefined): number | undefined {
  if (text === undefined || !/^[a-z]{3,9},? .*\d{4}|^[a-z]{3} [a-z]{3} /i.test(text.trim())) return undefined;
  const ms = Date.parse(text);
  return Number.isNaN(ms) ? undefined : wholeSeconds(ms);
}

/** As in Last-Modified. */
export const httpDate = (ms: number) => new Date(ms).toUTCString();
