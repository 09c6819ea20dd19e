import { isThinglineError, type JsonObject } from "@thingline/protocol";
import type { Keys } from "@thingline/transport";
import type { Functions } from "../../functions/index.js";
import type { StoreReader } from "../../store/store.js";
import type { Scope } from "../operation.js";
import { readAuthorizerAnswer, type Authenticated, type AuthorizerAnswer } from "./answer.js";
import { authorizerEvent, authorizerNameKey, Credentials, tokenCharactersMax, type Presented } from "./credentials.js";
import { authorizerTimeoutMs, findAuthorizer, findDefaultAuthorizerName, type AuthorizerRecord } from "./model.js";
import { faultOfSignature } from "./token.js";

/** What the domain of a connection says about authorizers. */
export interface AuthorizerChoice {
  /** Goes before that of the account. */
  defaultAuthorizerName?: string | undefined;
  /** Whether a client may name another one. */
  allowsOverride: boolean;
}

export interface AuthenticateDependencies {
  store: StoreReader;
  scope: Scope;
  keys: Pick<Keys, "verify">;
  functions: Functions;
}

/** Why somebody is not let in, for the log: with the name of the authorizer where one was found. */
export interface Refused {
  authorizerName?: string;
  /** A sentence without its end. */
  refusal: string;
}

export type Authentication = { authorizer: AuthorizerRecord; answer: Authenticated } | Refused;

/**
 * Asks the authorizer that a client has named, or the default one, who the client is.
 *
 * @param connectionId what the function is told of the connection, for its own log
 */
export async function authenticate(
  deps: AuthenticateDependencies,
  { presented, choice, connectionId }: { presented: Presented; choice: AuthorizerChoice; connectionId: string },
): Promise<Authentication> {
  const credentials = new Credentials(presented);
  const name = await chooseName(deps, credentials, choice);
  if (typeof name !== "string") return name;
  const authorizer = await findAuthorizer(deps, name);
  if (authorizer === undefined)
    return { refusal: `there is no authorizer ${name.slice(0, 128)}; create it with CreateAuthorizer` };
  const refuse = (refusal: string): Refused => ({ authorizerName: name, refusal: `authorizer ${name}: ${refusal}` });
  if (authorizer.status !== "ACTIVE") return refuse("it is INACTIVE; set its status ACTIVE with UpdateAuthorizer");
  const token = authorizer.tokenKeyName === undefined ? undefined : credentials.get(authorizer.tokenKeyName);
  if (token !== undefined && token.length > tokenCharactersMax)
    return refuse(`the token has more than ${tokenCharactersMax} characters`);
  const fault = faultOfToken(deps.keys, authorizer, { token, signature: credentials.signature });
  // AWS asks no function about a token that nobody has signed.
  if (fault !== undefined) return refuse(fault);
  const event = authorizerEvent(presented, { token, isVerified: !authorizer.signingDisabled, connectionId });
  const answer = await invoke(deps.functions, authorizer, event, presented.certificate !== undefined);
  if (typeof answer === "string") return refuse(answer);
  if (!answer.isAuthenticated) return refuse("its function answered that isAuthenticated is false");
  // Whoever changed it meanwhile was told that it is so: an answer from before lets nobody in after that.
  if (!(await isAsItWas(deps, authorizer))) return refuse("it was changed while its function was asked");
  const { certificate } = presented;
  if (certificate !== undefined && answer.principalId !== certificate.certificateId)
    return refuse("principalId is not the id of the client's certificate, which it has to repeat");
  return { authorizer, answer };
}

/** Whether what its function has said of a client still holds. */
export async function isAsItWas(
  reader: Pick<AuthenticateDependencies, "store" | "scope">,
  authorizer: AuthorizerRecord,
): Promise<boolean> {
  const now = await findAuthorizer(reader, authorizer.authorizerName);
  return now !== undefined && JSON.stringify(now) === JSON.stringify(authorizer);
}

/** @returns what is wrong with a token that has to be signed */
export function faultOfToken(
  keys: Pick<Keys, "verify">,
  { signingDisabled, tokenKeyName, tokenSigningPublicKeys = {} }: AuthorizerRecord,
  given: { token: string | undefined; signature: string | undefined },
): string | undefined {
  if (signingDisabled) return undefined;
  const fault = faultOfSignature(keys, tokenSigningPublicKeys, given);
  const where = given.token === undefined ? ` under the name ${tokenKeyName}` : "";
  return fault === undefined ? undefined : fault + where;
}

/** @returns a text: why there is no answer to go by */
export async function invoke(
  functions: Functions,
  { authorizerFunctionArn }: AuthorizerRecord,
  event: JsonObject,
  hasCertificate: boolean,
): Promise<AuthorizerAnswer | string> {
  try {
    const answer = await functions.invoke(authorizerFunctionArn, event, { timeoutMs: authorizerTimeoutMs });
    const read = readAuthorizerAnswer(answer, hasCertificate);
    return typeof read === "string" ? `its function answered wrongly: ${read}` : read;
  } catch (error) {
    // A cloud that closes is no word of the function's.
    if (!isThinglineError(error) || error.code === "CLOSED") throw error;
    return error.message;
  }
}

async function chooseName(
  deps: AuthenticateDependencies,
  credentials: Credentials,
  { defaultAuthorizerName, allowsOverride }: AuthorizerChoice,
): Promise<string | Refused> {
  const named = credentials.authorizerName;
  if (named !== undefined && (allowsOverride || named === defaultAuthorizerName)) return named;
  if (named !== undefined)
    return {
      refusal: `the client names authorizer ${shown(named)}, and its domain allows none but its own (allowAuthorizerOverride)`,
    };
  const fallback = defaultAuthorizerName ?? (await findDefaultAuthorizerName(deps));
  if (fallback !== undefined) return fallback;
  return {
    refusal:
      `the client names no authorizer (${authorizerNameKey}), and neither its domain nor the account has a default one ` +
      "(SetDefaultAuthorizer)",
  };
}

/** For the log: what a client sends may be long. */
const shown = (name: string) => JSON.stringify(name.slice(0, 128));
