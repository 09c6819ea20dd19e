import { ThinglineError } from "@thingline/protocol";
import type { Random } from "@thingline/transport";

export interface AccessKey {
  accessKeyId: string;
  secretAccessKey: string;
  /** Twelve digits; default: the account of the cloud. */
  account?: string;
}

/** The pair that tools for local clouds use. */
export const defaultAccessKey: AccessKey = { accessKeyId: "test", secretAccessKey: "test" };
export const accessKeysMax = 1_000;

/**
 * Checks keys that somebody gave. Errors name the place of a key, never its secret.
 *
 * @throws {ThinglineError} OPTION_INVALID
 */
export function checkAccessKeys(keys: unknown, option = "accessKeys"): readonly AccessKey[] {
  const invalid = (message: string) =>
    new ThinglineError("OPTION_INVALID", `${option}${message}`, { details: { option } });
  if (!Array.isArray(keys) || keys.length === 0 || keys.length > accessKeysMax)
    throw invalid(` must be a list of 1 to ${accessKeysMax} access keys`);
  const ids = new Set<string>();
  return keys.map((key: unknown, index) => {
    const at = `[${index}]`;
    if (typeof key !== "object" || key === null) throw invalid(`${at} must be an object`);
    const { accessKeyId, secretAccessKey, account, ...others } = key as Record<string, unknown>;
    const [other] = Object.keys(others);
    if (other !== undefined)
      throw invalid(`${at}.${other} is not known; there are accessKeyId, secretAccessKey and account`);
    if (typeof accessKeyId !== "string" || !/^[\w.:-]{1,128}$/.test(accessKeyId))
      throw invalid(`${at}.accessKeyId must be 1 to 128 letters, digits or ._:-`);
    if (typeof secretAccessKey !== "string" || secretAccessKey === "" || secretAccessKey.length > 256)
      throw invalid(`${at}.secretAccessKey must be a text of 1 to 256 characters`);
    if (account !== undefined && (typeof account !== "string" || !/^\d{12}$/.test(account)))
      throw invalid(`${at}.account must be twelve digits`);
    if (ids.has(accessKeyId)) throw invalid(` has the access key "${accessKeyId}" twice`);
    ids.add(accessKeyId);
    return { accessKeyId, secretAccessKey, ...(account === undefined ? {} : { account }) };
  });
}

/** What a cloud signs its own URLs with, and verifies when they come back. */
export interface CloudAccessKeys {
  /** Those that count. */
  accessKeys: readonly AccessKey[];
  /** @throws {ThinglineError} REQUEST_INVALID when none of them speaks for the account. */
  signingKey: (account: string) => AccessKey;
}

/** The account that a signed request speaks for. */
export function accountOf(
  accessKeyId: string,
  { accessKeys, own, isAnyTaken }: { accessKeys: readonly AccessKey[]; own: string; isAnyTaken: boolean },
): string {
  const known = accessKeys.find((key) => key.accessKeyId === accessKeyId);
  // Tools for local clouds choose an account by using its number as the access key.
  const isAccount = isAnyTaken && /^\d{12}$/.test(accessKeyId);
  return known?.account ?? (isAccount ? accessKeyId : own);
}

/** When no key that was given speaks for the cloud's own account, it gets one that lives as long as the cloud. */
export function cloudAccessKeys(
  given: readonly AccessKey[],
  { account: own, random, isAnyTaken }: { account: string; random: Pick<Random, "uuid">; isAnyTaken: boolean },
): CloudAccessKeys {
  const isOf = (account: string) => (key: AccessKey) => (key.account ?? own) === account;
  const accessKeys = given.some(isOf(own))
    ? given
    : [...given, { accessKeyId: `thingline-${random.uuid()}`, secretAccessKey: random.uuid(), account: own }];
  return {
    accessKeys,
    signingKey(account) {
      const found = accessKeys.find(isOf(account));
      if (found !== undefined) return found;
      // Where every signature is taken, the number of an account is a key of it.
      if (isAnyTaken) return { accessKeyId: account, secretAccessKey: account };
      const message = `No access key of the local cloud speaks for account ${account}, so nobody can sign a URL for it`;
      throw new ThinglineError("REQUEST_INVALID", message, { details: { account } });
    },
  };
}
