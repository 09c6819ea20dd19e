import { join } from "node:path";
import { issueThing, type IssuedThing } from "@thingline/cloud/issue";
import {
  checkWritableTag,
  generateModemKey,
  listBoardCredentials,
  type BoardCredential,
  type ModemDescription,
} from "@thingline/modem";
import { bytesEqual, ThinglineError } from "@thingline/protocol";
import { parseCertificateRequest } from "@thingline/protocol/x509";
import { makePrivateFolder } from "@thingline/transport";
import { iotSdk } from "../aws-sdk.js";
import { nodeAdapters } from "../adapters.js";
import { describeModem, holdUntilRestored, type ModemAtHand, modemLine, openModemAtHand } from "../boards/at-hand.js";
import { type BoardFile, boardFileName, readBoardFile, requestFileName, writeBoardFile } from "../boards/board-file.js";
import { prepareCredentials } from "../boards/prepare.js";
import { openProof } from "../boards/proof.js";
import { stepText, tellReport, writeOne } from "../boards/write-one.js";
import type { CommandContext } from "../command.js";
import { type ControlPlane, openControlPlane } from "../control-plane.js";
import { credentialFileNames } from "../credentials-folder.js";
import { exitCodes } from "../failure.js";
import { commandLine, unlessDefault } from "../invocation.js";
import { shortenIds } from "../log.js";
import { type DoorOptions, doorWords } from "../door-options.js";
import { defaultDataDir, defaultModemDir } from "../option-values.js";
import type { Output } from "../output.js";
import { issuingPlane } from "../registry.js";
import { readTextFile } from "../text-file.js";
import { assertOutIsFree, type CreateOptions, defaultThingSecTag, withProgress, writeIssued } from "./thing.js";

export interface BoardCreateOptions extends CreateOptions, DoorOptions {
  /** The key is made in the modem, and stays there. */
  csr?: boolean;
  /** With `csr`: also where the tag holds a key. */
  replace?: boolean;
  /** False by `--no-prove`; undefined: where it is possible. */
  prove?: boolean;
}

/** What the steps share. */
interface Creation {
  context: CommandContext;
  options: BoardCreateOptions;
  name: string;
  secTag: number;
  folder: string;
  plane: ControlPlane;
  hand: ModemAtHand;
  description: ModemDescription;
}

const requestBytesMax = 64 * 1024;

/**
 * `thingline thing create NAME --port PORT`: thing, certificate and policy, written to the board, verified, proved. What was done is in the
 * folder, so that the same command goes on after a failure.
 */
export async function thingCreateOnBoard(
  context: CommandContext,
  options: BoardCreateOptions,
  name: string,
): Promise<number> {
  const { output, signal } = context;
  const secTag = options.secTag ?? defaultThingSecTag;
  checkWritableTag(secTag, { force: options.force === true });
  const plane = await openControlPlane({ aws: options.aws === true, dataDir: options.dataDir, signal });
  // The board is asked before anything is made: an empty socket must not cost a certificate.
  await using hand = await openModemAtHand({ ...options, modemDir: defaultModemDir }, signal);
  const description = await describeModem(hand, signal);
  output.say(output.paint.dim(modemLine(hand, description)));
  const prove = await proofOf(hand, plane, options);
  const creation: Creation = { context, options, name, secTag, folder: options.out ?? name, plane, hand, description };
  const before = await findEarlier(creation);
  try {
    const board = before?.certificateId === undefined ? await issueFor(creation, before) : before;
    await requireCertificate(creation, board);
    return await writeToBoard(creation, board, prove);
  } catch (error) {
    await sayHowToGoOn(creation);
    throw error;
  }
}

