import { openCredentialFolder, createSimulatedModem, type CredentialFolder } from "@thingline/modem/simulator";
import { isThinglineError, ThinglineError } from "@thingline/protocol";
import { describeCmeError, describeCmsError, parseFinalResult } from "@thingline/protocol/at";
import type { CredentialType } from "@thingline/transport";
import { nodeAdapters } from "../adapters.js";
import type { CommandContext } from "../command.js";
import { requireUsable, warnOfDoubts } from "../credential-checks.js";
import { readCredentialFiles, type CredentialTexts } from "../credentials-folder.js";
import { exitCodes, UsageError } from "../failure.js";
import { commandLine, unlessDefault } from "../invocation.js";
import { shortenIds } from "../log.js";
import { type DoorOptions, namesDoor, openModemDoor } from "../modem-door.js";
import { defaultModemDir } from "../option-values.js";
import type { Output } from "../output.js";

interface ModemOptions {
  modemDir: string;
}

type AtOptions = ModemOptions & DoorOptions;

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
export async function modemWrite({ output }: CommandContext, options: WriteOptions): Promise<void> {
  const { files, keys, clock } = nodeAdapters();
  const texts = await readCredentialFiles(files, options);
  if (Object.keys(texts).length === 0) {
    throw new UsageError("say what to write: --from FOLDER, or --ca, --cert and --key");
  }
  if (options.force !== true) requireUsable(texts, keys, { outcome: "; nothing was written" });
  warnOfDoubts(output, texts, clock);
  await using folder = await openFolder(options.modemDir);
  for (const type of writeOrder) {
    const content = texts[type];
    if (content === undefined) continue;
    await folder.write(options.secTag, type, content);
    if (!(await folder.compare(options.secTag, type, content))) {
      const message = `${type} of security tag ${options.secTag} reads back differently`;
      throw new ThinglineError("CREDENTIAL_NOT_VERIFIED", message, { details: { secTag: options.secTag, item: type } });
    }
    const sha256 = (await folder.digest(options.secTag, type)) ?? "";
    output.event(
      { event: "credentialWritten", secTag: options.secTag, type, sha256 },
      `${output.paint.green("written")}  security tag ${options.secTag}  ${type.padEnd(11)}  SHA-256 ${shortenIds(sha256)}`,
    );
  }
  if (await folder.isPair(options.secTag)) return;
  const message = `the private key in security tag ${options.secTag} does not belong to the certificate that is there now`;
  output.event({ event: "warning", code: "KEY_MISMATCH", message });
  output.complain({ kind: "warning", message, code: "KEY_MISMATCH" });
}

/** Looking must not make a modem: the name of the folder may be mistyped. */
async function openExistingFolder(output: Output, modemDir: string): Promise<CredentialFolder | undefined> {
  if ((await nodeAdapters().files.list(modemDir)).length > 0) return openFolder(modemDir);
  output.say(`there is no simulated modem in ${modemDir}; writing credentials makes one:`);
  output.say(
    `  ${commandLine(["modem", "write", "--sec-tag", "43", "--from", "FOLDER", ...unlessDefault("--modem-dir", modemDir, defaultModemDir)])}`,
  );
  return undefined;
}

/** `thingline modem list` */
export async function modemList(
  { output }: CommandContext,
  options: ModemOptions & { secTag?: number },
): Promise<void> {
  await using folder = await openExistingFolder(output, options.modemDir);
  if (folder === undefined) return;
  const entries = (await folder.list()).filter(
    ({ secTag }) => options.secTag === undefined || secTag === options.secTag,
  );
  const tagWidth = Math.max(0, ...entries.map(({ secTag }) => String(secTag).length));
  output.say(output.paint.dim(`simulated nRF91, IMEI ${folder.identity.imei}, folder ${options.modemDir}`));
  for (const entry of entries) {
    output.event(
      { event: "credential", ...entry },
      `${String(entry.secTag).padStart(tagWidth)} ${entry.type.padEnd(11)} ${entry.sha256}`,
    );
  }
  if (entries.length > 0) return;
  output.say(options.secTag === undefined ? "no credentials" : `no credentials under security tag ${options.secTag}`);
}

/** `thingline modem delete` */
export async function modemDelete(
  { output }: CommandContext,
  options: ModemOptions & { secTag: number; type?: CredentialType },
): Promise<void> {
  await using folder = await openExistingFolder(output, options.modemDir);
  if (folder === undefined) return;
  const entries = (await folder.list()).filter(
    ({ secTag, type }) => secTag === options.secTag && (options.type === undefined || type === options.type),
  );
  for (const { secTag, type } of entries) {
    await folder.delete(secTag, type);
    output.event({ event: "credentialDeleted", secTag, type }, `deleted  security tag ${secTag}  ${type}`);
  }
  if (entries.length === 0) output.say(`nothing to delete under security tag ${options.secTag}`);
}

/**
 * `thingline modem at COMMAND`: to the modem behind `--port` or `--tcp`; without them it boots the simulated modem on its folder, in
 * functional mode 0, for one command.
 */
export async function modemAt(context: CommandContext, options: AtOptions, command = ""): Promise<number> {
  if (command.trim() === "") throw new UsageError("say which AT command, for example 'AT%CMNG=1'");
  if (namesDoor(options)) return atBehindDoor(context, options, command);
  const { network, clock, random, files, keys } = nodeAdapters();
  await using modem = await createSimulatedModem({ network, clock, random, files, keys, folder: options.modemDir });
  const answer = await modem.at(command);
  return showAnswer(
    context.output,
    command,
    answer.split("\r\n").filter((line) => line !== ""),
  );
}

async function atBehindDoor({ output, signal }: CommandContext, options: AtOptions, command: string): Promise<number> {
  await using door = await openModemDoor(options, signal);
  try {
    return showAnswer(output, command, [...(await door.session.command(command, { signal })), "OK"]);
  } catch (error) {
    if (!isThinglineError(error, "MODEM_COMMAND_REJECTED")) throw error;
    const { cme, cms } = error.details;
    const final = cme !== undefined ? `+CME ERROR: ${cme}` : cms !== undefined ? `+CMS ERROR: ${cms}` : "ERROR";
    return showAnswer(output, command, [final]);
  }
}

function showAnswer(output: Output, command: string, lines: readonly string[]): number {
  // Only the command's name: what follows may be a key.
  output.event({ event: "answer", command: command.split(/[="]/)[0], lines }, lines.join("\n"));
  const result = parseFinalResult(lines.at(-1) ?? "");
  if (result?.type === "cmeError") output.say(output.paint.dim(describeCmeError(result.code)));
  if (result?.type === "cmsError") output.say(output.paint.dim(describeCmsError(result.code)));
  return result?.type === "ok" ? exitCodes.done : exitCodes.failed;
}
