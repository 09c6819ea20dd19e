/** The APIs of AWS IoT, by the names that this project gives them. Their paths overlap; who signed for which one tells them apart. */
export type ApiName = "iot" | "iot-data" | "iot-jobs-data" | "iotdeviceadvisor" | "iotsecuretunneling";

/** What AWS publishes of one API, without its descriptions. Written by `npm run model`, see `tables/README.md`. */
export interface ServiceTable {
  api: ApiName;
  /** Of the API, a date. */
  version: string;
  /** `json`: every request is a POST to `/`, and names its operation in the header `x-amz-target`. */
  protocol: "rest-json" | "json";
  /** In the credential scope of a signature. */
  signingName: string;
  /** What stands before the operation in `x-amz-target`. */
  target?: string;
  operations: Readonly<Record<string, OperationRow>>;
  shapes: Readonly<Record<string, ShapeRow>>;
}

export interface OperationRow {
  method: string;
  /** Labels are members: `/things/{thingName}`; `{label+}` may hold slashes. */
  path: string;
  /** Of a good answer; 200 when left out. */
  status?: number;
  input?: string;
  output?: string;
  /** Names of shapes. */
  errors: readonly string[];
  /** How it pages, by the names of its members: token in, token out, size of a page, and the list itself. */
  page?: { in: string; out: string; size?: string; of?: string };
}

/** A type without constraints is not a row: members name it as it is called here. */
export type PlainType = "string" | "integer" | "long" | "float" | "double" | "boolean" | "timestamp" | "blob";
export type TimestampFormat = "iso8601" | "rfc822" | "unixTimestamp";

interface Bounds {
  /** Of the length, or of the value of a number. */
  min?: number;
  max?: number;
  sensitive?: true;
}
export interface PlainRow extends Bounds {
  type: PlainType;
  /** A regular expression of Java, for the whole value. */
  pattern?: string;
  enum?: readonly string[];
  format?: TimestampFormat;
}
export interface ListRow extends Bounds {
  type: "list";
  of: string;
}
export interface MapRow extends Bounds {
  type: "map";
  key: string;
  of: string;
}
export interface StructureRow {
  type: "structure";
  required?: readonly string[];
  /** The member that is the body, for a body that is not a JSON object of the members that travel nowhere else. */
  payload?: string;
  /** HTTP status of an exception. */
  error?: number;
  members: Readonly<Record<string, string | MemberRow>>;
}
export type ShapeRow = PlainRow | ListRow | MapRow | StructureRow;

export type Place = "label" | "query" | "header" | "prefix" | "status";

export interface MemberRow {
  shape: string;
  /** Where it travels; in the body when left out. */
  in?: Place;
  /** Its name there (of a header in lower case), when that is not the member's. */
  as?: string;
  /** A header that holds base64 of JSON. */
  json?: true;
  /** Clients make one up where their caller gives none. */
  token?: true;
  format?: TimestampFormat;
  sensitive?: true;
}
