import { createHash } from "node:crypto";
import { listBoardCredentials, type WriteCredentialsReport } from "@thingline/modem";
import { isRecord } from "@thingline/protocol";
import { type DeviceFailure, isDeviceFailure, isOptionalText } from "../batch/result.js";
import type { ModemAtHand } from "./at-hand.js";
import type { PreparedCredentials } from "./prepare.js";

/** One credential of a board at the end. */
export interface BoardItem {
  readonly type: string;
  readonly state: "equal" | "differs" | "missing" | "unknown";
  /** Of what was wanted there. */
  readonly sha256: string;
}

/** What became of one board of a line. */
export interface BoardResult {
  /** Its IMEI; its port where it never told one. */
  readonly name: string;
  readonly port: string;
  readonly imei?: string | undefined;
  readonly model?: string | undefined;
  readonly firmware?: string | undefined;
  readonly secTag?: number | undefined;
  /** The folder or file that the credentials came from. */
  readonly source?: string | undefined;
  /** `unchanged`: all was there already, compared by digest. */
  readonly result: "written" | "unchanged" | "failed";
  readonly isProved?: boolean | undefined;
  /** Where that was tried: `HOST:PORT`. */
  readonly prove?: string | undefined;
  readonly items: readonly BoardItem[];
  readonly durationMs: number;
  readonly failure?: DeviceFailure | undefined;
}

/** Ports of one call. */
export const boardsMax = 256;

export function itemsOf({ items }: WriteCredentialsReport): BoardItem[] {
  return items.map(({ type, state, sha256 }) => ({ type, state, sha256 }));
}

/** The credentials by digest, when the board has every one of them; undefined when it has not. */
export async function heldItems(
  { session }: Pick<ModemAtHand, "session">,
  { secTag, credentials }: PreparedCredentials,
  signal: AbortSignal,
): Promise<BoardItem[] | undefined> {
  const found = await listBoardCredentials(session, { secTag, signal });
  const items: BoardItem[] = [];
  for (const [type, text] of Object.entries(credentials)) {
    const sha256 = createHash("sha256").update(text).digest("hex");
    if (found.find(({ name }) => name === type)?.sha256 !== sha256) return undefined;
    items.push({ type, state: "equal", sha256 });
  }
  return items;
}

/** Of a value from a file, which may be damaged: all that a report shows is what it should be. */
export function isBoardResult(value: unknown): value is BoardResult {
  if (!isRecord(value)) return false;
  const { name, port, imei, model, firmware, secTag, source, result, isProved, prove, items, durationMs, failure } =
    value;
  return (
    [name, port].every((each) => typeof each === "string") &&
    [imei, model, firmware, source, prove].every(isOptionalText) &&
    (secTag === undefined || Number.isInteger(secTag)) &&
    ["written", "unchanged", "failed"].includes(String(result)) &&
    (isProved === undefined || typeof isProved === "boolean") &&
    Array.isArray(items) &&
    items.every(isBoardItem) &&
    Number.isFinite(durationMs) &&
    (failure === undefined || isDeviceFailure(failure))
  );
}

function isBoardItem(value: unknown): value is BoardItem {
  if (!isRecord(value)) return false;
  const { type, state, sha256 } = value;
  const isState = ["equal", "differs", "missing", "unknown"].includes(String(state));
  return typeof type === "string" && isState && typeof sha256 === "string";
}
