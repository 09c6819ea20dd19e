import { ThinglineError } from "@thingline/protocol";
import type { StoreEntry, StoreKey, StoreReader } from "../../store/store.js";
import { answer, type Operation, type Scope } from "../operation.js";

/** Of its sagas. */
export const authorizersServiceName = "authorizers";

/** A function that says who a client is and what it may do, instead of a certificate. */
export type AuthorizerRecord = {
  authorizerName: string;
  authorizerFunctionArn: string;
  /** Under which name a client sends its token. */
  tokenKeyName?: string;
  /** PEM by a name of their own: the signature of one of them is enough. */
  tokenSigningPublicKeys?: { [name: string]: string };
  status: "ACTIVE" | "INACTIVE";
  /** Of its creation, for good. */
  signingDisabled: boolean;
  enableCachingForHttp: boolean;
  createdAtMs: number;
  modifiedAtMs: number;
};

/** Of an account and region. @see AWS General Reference, "AWS IoT Core endpoints and quotas" */
export const authorizersMax = 10;
/** AWS gives a function so long. */
export const authorizerTimeoutMs = 5_000;
/** Keys of one authorizer; AWS names no bound. */
export const tokenSigningKeysMax = 10;
/** Bits of an RSA key that signs tokens. */
export const tokenKeyBitsMin = 2_048;

const key = (scope: Scope, ...rest: string[]): StoreKey => [scope.account, scope.region, ...rest];

export const authorizerKeys = {
  all: (scope: Scope) => key(scope, "authorizer"),
  one: (scope: Scope, name: string) => key(scope, "authorizer", name),
  /** Changes with each one that is made: two at once must not both be the last that there is room for. */
  guard: (scope: Scope) => key(scope, "authorizers"),
  default: (scope: Scope) => key(scope, "defaultAuthorizer"),
};

export function authorizerArn({ account, region }: Scope, name: string): string {
  return `arn:aws:iot:${region}:${account}:authorizer/${name}`;
}

interface Reader {
  store: StoreReader;
  scope: Scope;
}

export async function findAuthorizer({ store, scope }: Reader, name: string): Promise<AuthorizerRecord | undefined> {
  return (await store.get<AuthorizerRecord>(authorizerKeys.one(scope, name)))?.value;
}

/** @throws {ThinglineError} RESOURCE_NOT_FOUND */
export async function requireAuthorizer({ store, scope }: Reader, name: string): Promise<StoreEntry<AuthorizerRecord>> {
  const entry = await store.get<AuthorizerRecord>(authorizerKeys.one(scope, name));
  if (entry !== undefined) return entry;
  throw new ThinglineError("RESOURCE_NOT_FOUND", `The authorizer ${name} does not exist`);
}

/** For whoever names an authorizer. Its record is written as it is: nobody deletes it, or sets it INACTIVE, in the same moment unseen. */
export const claimAuthorizer: Operation<{ authorizerName: string }, AuthorizerRecord | undefined> = async (
  { store, scope },
  { authorizerName },
) => {
  const entry = await store.get<AuthorizerRecord>(authorizerKeys.one(scope, authorizerName));
  if (entry === undefined) return answer(undefined);
  const { key, revision, value } = entry;
  return { result: value, operations: [{ key, expectedRevision: revision, value }], effects: [] };
};

/** The name of the one that clients are asked by who name none. */
export async function findDefaultAuthorizerName({ store, scope }: Reader): Promise<string | undefined> {
  return (await store.get<{ authorizerName: string }>(authorizerKeys.default(scope)))?.value.authorizerName;
}