/** Where the modem can connect, and the server may be in its reach: a modem on a carrier's network knows no `localhost` of ours. */
async function proofOf(
  hand: ModemAtHand,
  { device }: ControlPlane,
  { prove }: BoardCreateOptions,
): Promise<{ host: string; port: number } | undefined> {
  if (prove === false) return undefined;
  const isNear = ["localhost", "127.0.0.1", "::1"].includes(device.host);
  if (prove === undefined && (hand.probe?.kind !== "serialModem" || isNear)) return undefined;
  // Says by name what a board without sockets lacks, while nothing is made yet.
  await using _proof = await openProof(hand, device);
  return device;
}

/** What an earlier run of the same command has left. @throws {ThinglineError} FILE_EXISTS when the folder is of something else. */
async function findEarlier({ options, name, secTag, folder, description }: Creation): Promise<BoardFile | undefined> {
  const { files } = nodeAdapters();
  const found = options.force === true ? undefined : await readBoardFile(files, folder);
  if (found === undefined) {
    await assertOutIsFree(options, name);
    return undefined;
  }
  // Of two boards that both tell no IMEI nobody knows whether they are one.
  const isSameBoard = found.imei !== "" && found.imei === description.imei;
  const isSame = found.thingName === name && isSameBoard && found.secTag === secTag;
  const isOfModem = found.keySha256 !== undefined;
  if (isSame && isOfModem === (options.csr === true)) return found;
  const what = isSame
    ? `with a key made ${isOfModem ? "in the modem" : "in the cloud"}`
    : `of thing ${found.thingName}, security tag ${found.secTag}, on the board with IMEI ${found.imei}`;
  const message = `${folder} has credentials ${what}; choose another --out, or --force to write into it`;
  throw new ThinglineError("FILE_EXISTS", message, { details: { folder } });
}

/** Thing, certificate and policy; the folder with what there is of them. */
async function issueFor(creation: Creation, before: BoardFile | undefined): Promise<BoardFile> {
  const { context, options, name, secTag, folder, plane, description } = creation;
  const { output, signal } = context;
  const { files } = nodeAdapters();
  const { imei } = description;
  const request = options.csr === true ? await requestFromModem(creation, before) : undefined;
  if (request === undefined) {
    // First of all, so that a folder that a cut leaves half full is known to the same command.
    await makePrivateFolder(files, folder);
    await writeBoardFile(files, folder, { thingName: name, imei, secTag });
  }
  const keep = async (issued: IssuedThing): Promise<BoardFile> => {
    const { certificateId } = issued;
    await writeIssued(plane, { ...options, force: true }, { name, clientId: name, issued, secTag });
    const board = { thingName: name, imei, secTag, keySha256: request?.keySha256, certificateId };
    await writeBoardFile(files, folder, board);
    tellIssued(output, { issued, name, secTag, folder, plane });
    return board;
  };
  return withProgress(output, `creating thing ${name} in the ${plane.description}`, async () =>
    issueThing(await issuingPlane(plane.client), name, {
      policyName: options.policy,
      thingTypeName: options.type,
      billingGroupName: options.billingGroup,
      signal,
      onLeftOver: (message) => output.complain({ kind: "warning", message }),
      keep,
      ...(request !== undefined && {
        ownKey: async () => ({ certificateSigningRequest: request.pem }),
      }),
    }),
  );
}

function tellIssued(
  output: Output,
  facts: { issued: IssuedThing; name: string; secTag: number; folder: string; plane: ControlPlane },
): void {
  const { issued, name, secTag, folder, plane } = facts;
  const { host, port } = plane.device;
  const { thingArn, isNew, certificateId, certificateArn, policyName } = issued;
  output.event(
    {
      event: "thingCreated",
      ...{ thingName: name, thingArn, isNew, certificateId, certificateArn, policyName, endpoint: `${host}:${port}` },
      ...{ secTag, folder },
    },
    [
      `${output.paint.green("created")}  thing ${name} in the ${plane.description}${isNew ? "" : " (it was there: one certificate more)"}`,
      `         certificate ${shortenIds(certificateId)}, policy ${policyName}, folder ${folder}`,
    ].join("\n"),
  );
}

