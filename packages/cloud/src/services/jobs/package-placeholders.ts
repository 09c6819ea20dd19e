import { ThinglineError } from "@thingline/protocol";
import { encodePercent } from "@thingline/protocol/restjson";
import type { FoundPackageVersion } from "../packages/index.js";

// Placeholders for versions of packages in job documents. They are replaced in the text, as all placeholders are; texts of refusals are AWS's
// where AWS has them: developer guide, "AWS IoT Device Management Software Package Catalog Troubleshooting".

/** What a job installs or takes away. */
export interface PackageDestination {
  packageName: string;
  /** As it was asked for: a name, `$default`, or `$null` for a package that is taken away. */
  asked: string;
  /** Undefined for one that is taken away. */
  version: FoundPackageVersion | undefined;
}

export const defaultVersion = "$default";
export const noVersion = "$null";

/** No part of it can hold a brace or a quote, so that one within another placeholder is found as well, and the search is linear. */
const placeholder = /\$\{aws:iot:package:([^{}"]*)\}/g;
const start = "${aws:iot:package:";

type What = { kind: "attribute"; name: string } | { kind: "attributes" } | { kind: "artifact" };

interface PackagePlaceholder {
  /** Both empty, or neither. */
  packageName: string;
  versionName: string;
  what: What;
}

const invalid = (message: string) => new ThinglineError("REQUEST_INVALID", message);

export const hasPackagePlaceholders = (text: string): boolean => text.includes(start);

/**
 * Looks at the placeholders of a document that is not filled yet, of a template.
 *
 * @throws {ThinglineError} REQUEST_INVALID
 */
export function checkPackagePlaceholders(text: string): void {
  for (const { 0: whole, 1: rest = "", index } of text.matchAll(placeholder)) {
    requirePlace(text, { whole, index, what: read(whole, rest).what });
  }
  if (text.replace(placeholder, "").includes(start)) {
    throw invalid("One or more parameters or placeholders are not terminated.");
  }
}

/**
 * The document with what the placeholders name. An artifact becomes the placeholder for a presigned URL of its object, which is filled each time
 * that a device gets the document.
 *
 * @throws {ThinglineError} REQUEST_INVALID
 * @see AWS IoT developer guide, "Preparing AWS IoT Jobs", substitution parameters
 */
export function fillPackages(
  text: string,
  destinations: readonly PackageDestination[],
  { region }: { region: string },
): string {
  checkPackagePlaceholders(text);
  const parts: string[] = [];
  let at = 0;
  for (const { 0: whole, 1: rest = "", index } of text.matchAll(placeholder)) {
    const { what, ...named } = read(whole, rest);
    const destination = destinationOf(named, destinations, whole);
    const isQuoted = what.kind === "attributes";
    parts.push(text.slice(at, isQuoted ? index - 1 : index), valueOf(what, destination, region));
    at = index + whole.length + (isQuoted ? 1 : 0);
  }
  return [...parts, text.slice(at)].join("");
}

function read(whole: string, rest: string): PackagePlaceholder {
  const [, packageName = "", versionName = "", tail = ""] = /^([^:]*):version:([^:]*):(.+)$/.exec(rest) ?? [];
  const what = whatOf(tail);
  if (what === undefined) throw invalid(`The placeholder '${whole}' is none of a package version`);
  if ((packageName === "") !== (versionName === "")) {
    throw invalid("Empty package name and version name have to be used in pair.");
  }
  if (versionName === noVersion) {
    throw invalid("$null is not allowed to be referenced as a package version in job documents.");
  }
  return { packageName, versionName, what };
}

function whatOf(tail: string): What | undefined {
  if (tail === "attributes") return { kind: "attributes" };
  // The guide has the first form, AWS's texts of refusals and its samples the second one.
  if (tail === "artifact-location:s3-presigned-url" || tail === "artifact:s3-presigned-url")
    return { kind: "artifact" };
  const [, name] = /^attributes:([a-zA-Z0-9:_-]+)$/.exec(tail) ?? [];
  return name === undefined ? undefined : { kind: "attribute", name };
}

/** Where a placeholder may stand: one that becomes an object is a value by itself, and one that becomes a placeholder is in no other. */
function requirePlace(text: string, { whole, index, what }: { whole: string; index: number; what: What }): void {
  if (what.kind === "artifact" && /\$\{aws:[^{}"]*$/.test(text.slice(Math.max(0, index - 200), index))) {
    throw invalid("${aws:iot:package:[...]:artifact:s3-presigned-url} cannot be nested inside another placeholder.");
  }
  if (what.kind !== "attributes") return;
  const after = text.slice(index + whole.length);
  const isAlone = /(?:^|[^\\])"$/.test(text.slice(Math.max(0, index - 2), index)) && /^"\s*(?:[,}\]]|$)/.test(after);
  if (isAlone) return;
  throw invalid(
    "The package version attribute placeholder for all attributes has to be a json value by itself and not appended with other strings or nested with other placeholders.",
  );
}

function destinationOf(
  { packageName, versionName }: Pick<PackagePlaceholder, "packageName" | "versionName">,
  destinations: readonly PackageDestination[],
  whole: string,
): PackageDestination {
  if (packageName !== "") {
    const found = destinations.find((each) => each.packageName === packageName && each.asked === versionName);
    if (found !== undefined) return found;
    throw invalid(`The package version of '${whole}' is not one of destinationPackageVersions`);
  }
  const [only, another] = destinations;
  if (another !== undefined) {
    throw invalid(
      "Cannot resolve empty package name and version name given multiple elements in destination package versions.",
    );
  }
  if (only !== undefined) return only;
  throw invalid("Cannot resolve empty package name and version name without destination package versions.");
}

const escape = (value: string) => JSON.stringify(value).slice(1, -1);

function valueOf(what: What, { packageName, asked, version }: PackageDestination, region: string): string {
  if (version === undefined) throw invalid(`Package ${packageName} is taken away: it has no version (${asked})`);
  const { versionName, attributes, artifact } = version;
  switch (what.kind) {
    case "attributes":
      return JSON.stringify(attributes);
    case "attribute": {
      const value = Object.hasOwn(attributes, what.name) ? attributes[what.name] : undefined;
      if (value !== undefined) return escape(value);
      throw invalid(`Package ${packageName} version ${versionName} has no attribute ${what.name}.`);
    }
    case "artifact": {
      if (artifact === undefined) {
        const name = `Package ${packageName} version ${versionName}`;
        throw invalid(`${name} does not have an associated artifact to generate an S3 presigned url.`);
      }
      const path = [artifact.bucket, ...artifact.key.split("/")].map(encodePercent).join("/");
      const query = artifact.version === undefined ? "" : `?versionId=${encodePercent(artifact.version)}`;
      return escape(`\${aws:iot:s3-presigned-url:https://s3.${region}.amazonaws.com/${path}${query}}`);
    }
  }
}
