import { checkOptionTypes, optionInvalid, type OptionTypes } from "@thingline/protocol";

/** Members have the names that AWS's device SDKs give them. */
export interface CustomAuthorizerOptions {
  /** Which authorizer is asked. Default: the one of the domain, or of the account. */
  authorizerName?: string;
  /** What stands before the `?` of the MQTT user name. Default: nothing. */
  username?: string;
  password?: Uint8Array | string;
  /** The name under which the authorizer looks for the token: its `tokenKeyName`. Needed with `tokenValue`. */
  tokenKeyName?: string;
  tokenValue?: string;
  /** Base64, or that percent-encoded. Needed with a token, unless the authorizer has signing disabled. */
  authorizerSignature?: string;
  /** Over a WebSocket with this path (`/mqtt`); default: MQTT with ALPN `mqtt`. */
  webSocketPath?: string;
}

/** Options of a device, beside its endpoint and client id. */
export interface CustomAuthorizerSettings {
  username: string;
  password?: Uint8Array;
  alpnProtocols?: readonly string[];
  webSocket?: { path: string };
}

/** MQTT with credentials of a custom authorizer. */
const customAlpnProtocol = "mqtt";

const optionTypes = {
  authorizerName: "string",
  username: "string",
  password: "text",
  tokenKeyName: "string",
  tokenValue: "string",
  authorizerSignature: "string",
  webSocketPath: "string",
} as const satisfies OptionTypes<CustomAuthorizerOptions>;

/**
 * How a device says who it is to a custom authorizer, without a client certificate: to be spread into the options of `connectDevice()`.
 * The endpoint's port is one that several protocols share: 443 at AWS, the HTTPS port of a local cloud.
 *
 * @throws {ThinglineError} OPTION_INVALID
 * @see AWS IoT developer guide, "Connecting to AWS IoT Core by using custom authentication"
 */
export function customAuthorizer(options: CustomAuthorizerOptions): CustomAuthorizerSettings {
  checkOptionTypes(options, optionTypes, { of: "customAuthorizer()" });
  const {
    authorizerName,
    username = "",
    password,
    tokenKeyName,
    tokenValue,
    authorizerSignature,
    webSocketPath,
  } = options;
  if ((tokenKeyName === undefined) !== (tokenValue === undefined))
    throw optionInvalid("tokenKeyName", "given together with tokenValue", tokenKeyName ?? "nothing");
  if (tokenKeyName !== undefined && !/^[a-zA-Z0-9_-]{1,128}$/.test(tokenKeyName))
    throw optionInvalid("tokenKeyName", "1 to 128 letters, digits, _ and -", tokenKeyName);
  if (username.includes("?")) throw optionInvalid("username", "a text without ?", username);
  const pairs: [string, string | undefined][] = [
    ["x-amz-customauthorizer-name", authorizerName],
    ["x-amz-customauthorizer-signature", authorizerSignature === undefined ? undefined : decoded(authorizerSignature)],
    [tokenKeyName ?? "", tokenValue],
  ];
  const query = pairs.flatMap(([name, value]) => (value === undefined ? [] : [`${name}=${encodeURIComponent(value)}`]));
  return {
    username: query.length === 0 ? username : `${username}?${query.join("&")}`,
    ...(password !== undefined && {
      password: typeof password === "string" ? new TextEncoder().encode(password) : password.slice(),
    }),
    ...(webSocketPath === undefined ? { alpnProtocols: [customAlpnProtocol] } : { webSocket: { path: webSocketPath } }),
  };
}

/** Base64 has no `%`: a signature with one was encoded by whoever handed it in. */
function decoded(signature: string): string {
  if (!signature.includes("%")) return signature;
  try {
    return decodeURIComponent(signature);
  } catch {
    throw optionInvalid("authorizerSignature", "base64, or that percent-encoded", "something else");
  }
}
