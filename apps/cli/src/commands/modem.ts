import { join } from "node:path";
import { openCredentialFolder, createSimulatedModem, type CredentialFolder } from "@thingline/modem/simulator";
import { ThinglineError } from "@thingline/protocol";
import type { CredentialType } from "@thingline/transport";
import { nodeAdapters } from "../adapters.js";
import { readCredentialFiles, type CredentialTexts } from "../credentials-folder.js";
import { UsageError } from "../failure.js";
import type { Output } from "../output.js";

interface ModemOptions {
  modemDir: string;
}

interface WriteOptions extends ModemOptions {
  secTag: number;
  from?: string;
  ca?: string;
  cert?: string;
  key?: string;
  force?: boolean;
}

/** The order of the sample: the key first, so that a tag with a CA is a tag that was written to the end. */
const writeOrder: readonly (keyof CredentialTexts)[] = ["privateKey", "certificate", "ca"];

function openFolder(modemDir: string): Promise<CredentialFolder> {
  const { files, keys, random } = nodeAdapters();
  return openCredentialFolder({ files, keys, random, folder: modemDir });
}

/** `thingline modem write` */
export async function modemWrite(output: Output, options: WriteOptions): Promise<void> {
  const { files, keys } = nodeAdapters();
  const texts = await readCredentialFiles(files, options);
  if (Object.keys(texts).length === 0) {
    throw new UsageError("say what to write: --from FOLDER, or --ca, --cert and --key");
  }
  if (texts.certificate !== undefined && texts.privateKey !== undefined && options.force !== true) {
    assertPair(keys, { certificate: texts.certificate, privateKey: texts.privateKey });
  }
  await using folder = await openFolder(options.modemDir);
  for (const type of writeOrder) {
    const content = texts[type];
    if (content === undefined) continue;
    await folder.write(options.secTag, type, content);
    if (!(await folder.compare(options.secTag, type, content))) {
      throw new ThinglineError(
        "CREDENTIAL_REFUSED",
        `${type} of security tag ${options.secTag} reads back differently`,
      );
    }
    const sha256 = await folder.digest(options.secTag, type);
    output.event(
      { event: "credentialWritten", secTag: options.secTag, type, sha256 },
      `${output.paint.green("written")} security tag ${options.secTag}  ${type.padEnd(11)}  SHA-256 ${sha256}`,
    );
  }
}

function assertPair(
  keys: { publicKeyOf(pem: string): Uint8Array; certificatePublicKey(pem: string): Uint8Array },
  pair: { certificate: string; privateKey: string },
): void {
  const ofKey = keys.publicKeyOf(pair.privateKey);
  const ofCertificate = keys.certificatePublicKey(pair.certificate);
  if (ofKey.length === ofCertificate.length && ofKey.every((byte, at) => byte === ofCertificate[at])) return;
  throw new ThinglineError("KEY_MISMATCH", "the private key does not belong to the certificate; nothing was written");
}

/** `thingline modem list` */
export async function modemList(output: Output, options: ModemOptions & { secTag?: number }): Promise<void> {
  await using folder = await openFolder(options.modemDir);
  const entries = (await folder.list()).filter(
    ({ secTag }) => options.secTag === undefined || secTag === options.secTag,
  );
  output.say(output.paint.dim(`simulated nRF91, IMEI ${folder.identity.imei}, folder ${options.modemDir}`));
  for (const entry of entries) {
    output.event(
      { event: "credential", ...entry },
      `${String(entry.secTag).padStart(10)}  ${entry.type.padEnd(11)}  ${entry.sha256}`,
    );
  }
  if (entries.length === 0)
    output.say("no credentials; write some with: thingline modem write --sec-tag 43 --from FOLDER");
}

/** `thingline modem delete` */
export async function modemDelete(
  output: Output,
  options: ModemOptions & { secTag: number; type?: CredentialType },
): Promise<void> {
  await using folder = await openFolder(options.modemDir);
  const entries = (await folder.list()).filter(
    ({ secTag, type }) => secTag === options.secTag && (options.type === undefined || type === options.type),
  );
  for (const { secTag, type } of entries) {
    await folder.delete(secTag, type);
    output.event({ event: "credentialDeleted", secTag, type }, `deleted security tag ${secTag} ${type}`);
  }
  if (entries.length === 0) output.say(`nothing is stored under security tag ${options.secTag}`);
}

/** `thingline modem at COMMAND`: boots the simulated modem on its folder, in functional mode 0, for one command. */
export async function modemAt(output: Output, options: ModemOptions, command = ""): Promise<number> {
  const { network, clock, random, files, keys } = nodeAdapters();
  await files.makeFolder(options.modemDir);
  await using modem = await createSimulatedModem({ network, clock, random, files, keys, folder: options.modemDir });
  const answer = await modem.at(command);
  const lines = answer.split("\r\n").filter((line) => line !== "");
  output.event({ event: "answer", command: command.split(/[="]/)[0], lines }, lines.join("\n"));
  return lines.at(-1) === "OK" ? 0 : 1;
}

export type { CredentialTexts };

/** Where provisioning progress is kept unless the user says otherwise: it belongs to the device that has the modem. */
export function defaultStateFolder(modemDir: string): string {
  return join(modemDir, "device");
}
