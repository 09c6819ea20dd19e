import { ThinglineError } from "../errors.js";

/** A path of an AWS restJson1 operation: `/things/{thingName}`, or `{label+}` for a label that may hold slashes. */
export interface PathTemplate {
  readonly text: string;
  readonly segments: readonly PathSegment[];
}

export type PathSegment = { literal: string } | { label: string; isGreedy: boolean };

export type Labels = Record<string, string>;

/** @throws {ThinglineError} OPTION_INVALID */
export function parsePathTemplate(text: string): PathTemplate {
  if (!text.startsWith("/")) throw badTemplate(text, "must begin with /");
  const segments = text
    .slice(1)
    .split("/")
    .map((segment): PathSegment => {
      const label = /^\{([A-Za-z0-9]+)(\+?)\}$/u.exec(segment);
      if (label) return { label: label[1] ?? "", isGreedy: label[2] === "+" };
      if (/[{}%]/u.test(segment)) throw badTemplate(text, `"${segment}" is neither literal nor label`);
      return { literal: segment };
    });
  if (segments.filter((segment) => "label" in segment && segment.isGreedy).length > 1) {
    throw badTemplate(text, "has two greedy labels");
  }
  return { text, segments };
}

/**
 * Labels of a path as it came over the wire, percent-encoding and all: `%2F` inside a label is a slash of the value, a
 * bare slash separates. Literals match with or without percent-encoding.
 * @returns undefined when the path does not fit, or is not well encoded.
 */
export function matchPath(template: PathTemplate, rawPath: string): Labels | undefined {
  if (!rawPath.startsWith("/")) return undefined;
  const parts = rawPath.slice(1).split("/");
  const { segments } = template;
  const greedyAt = segments.findIndex((segment) => "label" in segment && segment.isGreedy);
  if (greedyAt < 0 ? parts.length !== segments.length : parts.length < segments.length) return undefined;
  const greedyParts = parts.length - segments.length + 1;
  const labels: Labels = {};
  let at = 0;
  for (const segment of segments) {
    const taken = parts.slice(at, at + ("label" in segment && segment.isGreedy ? greedyParts : 1));
    at += taken.length;
    const values = taken.map(decodePercent);
    if (values.includes(undefined)) return undefined;
    const value = values.join("/");
    if ("literal" in segment) {
      if (value !== segment.literal) return undefined;
    } else {
      // An empty label would make one operation of another: GET /things/ is not DescribeThing.
      if (value === "") return undefined;
      labels[segment.label] = value;
    }
  }
  return labels;
}

/**
 * A path for the wire: labels are percent-encoded but for unreserved characters, `$` and `/` included; a greedy label
 * keeps its slashes.
 * @throws {ThinglineError} OPTION_INVALID when a label has no value.
 */
export function buildPath({ text, segments }: PathTemplate, labels: Readonly<Labels>): string {
  const parts = segments.map((segment) => {
    if ("literal" in segment) return segment.literal;
    const value = labels[segment.label] ?? "";
    if (value === "") throw badTemplate(text, `has no value for ${segment.label}`);
    return segment.isGreedy ? value.split("/").map(encodePercent).join("/") : encodePercent(value);
  });
  return `/${parts.join("/")}`;
}

/**
 * RFC 3986 unreserved characters stay, all else is encoded as UTF-8 with upper-case hex.
 * @throws {ThinglineError} OPTION_INVALID for a lone surrogate, which UTF-8 does not have.
 */
export function encodePercent(text: string): string {
  if (/\p{Surrogate}/u.test(text)) {
    throw new ThinglineError("OPTION_INVALID", "a text with a lone surrogate cannot be part of an address");
  }
  return encodeURIComponent(text).replace(
    /[!'()*]/gu,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

/** @returns undefined for a broken escape or bytes that are no UTF-8. */
export function decodePercent(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}

const badTemplate = (text: string, why: string) =>
  new ThinglineError("OPTION_INVALID", `the path template "${text}" ${why}`);
