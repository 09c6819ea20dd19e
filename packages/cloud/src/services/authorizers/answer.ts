import { isRecord, isThinglineError, type JsonValue } from "@thingline/protocol";
import { parsePolicyDocument } from "../../policy/index.js";

/** Of one answer. @see AWS IoT developer guide, "Defining your Lambda function" */
export const answerPoliciesMax = 10;
/** Characters of one of them. */
export const answerPolicyCharactersMax = 2_048;
/** Seconds: of `disconnectAfterInSeconds` and `refreshAfterInSeconds`. */
export const answerSecondsMin = 300;
export const answerSecondsMax = 86_400;

/** What a function may answer that says yes. */
export interface Authenticated {
  isAuthenticated: true;
  principalId: string;
  /** Policy documents, as texts. */
  policyDocuments: readonly string[];
  disconnectAfterInSeconds: number;
  refreshAfterInSeconds: number;
}

export type AuthorizerAnswer = Authenticated | { isAuthenticated: false };

/**
 * Reads what the function of an authorizer answered.
 *
 * @param hasCertificate policies may come from the certificate then, and `principalId` is its id
 * @returns a text: what is wrong with it, without anything of it that could be long or secret
 */
export function readAuthorizerAnswer(answer: JsonValue, hasCertificate = false): AuthorizerAnswer | string {
  if (!isRecord(answer)) return "its answer is not an object";
  const { isAuthenticated, principalId, policyDocuments } = answer;
  if (typeof isAuthenticated !== "boolean") return "isAuthenticated is not a boolean";
  if (!isAuthenticated) return { isAuthenticated };
  if (typeof principalId !== "string" || !/^[a-zA-Z0-9]{1,128}$/.test(principalId))
    return "principalId is not a text of 1 to 128 letters and digits";
  const policies = readPolicies(policyDocuments ?? (hasCertificate ? [] : undefined));
  if (typeof policies === "string") return policies;
  const disconnect = readSeconds(answer, "disconnectAfterInSeconds");
  if (typeof disconnect === "string") return disconnect;
  const refresh = readSeconds(answer, "refreshAfterInSeconds");
  if (typeof refresh === "string") return refresh;
  return {
    ...{ isAuthenticated, principalId, policyDocuments: policies },
    ...{ disconnectAfterInSeconds: disconnect, refreshAfterInSeconds: refresh },
  };
}

function readPolicies(given: JsonValue | undefined): string[] | string {
  if (!Array.isArray(given)) return "policyDocuments is not a list";
  if (given.length > answerPoliciesMax) return `policyDocuments has more than ${answerPoliciesMax} documents`;
  const texts: string[] = [];
  for (const [at, document] of given.entries()) {
    if (typeof document !== "string" && !isRecord(document)) return `policyDocuments[${at}] is no policy document`;
    const text = typeof document === "string" ? document : JSON.stringify(document);
    if (text.length > answerPolicyCharactersMax)
      return `policyDocuments[${at}] has more than ${answerPolicyCharactersMax} characters`;
    try {
      parsePolicyDocument(text);
    } catch (error) {
      if (!isThinglineError(error, "POLICY_MALFORMED")) throw error;
      return `policyDocuments[${at}]: ${error.message}`;
    }
    texts.push(text);
  }
  return texts;
}

function readSeconds(
  answer: Readonly<Record<string, JsonValue>>,
  name: "disconnectAfterInSeconds" | "refreshAfterInSeconds",
): number | string {
  const seconds = answer[name] ?? answerSecondsMax;
  const isTaken =
    typeof seconds === "number" &&
    Number.isInteger(seconds) &&
    seconds >= answerSecondsMin &&
    seconds <= answerSecondsMax;
  return isTaken ? seconds : `${name} is not a whole number from ${answerSecondsMin} to ${answerSecondsMax}`;
}
