import { reasonCodes } from "../reason-codes.js";
import type { UserProperties } from "../packets.js";
import { malformed, protocolError, unencodable } from "./faults.js";
import type { PacketReader } from "./reader.js";
import {
  binaryLength,
  checkInteger,
  stringLength,
  varintLength,
  varintMax,
  writeBinary,
  writeString,
  writeUint16,
  writeUint32,
  writeVarint,
} from "./write.js";

/** Where a property list stands. PUBACK, PUBREC, PUBREL and PUBCOMP take the same properties. */
export type PropertyScope =
  | "connect"
  | "will"
  | "connack"
  | "publish"
  | "puback"
  | "subscribe"
  | "suback"
  | "unsubscribe"
  | "unsuback"
  | "disconnect"
  | "auth";

type Format = "uint8" | "uint16" | "uint32" | "varint" | "string" | "binary" | "pairs" | "varints";

interface PropertyRow {
  id: number;
  /** Member of the packet's `properties`. */
  name: string;
  format: Format;
  /** Inclusive bounds of a number. */
  min: number;
  max: number;
  /** What the specification calls it. */
  label: string;
}

const everywhere: readonly PropertyScope[] = [
  "connect",
  "will",
  "connack",
  "publish",
  "puback",
  "subscribe",
  "suback",
  "unsubscribe",
  "unsuback",
  "disconnect",
  "auth",
];
const reasoned: readonly PropertyScope[] = ["connack", "puback", "suback", "unsuback", "disconnect", "auth"];
const message: readonly PropertyScope[] = ["publish", "will"];
const opening: readonly PropertyScope[] = ["connect", "connack"];
const authenticated: readonly PropertyScope[] = ["connect", "connack", "auth"];

type TableRow = [
  id: number,
  name: string,
  format: Format,
  scopes: readonly PropertyScope[],
  min?: number,
  max?: number,
];

const uint32Max = 0xffff_ffff;

/** MQTT 5 §2.2.2.2, table 2-4, in the order in which they are written. The bounds are from §3.1 to §3.15. */
const table: readonly TableRow[] = [
  [0x01, "payloadFormatIndicator", "uint8", message, 0, 1],
  [0x02, "messageExpirySeconds", "uint32", message, 0, uint32Max],
  [0x03, "contentType", "string", message],
  [0x08, "responseTopic", "string", message],
  [0x09, "correlationData", "binary", message],
  [0x0b, "subscriptionIdentifiers", "varints", ["publish"], 1, varintMax],
  [0x0b, "subscriptionIdentifier", "varint", ["subscribe"], 1, varintMax],
  [0x11, "sessionExpirySeconds", "uint32", ["connect", "connack", "disconnect"], 0, uint32Max],
  [0x12, "assignedClientId", "string", ["connack"]],
  [0x13, "serverKeepAliveSeconds", "uint16", ["connack"], 0, 65_535],
  [0x15, "authenticationMethod", "string", authenticated],
  [0x16, "authenticationData", "binary", authenticated],
  [0x17, "requestProblemInformation", "uint8", ["connect"], 0, 1],
  [0x18, "willDelaySeconds", "uint32", ["will"], 0, uint32Max],
  [0x19, "requestResponseInformation", "uint8", ["connect"], 0, 1],
  [0x1a, "responseInformation", "string", ["connack"]],
  [0x1c, "serverReference", "string", ["connack", "disconnect"]],
  [0x1f, "reasonString", "string", reasoned],
  [0x21, "receiveMaximum", "uint16", opening, 1, 65_535],
  [0x22, "topicAliasMaximum", "uint16", opening, 0, 65_535],
  [0x23, "topicAlias", "uint16", ["publish"], 1, 65_535],
  [0x24, "maximumQos", "uint8", ["connack"], 0, 1],
  [0x25, "retainAvailable", "uint8", ["connack"], 0, 1],
  [0x26, "userProperties", "pairs", everywhere],
  [0x27, "maximumPacketBytes", "uint32", opening, 1, uint32Max],
  [0x28, "wildcardSubscriptionAvailable", "uint8", ["connack"], 0, 1],
  [0x29, "subscriptionIdentifiersAvailable", "uint8", ["connack"], 0, 1],
  [0x2a, "sharedSubscriptionAvailable", "uint8", ["connack"], 0, 1],
];

