import type { AccessKey } from "./access-keys.js";
import type { Authorization, SignatureFault } from "./sigv4.js";

/** What a signer says of itself whose credentials came with a session token. */
export interface SessionQuestion {
  accessKeyId: string;
  sessionToken: string;
}

/** The key of a session, with what it was issued for; or what is wrong with it. */
export type SessionKey = { accessKey: AccessKey; roleArn: string } | { fault: "invalid" | "expired" };

/** Looks a session up by its token. */
export type FindSessionKey = (question: SessionQuestion) => Promise<SessionKey>;

/**
 * Whether a session has to be looked up for a request. A token beside a key that is known by itself says nothing: tools for local clouds
 * send one with theirs.
 */
export function sessionQuestion(
  { accessKeyId, presigned }: Authorization,
  headers: Readonly<Record<string, string>>,
  accessKeys: readonly AccessKey[],
): SessionQuestion | undefined {
  const sessionToken = presigned === undefined ? headers["x-amz-security-token"] : presigned.sessionToken;
  if (sessionToken === undefined || accessKeys.some((key) => key.accessKeyId === accessKeyId)) return undefined;
  return { accessKeyId, sessionToken };
}

/** As AWS says it everywhere but at S3. */
export const sessionFaults: Readonly<Record<"invalid" | "expired", SignatureFault>> = {
  invalid: {
    code: "UnrecognizedClientException",
    message: "The security token included in the request is invalid.",
  },
  expired: { code: "ExpiredTokenException", message: "The security token included in the request is expired" },
};
