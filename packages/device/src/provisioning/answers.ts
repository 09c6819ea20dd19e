import type { ProvisioningAnswer } from "./types.js";
import { candidatesMax } from "./types.js";

type Key = Extract<ProvisioningAnswer, { kind: "key" }>;
type Certificate = Extract<ProvisioningAnswer, { kind: "certificate" }>;

/** Keys and certificates that came in any order, perhaps of several requests, some of them twice. */
export interface Answers {
  keys: readonly Key[];
  certificates: readonly Certificate[];
}

export interface AnswerPair {
  key: Key;
  certificate: Certificate;
}

export const noAnswers: Answers = { keys: [], certificates: [] };

/** Adds an answer; the oldest is dropped when there are too many. Undefined: it was there already. */
export function addAnswer(answers: Answers, answer: Key | Certificate): Answers | undefined {
  if (answer.kind === "key") {
    const keys = added(answers.keys, answer);
    return keys && { ...answers, keys };
  }
  const certificates = added(answers.certificates, answer);
  return certificates && { ...answers, certificates };
}

function added<Item extends { sha256: string }>(items: readonly Item[], item: Item): readonly Item[] | undefined {
  if (items.some(({ sha256 }) => sha256 === item.sha256)) return undefined;
  return [...items, item].slice(-candidatesMax);
}

/** The first key and certificate with the same public key. */
export function matchAnswers({ keys, certificates }: Answers): AnswerPair | undefined {
  for (const certificate of certificates) {
    const key = keys.find(({ publicKey }) => publicKey === certificate.publicKey);
    if (key) return { key, certificate };
  }
  return undefined;
}
