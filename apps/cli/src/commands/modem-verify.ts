import { createHash } from "node:crypto";
import { listBoardCredentials, readCertificateExpiry } from "@thingline/modem";
import { isThinglineError } from "@thingline/protocol";
import { parseCertificates } from "@thingline/protocol/x509";
import { nodeAdapters } from "../adapters.js";
import { describeModem, type HandOptions, type ModemAtHand, modemLine, openToLook } from "../boards/at-hand.js";
import { prepareCredentials, type SourceOptions } from "../boards/prepare.js";
import { typeWidth } from "../boards/write-one.js";
import type { CommandContext } from "../command.js";
import { exitCodes } from "../failure.js";
import type { Output } from "../output.js";

type VerifyOptions = HandOptions & Omit<SourceOptions, "force" | "lineEnds">;

const digest = (text: string) => createHash("sha256").update(text).digest("hex");

/** Other texts of the same credential that tools leave, by their digests. */
function formsOf(text: string): Map<string, string | undefined> {
  const crlf = text.replaceAll("\n", "\r\n");
  return new Map([
    [digest(text), undefined],
    [digest(crlf), "with CR LF line ends"],
    [digest(text.trimEnd()), "without its last line end"],
    [digest(crlf.trimEnd()), "with CR LF line ends, and without its last"],
  ]);
}

/** `thingline modem verify`: fails unless the tag holds exactly these credentials, be it with other line ends. */
export async function modemVerify({ output, signal }: CommandContext, options: VerifyOptions): Promise<number> {
  // Looking is allowed everywhere, and expired certificates are told below.
  const { secTag, credentials, doubts } = await prepareCredentials(nodeAdapters(), { ...options, force: true });
  await using hand = await openToLook(output, options, signal);
  if (hand === undefined) return exitCodes.failed;
  output.say(output.paint.dim(modemLine(hand, await describeModem(hand, signal))));
  const found = await listBoardCredentials(hand.session, { secTag, signal });
  let isAllThere = true;
  for (const type of ["ca", "certificate", "privateKey"] as const) {
    const text = credentials[type];
    const entry = found.find(({ name }) => name === type);
    if (text === undefined && entry === undefined) continue;
    const compared = compare(text, entry);
    isAllThere &&= compared.state === "equal" || compared.state === "notCompared";
    const fact = { event: "credentialVerified", secTag, type, ...compared };
    const word = compared.state === "equal" ? output.paint.green("equal") : wordsOf[compared.state];
    const form = compared.form === undefined ? "" : `, ${compared.form}`;
    output.event(
      fact,
      `${`${word}${form}`.padEnd(12)}  security tag ${secTag}  ${type.padEnd(typeWidth)} ${compared.foundSha256 ?? ""}`,
    );
    if (entry === undefined || type === "privateKey") continue;
    // A file says when the credential in the tag ends only where it is the same one.
    await tellExpiry(output, hand, { secTag, type, text: compared.state === "equal" ? text : undefined, signal });
  }
  for (const message of doubts) output.complain({ kind: "warning", message });
  return isAllThere ? exitCodes.done : exitCodes.failed;
}

const wordsOf = {
  differs: "another one",
  missing: "missing",
  unknown: "no digest",
  notCompared: "not compared",
} as const;

interface Compared {
  state: "equal" | "differs" | "missing" | "unknown" | "notCompared";
  /** How the modem's text differs where only line ends do. */
  form?: string | undefined;
  sha256?: string | undefined;
  foundSha256?: string | undefined;
}

function compare(text: string | undefined, entry: { sha256: string | undefined } | undefined): Compared {
  const foundSha256 = entry?.sha256;
  // A key that was made in the modem has a digest, and nobody a file of it.
  if (text === undefined) return { state: "notCompared", foundSha256 };
  const sha256 = digest(text);
  if (entry === undefined) return { state: "missing", sha256 };
  if (foundSha256 === undefined) return { state: "unknown", sha256 };
  const forms = formsOf(text);
  return forms.has(foundSha256)
    ? { state: "equal", form: forms.get(foundSha256), sha256, foundSha256 }
    : { state: "differs", sha256, foundSha256 };
}

/** Asked from the modem where its firmware tells, read from the file otherwise. */
async function tellExpiry(
  output: Output,
  hand: ModemAtHand,
  facts: { secTag: number; type: "ca" | "certificate"; text: string | undefined; signal: AbortSignal },
): Promise<void> {
  const { secTag, type, text } = facts;
  const told = await readCertificateExpiry(hand.session, secTag, type).catch((error: unknown) => {
    if (isThinglineError(error, "CREDENTIAL_REFUSED") || isThinglineError(error, "MODEM_RESPONSE_INVALID"))
      return undefined;
    throw error;
  });
  const notAfter = told?.notAfter ?? (text === undefined ? undefined : parseCertificates(text)[0].notAfter);
  if (notAfter === undefined) return;
  const day = new Date(notAfter * 1000).toISOString().slice(0, 10);
  const by = told === undefined ? "by its file" : "by the modem";
  output.event(
    { event: "certificateExpiry", secTag, type, notAfter, isToldByModem: told !== undefined },
    output.paint.dim(`              ${type} ends on ${day}, ${by}`),
  );
  if (notAfter * 1000 < nodeAdapters().clock.unixMs()) {
    const message = `the ${type} in security tag ${secTag} has expired on ${day}`;
    output.event({ event: "warning", message });
    output.complain({ kind: "warning", message });
  }
}
