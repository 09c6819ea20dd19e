import { join } from "node:path";
import type { ClaimMaterial } from "@thingline/device/provisioning";
import { isRecord, ThinglineError } from "@thingline/protocol";
import type { Files } from "@thingline/transport";
import { readCredentialFiles } from "./credentials-folder.js";

/** Beside the credentials of a claim for fleet provisioning: what it is for, and when it ends if it is temporary. */
export const claimFactsName = "claim.json";
const fileBytesMax = 16 * 1024;

export interface ClaimFacts {
  templateName: string;
  certificateId: string;
  /** Default: it does not end. */
  expiresAt?: Date;
}

export async function writeClaimFacts(files: Files, folder: string, facts: ClaimFacts): Promise<void> {
  const text = `${JSON.stringify(facts, null, 2)}\n`;
  await files.replace(join(folder, claimFactsName), new TextEncoder().encode(text));
}

/**
 * A claim from a folder that `claim temporary` or `claim create` wrote.
 *
 * @throws {ThinglineError} those of reading credentials; CREDENTIAL_MISSING without key or certificate.
 */
export async function readClaimFolder(
  files: Files,
  folder: string,
): Promise<{ claim: ClaimMaterial; templateName: string | undefined }> {
  const { ca, certificate, privateKey } = await readCredentialFiles(files, { from: folder });
  if (certificate === undefined || privateKey === undefined) {
    const item = certificate === undefined ? "certificate" : "privateKey";
    throw new ThinglineError("CREDENTIAL_MISSING", `${folder} has no ${item} of a claim`, {
      details: { folder, item },
    });
  }
  const { templateName, expiresAtUnixMs } = await readFacts(files, join(folder, claimFactsName));
  const claim = {
    ...{ certificatePem: certificate, privateKeyPem: privateKey },
    ...(ca !== undefined && { caPem: ca }),
    ...(expiresAtUnixMs !== undefined && { expiresAtUnixMs }),
  };
  return { claim, templateName };
}

async function readFacts(
  files: Files,
  path: string,
): Promise<{ templateName: string | undefined; expiresAtUnixMs: number | undefined }> {
  if (!(await files.exists(path))) return { templateName: undefined, expiresAtUnixMs: undefined };
  const bytes = await files.read(path, { bytesMax: fileBytesMax });
  let facts: unknown;
  try {
    facts = JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    facts = undefined;
  }
  const { templateName, expiresAt } = isRecord(facts) ? facts : {};
  const expiresAtUnixMs = typeof expiresAt === "string" ? Date.parse(expiresAt) : undefined;
  const isTime = expiresAt === undefined || Number.isFinite(expiresAtUnixMs);
  if (typeof templateName === "string" && isTime) return { templateName, expiresAtUnixMs };
  const message = `${path} does not say the template of a claim, and when it ends; make a new claim`;
  throw new ThinglineError("CREDENTIAL_FILE_INVALID", message, { details: { file: path } });
}
