import type { StoreOperation } from "../../store/store.js";
import { answer, type Operation } from "../operation.js";
import { roleAliasKeys, type SessionKeyRecord } from "./model.js";
import { requireRoleAlias } from "./service.js";
import { makeSession, readSession, sessionKeyBytes, type SessionClaims, type SessionCredentials } from "./session.js";

export interface AssumeRoleInput {
  roleAlias: string;
  /** Of whom the certificate and its policies were looked at. */
  certificateId: string;
  thingName?: string | undefined;
}

export interface AssumedRole extends SessionCredentials {
  roleArn: string;
  /** Unix time in milliseconds, of a whole second. */
  expiresAtMs: number;
}

/**
 * Credentials for the role of an alias, for a device that may assume it. Only the first of an account and region writes anything.
 *
 * @throws {ThinglineError} RESOURCE_NOT_FOUND
 */
export const assumeRole: Operation<AssumeRoleInput, AssumedRole> = async (context, input) => {
  const { scope, store, nowMs, keys, random } = context;
  const { roleAlias, certificateId, thingName } = input;
  const { roleArn, credentialDurationSeconds } = (await requireRoleAlias(context, roleAlias)).value;
  const operations: StoreOperation[] = [];
  let key = (await store.get<SessionKeyRecord>(roleAliasKeys.sessionKey(scope)))?.value.key;
  if (key === undefined) {
    key = random.bytes(sessionKeyBytes);
    const value: SessionKeyRecord = { key };
    operations.push({ key: roleAliasKeys.sessionKey(scope), expectedRevision: 0, value });
  }
  const expiresAtMs = Math.floor(nowMs / 1_000 + credentialDurationSeconds) * 1_000;
  const claims: SessionClaims = {
    ...{ account: scope.account, roleArn, roleAlias, certificateId, expiresAtMs },
    ...(thingName !== undefined && { thingName }),
  };
  const credentials = makeSession(claims, { key, keys, random });
  return { result: { ...credentials, roleArn, expiresAtMs }, operations, effects: [] };
};

/** What a signer says of itself. */
export interface SessionQuestion {
  accessKeyId: string;
  sessionToken: string;
}

export type FoundSession =
  | { claims: SessionClaims; secretAccessKey: string }
  | { fault: "invalid" }
  | { fault: "expired"; expiredAtMs: number };

/** Whether session credentials are of this cloud and still good, and what their owner signs with. */
export const findSession: Operation<SessionQuestion, FoundSession> = async (context, question) => {
  const { scope, store, keys, nowMs } = context;
  const key = (await store.get<SessionKeyRecord>(roleAliasKeys.sessionKey(scope)))?.value.key;
  const session = key && readSession(question.sessionToken, { key, keys });
  // The token of one session does not make the key of another good.
  if (session === undefined || session.credentials.accessKeyId !== question.accessKeyId)
    return answer({ fault: "invalid" });
  const { claims, credentials } = session;
  if (nowMs >= claims.expiresAtMs) return answer({ fault: "expired", expiredAtMs: claims.expiresAtMs });
  return answer({ claims, secretAccessKey: credentials.secretAccessKey });
};
