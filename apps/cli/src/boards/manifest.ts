import { dirname, resolve } from "node:path";
import { isRecord, ThinglineError } from "@thingline/protocol";
import type { Files } from "@thingline/transport";
import { readTextFile } from "../text-file.js";

/** Which credentials a board gets. */
export interface ManifestEntry {
  /** A folder of `thing create`, or a `.json` of Nordic's. */
  folder: string;
  secTag?: number | undefined;
}

/** A line's boards, by IMEI or by the serial number of the debugger. */
export interface Manifest {
  find(board: { imei: string; serial: string | undefined }): ManifestEntry | undefined;
  readonly entryCount: number;
}

export const manifestEntriesMax = 10_000;
export const manifestBytesMax = 4 * 1024 * 1024;
const columns = ["imei", "serial", "folder", "secTag"] as const;
type Row = Partial<Record<(typeof columns)[number], string>>;

/**
 * Reads `.csv` with a heading line, or `.json` with a list of the same members. Relative folders are those beside the manifest.
 *
 * @throws {ThinglineError} MANIFEST_INVALID with file and line, and those of files.
 */
export async function readManifest(files: Files, file: string): Promise<Manifest> {
  const text = await readTextFile(files, file, { bytesMax: manifestBytesMax });
  const rows = file.toLowerCase().endsWith(".json") ? jsonRows(text, file) : csvRows(text, file);
  if (rows.length === 0) throw invalid(file, "has no boards");
  if (rows.length > manifestEntriesMax) throw invalid(file, `has more than ${manifestEntriesMax} boards`);
  const byImei = new Map<string, ManifestEntry>();
  const bySerial = new Map<string, ManifestEntry>();
  for (const { row, where } of rows) {
    const entry = entryOf(row, file, where);
    const { imei = "", serial = "" } = row;
    if (imei === "" && serial === "") throw invalid(file, `${where} has neither imei nor serial`);
    if (imei !== "" && !/^\d{15}$/u.test(imei)) throw invalid(file, `${where} has an imei that is not of 15 digits`);
    for (const [map, key] of [
      [byImei, imei],
      [bySerial, normalSerial(serial)],
    ] as const) {
      if (key === "") continue;
      if (map.has(key)) throw invalid(file, `${where} has a board that stands above it already: ${key}`);
      map.set(key, entry);
    }
  }
  return {
    entryCount: rows.length,
    find: ({ imei, serial }) =>
      byImei.get(imei) ?? (serial === undefined ? undefined : bySerial.get(normalSerial(serial))),
  };
}

/** A debugger tells its number with leading zeros, which its label has not. */
const normalSerial = (serial: string): string => serial.replace(/^0+(?=.)/u, "");

function entryOf({ folder = "", secTag = "" }: Row, file: string, where: string): ManifestEntry {
  if (folder === "") throw invalid(file, `${where} has no folder`);
  if (secTag !== "" && (!/^\d{1,10}$/u.test(secTag) || Number(secTag) > 4_294_967_295)) {
    throw invalid(file, `${where} has a secTag that is no security tag`);
  }
  return { folder: resolve(dirname(file), folder), ...(secTag !== "" && { secTag: Number(secTag) }) };
}

interface PlacedRow {
  row: Row;
  where: string;
}

function jsonRows(text: string, file: string): PlacedRow[] {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw invalid(file, "is no JSON", cause);
  }
  if (!Array.isArray(json)) throw invalid(file, "holds no list of boards");
  return json.map((value: unknown, at) => {
    const where = `entry ${at + 1}`;
    if (!isRecord(value)) throw invalid(file, `${where} is no object`);
    const row: Row = {};
    for (const [name, member] of Object.entries(value)) {
      if (typeof member !== "string" && typeof member !== "number")
        throw invalid(file, `${where} has a ${name} that is no text`);
      row[columnOf(name, file)] = String(member).trim();
    }
    return { row, where };
  });
}

function csvRows(text: string, file: string): PlacedRow[] {
  const lines = parseCsv(text, file);
  const [head, ...rest] = lines;
  if (head === undefined) throw invalid(file, "is empty");
  const names = head.cells.map((cell) => columnOf(cell.trim(), file));
  const twice = names.find((name, at) => names.indexOf(name) < at);
  if (twice !== undefined) throw invalid(file, `has the column ${twice} twice`);
  return rest.map(({ cells, line }) => {
    const where = `line ${line}`;
    if (cells.length > names.length) throw invalid(file, `${where} has more cells than the heading`);
    const row: Row = {};
    for (const [at, name] of names.entries()) row[name] = (cells[at] ?? "").trim();
    return { row, where };
  });
}

function columnOf(name: string, file: string): (typeof columns)[number] {
  const column = columns.find((each) => each.toLowerCase() === name.toLowerCase());
  if (column !== undefined) return column;
  throw invalid(file, `has a column "${name.slice(0, 40)}"; known are ${columns.join(", ")}`);
}

/** RFC 4180, with LF or CRLF; empty lines are passed over. */
function parseCsv(text: string, file: string): { cells: string[]; line: number }[] {
  const rows: { cells: string[]; line: number }[] = [];
  let cells: string[] = [];
  let line = 1;
  let rowLine = 1;
  const pattern = /(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r\n|\n|\r|$)/gy;
  for (let match = pattern.exec(text); match !== null && pattern.lastIndex <= text.length; match = pattern.exec(text)) {
    const [whole, quoted, plain = "", end] = match;
    cells.push(quoted === undefined ? plain : quoted.replaceAll('""', '"'));
    line += whole.split("\n").length - 1;
    if (end === ",") continue;
    if (cells.some((cell) => cell.trim() !== "")) rows.push({ cells, line: rowLine });
    cells = [];
    rowLine = line;
    if (end === "" || pattern.lastIndex >= text.length) return rows;
  }
  throw invalid(file, `line ${line} has a quote that is out of place`);
}

function invalid(file: string, what: string, cause?: unknown): ThinglineError {
  return new ThinglineError("MANIFEST_INVALID", `${file} ${what}`, { details: { file }, cause });
}