/** The request of the key in the modem: of the one that an earlier run had made, while it is still there, or of a new one. */
async function requestFromModem(
  { context, options, name, secTag, folder, hand, description }: Creation,
  before: BoardFile | undefined,
): Promise<{ pem: string; keySha256: string }> {
  const { output, signal } = context;
  const { files, keys } = nodeAdapters();
  const path = join(folder, requestFileName);
  const [stored] = await storedKeys(hand, secTag, signal);
  if (stored?.sha256 !== undefined && stored.sha256 === before?.keySha256 && (await files.exists(path))) {
    return { pem: await readTextFile(files, path, { bytesMax: requestBytesMax }), keySha256: stored.sha256 };
  }
  await makePrivateFolder(files, folder);
  const replace = options.replace === true || before !== undefined;
  // Before the key is made: of one whose request is lost by a cut, the next run has to know that it may go.
  if (replace || stored === undefined) {
    await writeBoardFile(files, folder, { thingName: name, imei: description.imei, secTag, keySha256: "" });
  }
  using _held = holdUntilRestored(context);
  const status = output.status();
  status.show(`the modem makes a key in security tag ${secTag}`, true);
  const made = await generateModemKey(hand.session, {
    ...{ secTag, keys, attributes: `CN=${name}`, replace, force: options.force === true, signal },
  }).finally(() => status.end());
  const pem = made.requestPem ?? "";
  const keySha256 = (await storedKeys(hand, secTag, signal))[0]?.sha256 ?? "";
  await files.replace(path, new TextEncoder().encode(pem), { mode: 0o644 });
  await writeBoardFile(files, folder, { thingName: name, imei: description.imei, secTag, keySha256 });
  output.event(
    { event: "keyGenerated", secTag, subject: made.subject, replaced: made.replaced, file: path },
    `${output.paint.green("made")}     a private key in security tag ${secTag}, which never leaves the modem`,
  );
  return { pem, keySha256 };
}

/** One, or none. */
async function storedKeys(hand: ModemAtHand, secTag: number, signal: AbortSignal): Promise<BoardCredential[]> {
  const entries = await listBoardCredentials(hand.session, { secTag, signal });
  return entries.filter(({ name }) => name === "privateKey");
}

/** A key that was made in the modem since is none that the certificate is of; no digest of it tells nothing. */
async function requireSameKey(
  { context, secTag, hand, folder }: Creation,
  { keySha256 = "" }: BoardFile,
): Promise<void> {
  const [stored] = await storedKeys(hand, secTag, context.signal);
  if (keySha256 === "" || stored?.sha256 === keySha256 || (stored !== undefined && stored.sha256 === undefined)) return;
  const what = stored === undefined ? "has no key any more" : "has another key than the one";
  const message = `security tag ${secTag} ${what} that the certificate in ${folder} was made for: --force --replace makes both anew`;
  throw new ThinglineError("KEY_MISMATCH", message, { details: { secTag } });
}

/** A certificate of an earlier run may have been deleted or switched off since. */
async function requireCertificate(
  { context, plane, folder }: Creation,
  { certificateId = "" }: BoardFile,
): Promise<void> {
  const sdk = iotSdk();
  const { certificateDescription } = await plane.client.send(new sdk.DescribeCertificateCommand({ certificateId }), {
    abortSignal: context.signal,
  });
  const status = certificateDescription?.status;
  if (status === "ACTIVE") return;
  const message = `the certificate of ${folder} is ${status ?? "of unknown status"} in the ${plane.description}: --force makes another`;
  throw new ThinglineError("CERTIFICATE_STATE_INVALID", message, { details: { certificateId } });
}

