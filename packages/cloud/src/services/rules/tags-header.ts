import { ThinglineError } from "@thingline/protocol";

/** `x-amz-tagging`: tags as a query string, percent-encoded. @throws {ThinglineError} REQUEST_INVALID */
export function tagsOfHeader(header: string | undefined): { Key: string; Value: string }[] | undefined {
  if (header === undefined || header === "") return undefined;
  return header.split("&").map((pair) => {
    const [key = "", ...value] = pair.split("=");
    return { Key: decoded(key), Value: decoded(value.join("=")) };
  });
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text.replaceAll("+", " "));
  } catch {
    throw new ThinglineError("REQUEST_INVALID", "x-amz-tagging is tags as a query string, percent-encoded");
  }
}
