import { resolve } from "node:path";
import { ThinglineError } from "@thingline/protocol";
import { nodeAdapters } from "../adapters.js";
import { type Manifest, readManifest } from "./manifest.js";
import type { SourceOptions } from "./prepare.js";
import type { WriteOptions } from "./write-options.js";

/** Where credentials come from, by board. */
export interface LineSources {
  text: string;
  find(board: { imei: string; serial: string | undefined }): SourceOptions & { from?: string };
}

export async function openSources(options: WriteOptions): Promise<LineSources> {
  const { manifest, fromEach, secTag, from, ca, cert, key, lineEnds, force } = options;
  const common: SourceOptions = {
    ...(secTag !== undefined && { secTag }),
    ...(lineEnds !== undefined && { lineEnds }),
    ...(force !== undefined && { force }),
  };
  if (manifest !== undefined) {
    const listed = await readManifest(nodeAdapters().files, manifest);
    return { text: `manifest ${resolve(manifest)}`, find: (board) => fromManifest(listed, board, common, manifest) };
  }
  if (fromEach !== undefined) {
    return { text: `each ${resolve(fromEach)}`, find: (board) => ({ ...common, from: fillPattern(fromEach, board) }) };
  }
  const same = {
    ...common,
    ...(from !== undefined && { from }),
    ...(ca !== undefined && { ca }),
    ...(cert !== undefined && { cert }),
    ...(key !== undefined && { key }),
  };
  return {
    text: `all ${[from, ca, cert, key]
      .filter((each) => each !== undefined)
      .map((each) => resolve(each))
      .join(" ")}`,
    find: () => same,
  };
}

function fromManifest(
  manifest: Manifest,
  board: { imei: string; serial: string | undefined },
  common: SourceOptions,
  file: string,
): SourceOptions & { from: string } {
  const entry = manifest.find(board);
  if (entry === undefined) {
    const serial = board.serial === undefined ? "" : `, serial number ${board.serial}`;
    const message = `${file} has no board with IMEI ${board.imei}${serial}`;
    throw new ThinglineError("CREDENTIAL_MISSING", message, { details: { file } });
  }
  return { ...common, from: entry.folder, ...(entry.secTag !== undefined && { secTag: entry.secTag }) };
}

/** What a board says of itself becomes a part of a path, and leads nowhere else. */
export function fillPattern(pattern: string, board: { imei: string; serial: string | undefined }): string {
  return pattern.replaceAll(/\{(imei|serial)\}/gu, (_, name: "imei" | "serial") => {
    const text = board[name];
    if (text !== undefined && /^[\w-]{1,64}$/u.test(text)) return text;
    const what =
      text === undefined ? "the port tells no serial number" : `${JSON.stringify(text)} is no name of a folder`;
    throw new ThinglineError("CREDENTIAL_MISSING", `--from-each ${pattern}: ${what}`);
  });
}
