import {
  type ModemDescription,
  writeCredentials,
  type WriteCredentialsReport,
  type WritingStepName,
} from "@thingline/modem";
import { isThinglineError } from "@thingline/protocol";
import type { CredentialType } from "@thingline/transport";
import { nodeAdapters } from "../adapters.js";
import type { Output } from "../output.js";
import { describeModem, type ModemAtHand } from "./at-hand.js";
import type { PreparedCredentials } from "./prepare.js";
import { openProof } from "./proof.js";

export interface WriteOneOptions {
  prepared: PreparedCredentials;
  force: boolean;
  prove?: { host: string; port: number } | undefined;
  scratchTag?: number | undefined;
  signal: AbortSignal;
  onStep?: ((step: WritingStepName, secTag: number) => void) | undefined;
}

export interface WrittenBoard {
  description: ModemDescription;
  report: WriteCredentialsReport;
}

/** Writes prepared credentials to one modem. @throws {ThinglineError} what is known before the first write. */
export async function writeOne(hand: ModemAtHand, options: WriteOneOptions): Promise<WrittenBoard> {
  const { prepared, force, prove, scratchTag, signal, onStep } = options;
  const { keys, clock } = nodeAdapters();
  const description = await describeModem(hand, signal);
  await using proof = prove === undefined ? undefined : await openProof(hand, prove);
  const { secTag, credentials } = prepared;
  const plan = { secTag, credentials, force, ...(scratchTag !== undefined && { scratchTag }) };
  const report = await writeCredentials(hand.session, plan, {
    ...{ keys, clock, signal },
    ...(proof !== undefined && { prove: proof.prove }),
    ...(onStep !== undefined && { onStep }),
  });
  return { description, report };
}

const stepWords: Readonly<Record<WritingStepName, string>> = {
  look: "looking at the modem",
  offline: "taking the modem offline",
  write: "writing",
  verify: "comparing digests",
  prove: "waiting for the network, and connecting with",
  restore: "putting the modem back as it was",
};

export function stepText(step: WritingStepName, secTag: number): string {
  return `${stepWords[step]}${secTag < 0 || step === "offline" ? "" : ` security tag ${secTag}`}`;
}

export const typeWidth = 11;
const digestOf = (sha256: string | undefined) =>
  sha256 === undefined ? "the firmware tells no digest" : `SHA-256 ${sha256}`;

/** Tells people and programs what came of a write: what is in the tag, in every case. */
export function tellReport(output: Output, { report }: WrittenBoard): void {
  const { secTag, items, result, isProved, oldCredentials, leftInScratchTag, modem } = report;
  for (const { type, state, isWritten, sha256, foundSha256 } of items) {
    if (result !== "failed") {
      const facts = { secTag, type, sha256 };
      const line = `security tag ${secTag}  ${type.padEnd(typeWidth)} ${digestOf(foundSha256)}`;
      if (isWritten)
        output.event({ event: "credentialWritten", ...facts }, `${output.paint.green("written")}  ${line}`);
      else output.event({ event: "credentialUnchanged", ...facts }, `kept     ${line}`);
      continue;
    }
    const word = { equal: "as wanted", differs: "another one", missing: "none", unknown: "not known" }[state];
    output.event(
      { event: "credentialState", secTag, type, state, sha256, foundSha256 },
      `now     security tag ${secTag}  ${type.padEnd(typeWidth)} ${word}`,
    );
  }
  const ended = { event: "modemWritten", secTag, result, isProved, oldCredentials, leftInScratchTag, modem };
  output.event(ended, isProved === true ? `${output.paint.green("proved")}   they connect` : undefined);
  if (result === "failed" && oldCredentials === "kept") output.say("What the tag held before is all there still.");
  if (oldCredentials === "putBack") output.say("The certificates that the tag held before were put back.");
  const warn = (message: string) => {
    output.event({ event: "warning", message });
    output.complain({ kind: "warning", message });
  };
  if (leftInScratchTag !== undefined) {
    warn(
      `security tag ${leftInScratchTag}, in which they waited for their proof, was not cleared; the next run clears it`,
    );
  }
  if (modem !== undefined && !modem.isRestored) {
    warn(
      `the modem was in functional mode ${modem.functionalMode}, and may be in another one now: AT+CFUN=${modem.functionalMode}`,
    );
  }
}

/**
 * Whether the tag has a key and a certificate that belong together, as far as that can be seen: a simulated modem's folder shows it, and a
 * board lets certificates be read.
 */
export async function isPair(
  { secTag, credentials }: PreparedCredentials,
  readCertificate: (secTag: number, type: CredentialType) => Promise<string | undefined>,
): Promise<boolean> {
  const { certificate, privateKey } = credentials;
  if (privateKey === undefined || certificate !== undefined) return true;
  const { keys } = nodeAdapters();
  try {
    const stored = await readCertificate(secTag, "certificate");
    if (stored === undefined) return true;
    const [ofKey, ofCertificate] = [keys.publicKeyOf(privateKey), keys.certificatePublicKey(stored)];
    return ofKey.length === ofCertificate.length && ofKey.every((byte, at) => byte === ofCertificate[at]);
  } catch (error) {
    if (isThinglineError(error)) return true;
    throw error;
  }
}

/** The same of a folder that no modem has open. */
export async function isPairInFolder(modemDir: string, secTag: number): Promise<boolean> {
  const { openCredentialFolder } = await import("@thingline/modem/simulator");
  const { files, keys, random } = nodeAdapters();
  await using folder = await openCredentialFolder({ files, keys, random, folder: modemDir });
  return folder.isPair(secTag);
}
