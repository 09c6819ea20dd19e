import type { ApiName, OperationRow, ServiceTable, StructureRow } from "./table.js";

/** Names that older clients sign for, besides the one of the model. */
export const olderSigningNames: Readonly<Partial<Record<ApiName, readonly string[]>>> = {
  iot: ["execute-api"],
  "iot-data": ["iotdevicegateway"],
};

type Change = Partial<OperationRow> & { shapes?: Readonly<Record<string, StructureRow>> };

/** Where AWS's service is known to speak otherwise than its published model, by API and operation. */
const changes: Readonly<Partial<Record<ApiName, Readonly<Record<string, Change>>>>> = {
  "iot-data": {
    // SDKs escape the slashes of a topic, people with curl do not.
    GetRetainedMessage: { path: "/retainedMessage/{topic+}" },
    Publish: {
      path: "/topics/{topic+}",
      // The model has no answer. The service sends this one.
      output: "PublishResponse",
      shapes: { PublishResponse: { type: "structure", members: { message: "string", traceId: "string" } } },
    },
  },
};

/** A table as the service speaks. */
export function withDeviations(table: ServiceTable): ServiceTable {
  const operations = { ...table.operations };
  const shapes = { ...table.shapes };
  for (const [name, { shapes: added, ...change }] of Object.entries(changes[table.api] ?? {})) {
    const row = operations[name];
    // An operation that AWS has given up would be served for ever.
    if (row === undefined) throw new Error(`the table of ${table.api} has no operation ${name}`);
    operations[name] = { ...row, ...change };
    Object.assign(shapes, added);
  }
  return { ...table, operations, shapes };
}

/** Answers that the model does not have, for those that write services. */
export interface DeviatingOutputs {
  "iot-data": { Publish: { message: string; traceId?: string | undefined } };
}
