import type { ErrorCode } from "@thingline/protocol";
import type { TextBindings } from "@thingline/protocol/restjson";
import type { Operation } from "./operation.js";

/** The APIs of AWS IoT. Their paths overlap; who signed for which one tells them apart. */
export type RestApiName = "iot" | "iot-data" | "iot-jobs-data";

/** One row of the operation table: how an operation of AWS travels over HTTP. */
export interface RestOperation {
  /** `CreateThing` */
  name: string;
  api: RestApiName;
  method: "GET" | "PUT" | "POST" | "PATCH" | "DELETE";
  /** Labels are members: `/things/{thingName}`. */
  path: string;
  /** Members in the query string, by member. */
  query?: TextBindings;
  /** Members in headers, by member. */
  headers?: TextBindings;
  /** The member that the raw body is. Default: the body is a JSON object of the members that are bound nowhere else. */
  payload?: string;
  /** Default 200. */
  status?: number;
  /** The answer has the request's id as its member `traceId`. */
  isTraced?: true;
  /** What it can answer besides the errors that every operation has. */
  errors: readonly ErrorCode[];
  /** Checks its input itself. The result is the body of the answer. */
  run: Operation<never, object>;
}