async function writeToBoard(
  creation: Creation,
  board: BoardFile,
  prove: { host: string; port: number } | undefined,
): Promise<number> {
  const { context, options, secTag, folder, hand } = creation;
  const { output, signal } = context;
  const adapters = nodeAdapters();
  const ca = join(folder, credentialFileNames.caPem);
  const cert = join(folder, credentialFileNames.certificatePem);
  const key = options.csr === true ? {} : { key: join(folder, credentialFileNames.privateKeyPem) };
  const prepared = await prepareCredentials(adapters, { secTag, ca, cert, ...key, force: options.force === true });
  if (options.csr === true) {
    await requireOwnRequest(folder, prepared.credentials.certificate ?? "");
    await requireSameKey(creation, board);
  }
  using _held = holdUntilRestored(context);
  const status = output.status();
  const written = await writeOne(hand, {
    ...{ prepared, prove, signal, force: options.force === true },
    onStep: (step, tag) => status.show(stepText(step, tag), true),
  }).finally(() => status.end());
  tellReport(output, written);
  const { failure, modem } = written.report;
  if (failure !== undefined) throw failure;
  if (prove === undefined) output.say(output.paint.dim(`not proved: ${whyNotProved(creation)}`));
  const hasSockets = hand.probe?.kind === "serialModem";
  if (hasSockets) {
    const words = ["device", "run", "--conf", join(folder, "prj.conf"), ...doorWords(options)];
    output.say(`Next, as a device that stays connected:\n  ${commandLine(words)}`);
  }
  return modem?.isRestored === true ? exitCodes.done : exitCodes.failed;
}

function whyNotProved({ options, plane, hand }: Creation): string {
  if (options.prove === false) return "--no-prove";
  return hand.probe?.kind === "serialModem"
    ? `a modem on a carrier's network does not reach ${plane.device.host}; --prove connects, as a simulated one can`
    : "what runs on the board has no sockets to connect with; Nordic's serial modem application has";
}

/** The certificate must be of the key that the request came from: nobody can compare it with the key itself. */
async function requireOwnRequest(folder: string, certificatePem: string): Promise<void> {
  const { files, keys } = nodeAdapters();
  const request = await readTextFile(files, join(folder, requestFileName), { bytesMax: requestBytesMax });
  const { publicKey } = parseCertificateRequest(request);
  if (bytesEqual(publicKey, keys.certificatePublicKey(certificatePem))) return;
  throw new ThinglineError("KEY_MISMATCH", `the certificate in ${folder} is not of the key that the modem made`);
}

/** Also what exists in the cloud by now, which nobody should have to find. */
async function sayHowToGoOn({ context, options, name, secTag, folder }: Creation): Promise<void> {
  const { output } = context;
  const { files } = nodeAdapters();
  const found = await readBoardFile(files, folder).catch(() => undefined);
  const isKept = found?.keySha256 !== undefined || found?.certificateId !== undefined;
  if (found === undefined || !isKept) {
    if (found !== undefined) await files.remove(join(folder, boardFileName));
    return output.say("Nothing was kept: thing and certificate were taken back, or never made.");
  }
  const words = [
    ...["thing", "create", name, ...doorWords(options), "--sec-tag", String(secTag)],
    ...(options.csr === true ? ["--csr"] : []),
    ...(options.policy === undefined ? [] : ["--policy", options.policy]),
    ...(options.prove === undefined ? [] : [options.prove ? "--prove" : "--no-prove"]),
    ...(options.aws === true ? ["--aws"] : []),
    ...unlessDefault("--data-dir", options.dataDir, defaultDataDir),
    ...(options.out === undefined ? [] : ["--out", options.out]),
  ];
  const exists =
    found.certificateId === undefined
      ? found.keySha256 === ""
        ? "There may be a key in the modem whose request is lost; another one is made in its place."
        : `There is a key in the modem, and its request in ${folder}.`
      : `There are thing ${name} and certificate ${shortenIds(found.certificateId)} in the cloud, and their files in ${folder}.`;
  output.event(
    { event: "canGoOn", thingName: name, certificateId: found.certificateId, folder, command: words.join(" ") },
    `${exists}\nThe same command goes on from there:\n  ${commandLine(words)}`,
  );
}
