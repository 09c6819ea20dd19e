import { checkCredentials, checkWritableTag, normalizePem, type PemLineEnds } from "@thingline/modem";
import { ThinglineError } from "@thingline/protocol";
import type { Adapters } from "../adapters.js";
import { readCredentialSource } from "../credentials-folder.js";
import { UsageError } from "../failure.js";

export interface SourceOptions {
  secTag?: number;
  from?: string;
  ca?: string;
  cert?: string;
  key?: string;
  lineEnds?: PemLineEnds;
  force?: boolean;
}

export interface PreparedCredentials {
  secTag: number;
  /** The exact texts that go to the modem. */
  credentials: { ca?: string; certificate?: string; privateKey?: string };
  /** What is not as the files have it, and what of them has no meaning, for people. */
  remarks: readonly string[];
  /** What may be meant so, and is worth a warning. */
  doubts: readonly string[];
}

const types = ["privateKey", "certificate", "ca"] as const;

/**
 * Reads credentials, brings them into the form that modems keep well, and looks into them: before any board is touched.
 *
 * @throws {UsageError} when nothing says what to write, or where.
 * @throws {ThinglineError} of files and of PEM; KEY_MISMATCH and what else no handshake would take, unless `force` is given.
 */
export async function prepareCredentials(
  { files, keys, clock }: Pick<Adapters, "files" | "keys" | "clock">,
  options: SourceOptions,
): Promise<PreparedCredentials> {
  const source = await readCredentialSource(files, options);
  if (Object.keys(source.texts).length === 0) {
    throw new UsageError("say what to write: --from FOLDER, or --ca, --cert and --key");
  }
  const secTag = options.secTag ?? source.secTag;
  if (secTag === undefined) throw new UsageError("say which security tag: --sec-tag TAG, or a secTag in Nordic's JSON");
  checkWritableTag(secTag, { force: options.force === true });
  const remarks: string[] = [];
  if (source.secTag !== undefined && source.secTag !== secTag) {
    remarks.push(`the file names security tag ${source.secTag}; --sec-tag ${secTag} goes before it`);
  }
  if (source.ignoredMembers.length > 0) remarks.push(`not for the modem: ${source.ignoredMembers.join(", ")}`);
  const credentials: PreparedCredentials["credentials"] = {};
  for (const type of types) {
    const text = source.texts[type];
    if (text === undefined) continue;
    const kind = type === "privateKey" ? "privateKey" : "certificates";
    const lineEnds = options.lineEnds ?? "lf";
    const normal = normalizePem(text.text, kind, { what: text.what, lineEnds });
    credentials[type] = normal.text;
    for (const change of normal.changes) remarks.push(`${text.what}: ${change}`);
  }
  if (options.lineEnds === "crlf") {
    remarks.push("with CR LF line ends the digests are others than those of the files, and of tools that write LF");
  }
  const { problems, doubts } = checkCredentials(credentials, { keys, nowSeconds: clock.unixMs() / 1000 });
  const [problem] = problems;
  if (problem !== undefined && options.force !== true) {
    const message = `${problem.message}; nothing was written`;
    throw new ThinglineError(problem.code, message, { details: problem.details, cause: problem });
  }
  return { secTag, credentials, remarks, doubts: [...problems.map(({ message }) => message), ...doubts] };
}
