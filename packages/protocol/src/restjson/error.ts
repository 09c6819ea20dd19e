/** An error as restJson1 puts it on the wire. */
export interface RestJsonError {
  /** `ResourceNotFoundException` */
  code: string;
  message: string;
  /** Further members of the body, such as `resourceArn`. */
  members?: Readonly<Record<string, string | number>>;
}

/** Header that carries the code, lower case. */
export const errorTypeHeader = "x-amzn-errortype";
export const requestIdHeader = "x-amzn-requestid";

export interface RestJsonAnswer {
  /** Lower-case names. */
  headers: Record<string, string>;
  body: Uint8Array;
}

const encoder = new TextEncoder();

export function encodeRestJson(value: unknown, requestId: string): RestJsonAnswer {
  return {
    headers: { "content-type": "application/json", [requestIdHeader]: requestId },
    body: encoder.encode(JSON.stringify(value ?? {})),
  };
}

export function encodeRestJsonError({ code, message, members }: RestJsonError, requestId: string): RestJsonAnswer {
  const { headers, body } = encodeRestJson({ ...members, message }, requestId);
  return { headers: { ...headers, [errorTypeHeader]: code }, body };
}

/**
 * The error that an answer tells. The code is in the header, else in the body's `code`, else in `__type`; what follows
 * a `:` and what stands before a `#` does not belong to it.
 */
export function decodeRestJsonError(headers: Readonly<Record<string, string>>, body: unknown): RestJsonError {
  const members = typeof body === "object" && body !== null ? (body as Record<string, unknown>) : {};
  const named = [headers[errorTypeHeader], members["code"], members["__type"]].find((text) => typeof text === "string");
  const text = typeof named === "string" ? named : "UnknownError";
  const code = (text.split(":")[0] ?? "").split("#").at(-1) ?? "";
  const message = [members["message"], members["Message"]].find((found) => typeof found === "string");
  return { code: code === "" ? "UnknownError" : code, message: typeof message === "string" ? message : "" };
}
