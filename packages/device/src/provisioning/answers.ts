import type { IssuedCertificate, Ownership, ProvisioningProgress } from "./progress.js";
import type { ProvisioningAnswer } from "./types.js";
import { candidatesMax } from "./types.js";

type Certificate = Extract<ProvisioningAnswer, { kind: "certificate" }>;
/** A private key, by what is known of it: one that was received, or the device's own. */
type Key = Pick<Extract<ProvisioningAnswer, { kind: "key" }>, "kind" | "sha256" | "publicKey">;

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

/** A pair as it is remembered once its key lies in the device's tag. */
export function issuedOf(
  { key, certificate }: AnswerPair,
  { phase }: ProvisioningProgress,
  { secTag, unixMs }: { secTag: number; unixMs: number },
): IssuedCertificate {
  const { certificateId, pem, sha256, token } = certificate;
  const ownership: Ownership | undefined =
    token === undefined ? undefined : { token, receivedAtUnixMs: unixMs, isUsed: false };
  return {
    secTag,
    certificateId,
    certificatePem: pem,
    sha256: { certificate: sha256, privateKey: key.sha256 },
    ...(ownership && { ownership }),
    ...(phase.name === "keyReady" && { key: phase.key }),
  };
}

/** What an earlier run remembered, as the pair that it was. */
export function pairOf({ phase }: ProvisioningProgress): AnswerPair | undefined {
  if (phase.name === "issued") {
    const { certificateId, certificatePem, sha256 } = phase.issued;
    return pairFrom(certificateId, certificatePem, sha256);
  }
  if (phase.name === "writing" && phase.certificatePem !== undefined) {
    return pairFrom(phase.credentials.certificateId, phase.certificatePem, phase.credentials.sha256);
  }
  return undefined;
}

function pairFrom(certificateId: string, pem: string, sha256: { certificate: string; privateKey: string }): AnswerPair {
  return {
    key: { kind: "key", sha256: sha256.privateKey, publicKey: "" },
    certificate: { kind: "certificate", sha256: sha256.certificate, publicKey: "", certificateId, pem },
  };
}