interface ScopeRows {
  /** In writing order. */
  list: readonly PropertyRow[];
  /** Indexed by identifier. */
  byId: readonly (PropertyRow | undefined)[];
}

function rowsOf(scope: PropertyScope): ScopeRows {
  const list: PropertyRow[] = [];
  const byId = new Array<PropertyRow | undefined>(0x80).fill(undefined);
  for (const [id, name, format, scopes, min = 0, max = 0] of table) {
    if (!scopes.includes(scope)) continue;
    const label = name.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
    const row = { id, name, format, min, max, label };
    list.push(row);
    byId[id] = row;
  }
  return { list, byId };
}

const rows: Record<PropertyScope, ScopeRows> = {
  connect: rowsOf("connect"),
  will: rowsOf("will"),
  connack: rowsOf("connack"),
  publish: rowsOf("publish"),
  puback: rowsOf("puback"),
  subscribe: rowsOf("subscribe"),
  suback: rowsOf("suback"),
  unsubscribe: rowsOf("unsubscribe"),
  unsuback: rowsOf("unsuback"),
  disconnect: rowsOf("disconnect"),
  auth: rowsOf("auth"),
};

/** Reads a property list with its length prefix. An empty list is `undefined`. `T` is the scope's properties type. */
export function readProperties<T extends object>(reader: PacketReader, scope: PropertyScope): T | undefined {
  const length = reader.varint("the property length");
  if (length === 0) return undefined;
  if (length > reader.remaining) {
    throw malformed(`${length} bytes of properties, the packet has ${reader.remaining} left`, "MQTT 5 §2.2.2.1");
  }
  const packetEnd = reader.end;
  const { byId } = rows[scope];
  const properties: Record<string, unknown> = {};
  // A property that crosses the end of the list is cut short, whatever follows in the packet.
  reader.end = reader.position + length;
  while (reader.position < reader.end) {
    const id = reader.varint("a property identifier");
    const row = byId[id];
    if (row === undefined) {
      throw malformed(`property 0x${id.toString(16)} does not belong in ${scope}`, "MQTT 5 §2.2.2.2");
    }
    readProperty(reader, row, properties);
  }
  reader.end = packetEnd;
  checkTogether(properties, scope);
  return properties as T;
}

function readProperty(reader: PacketReader, row: PropertyRow, properties: Record<string, unknown>): void {
  const { name, label } = row;
  const before = properties[name];
  if (row.format === "pairs") {
    const pair = [reader.string("a user property name"), reader.string("a user property value")] as const;
    if (before === undefined) properties[name] = [pair];
    else (before as (typeof pair)[]).push(pair);
    return;
  }
  if (row.format === "varints") {
    const value = inRange(reader.varint(label), row);
    if (before === undefined) properties[name] = [value];
    else (before as number[]).push(value);
    return;
  }
  if (before !== undefined) throw protocolError(`${label} is there twice`, "MQTT 5 §3.1.2.11 to §3.15.2.2");
  properties[name] = readValue(reader, row);
}

function readValue(reader: PacketReader, row: PropertyRow): unknown {
  switch (row.format) {
    case "uint8":
      return inRange(reader.uint8(row.label), row);
    case "uint16":
      return inRange(reader.uint16(row.label), row);
    case "uint32":
      return inRange(reader.uint32(row.label), row);
    case "varint":
      return inRange(reader.varint(row.label), row);
    case "string":
      return reader.string(row.label);
    default:
      return reader.binary(row.label);
  }
}

function inRange(value: number, row: PropertyRow): number {
  if (value >= row.min && value <= row.max) return value;
  // [MQTT-3.3.2-8] Topic Alias has a reason code of its own.
  const reasonCode = row.name === "topicAlias" ? reasonCodes.topicAliasInvalid : reasonCodes.protocolError;
  const expected = `${row.min} to ${row.max}`;
  throw protocolError(`${row.label} is ${value}, not ${expected}`, "MQTT 5 §3.1.2.11 to §3.15.2.2", reasonCode);
}

/** Rules between properties of one list. */
function checkTogether(properties: Record<string, unknown>, scope: PropertyScope): void {
  const { responseTopic, authenticationData, authenticationMethod } = properties;
  const topicFault = faultOfResponseTopic(responseTopic);
  if (topicFault !== undefined) {
    const rule = scope === "will" ? "MQTT 5 §3.1.3.2.6" : "MQTT-3.3.2-14";
    throw protocolError(`the response topic ${topicFault}`, `${rule}, MQTT-4.7.3-1`);
  }
  if (authenticationData !== undefined && authenticationMethod === undefined) {
    throw protocolError("authentication data without authentication method", "MQTT 5 §3.1.2.11.10");
  }
}

/** A response topic is a topic name: at least one character, no wildcard. */
function faultOfResponseTopic(responseTopic: unknown): string | undefined {
  if (typeof responseTopic !== "string") return undefined;
  if (responseTopic === "") return "is empty";
  return /[#+]/.test(responseTopic) ? "holds a wildcard" : undefined;
}

/** Bytes of the list, its length prefix left out. Checks every value. */
export function propertiesLength(properties: object | undefined, scope: PropertyScope): number {
  if (properties === undefined) return 0;
  const values = properties as Record<string, unknown>;
  let length = 0;
  for (const row of rows[scope].list) {
    const value = values[row.name];
    if (value !== undefined) length += propertyLength(row, value);
  }
  const topicFault = faultOfResponseTopic(values["responseTopic"]);
  if (topicFault !== undefined) throw unencodable(`responseTopic ${topicFault}`, { field: "responseTopic" });
  if (values["authenticationData"] !== undefined && values["authenticationMethod"] === undefined) {
    throw unencodable("authenticationData without authenticationMethod", { field: "authenticationData" });
  }
  return length;
}

function propertyLength(row: PropertyRow, value: unknown): number {
  const { name, min, max } = row;
  switch (row.format) {
    case "uint8":
      checkInteger(value as number, min, max, name);
      return 2;
    case "uint16":
      checkInteger(value as number, min, max, name);
      return 3;
    case "uint32":
      checkInteger(value as number, min, max, name);
      return 5;
    case "varint":
      checkInteger(value as number, min, max, name);
      return 1 + varintLength(value as number);
    case "varints": {
      let length = 0;
      for (const item of value as readonly number[]) {
        checkInteger(item, min, max, name);
        length += 1 + varintLength(item);
      }
      return length;
    }
    case "string":
      return 1 + stringLength(value as string, name);
    case "binary":
      return 1 + binaryLength(value as Uint8Array, name);
    case "pairs": {
      let length = 0;
      for (const [key, text] of value as UserProperties) {
        length += 1 + stringLength(key, "a user property name") + stringLength(text, "a user property value");
      }
      return length;
    }
  }
}

/** Writes the list with its length prefix; `length` is what {@link propertiesLength} said. */
export function writeProperties(
  target: Uint8Array,
  offset: number,
  properties: object | undefined,
  scope: PropertyScope,
  length: number,
): number {
  offset = writeVarint(target, offset, length);
  if (length === 0) return offset;
  const values = properties as Record<string, unknown>;
  for (const row of rows[scope].list) {
    const value = values[row.name];
    if (value !== undefined) offset = writeProperty(target, offset, row, value);
  }
  return offset;
}

function writeProperty(target: Uint8Array, offset: number, row: PropertyRow, value: unknown): number {
  if (row.format === "pairs") {
    for (const [key, text] of value as UserProperties) {
      target[offset] = row.id;
      offset = writeString(target, writeString(target, offset + 1, key), text);
    }
    return offset;
  }
  if (row.format === "varints") {
    for (const item of value as readonly number[]) {
      target[offset] = row.id;
      offset = writeVarint(target, offset + 1, item);
    }
    return offset;
  }
  target[offset++] = row.id;
  switch (row.format) {
    case "uint8":
      target[offset] = value as number;
      return offset + 1;
    case "uint16":
      return writeUint16(target, offset, value as number);
    case "uint32":
      return writeUint32(target, offset, value as number);
    case "varint":
      return writeVarint(target, offset, value as number);
    case "string":
      return writeString(target, offset, value as string);
    case "binary":
      return writeBinary(target, offset, value as Uint8Array);
  }
}
