import type { Labels } from "@thingline/protocol/restjson";
import { olderSigningNames, withDeviations } from "./deviations.js";
import { RouteIndex, type RouteMatch } from "./route.js";
import { Shapes, type StructureShape } from "./shapes.js";
import type { ApiName, OperationRow, ServiceTable } from "./table.js";

/** An operation of AWS: where it is, what it takes and what it gives. */
export interface ModelOperation {
  readonly api: ApiName;
  /** `CreateThing` */
  readonly name: string;
  readonly method: string;
  readonly path: string;
  /** HTTP status of a good answer. */
  readonly status: number;
  readonly protocol: ServiceTable["protocol"];
  readonly input: StructureShape;
  readonly output: StructureShape;
  /** HTTP status by the name of the exception. */
  readonly errors: ReadonlyMap<string, number>;
  readonly page: OperationRow["page"];
}

/** Every operation of AWS IoT. Not changed once it is there. */
export interface Model {
  /** By API, and in each by name. */
  readonly operations: readonly ModelOperation[];
  /** @throws {Error} for what AWS does not have: a defect of this program. */
  operation(api: ApiName, name: string): ModelOperation;
  /** Names in the credential scope of a signature. The first is what today's clients use. */
  signingNames(api: ApiName): readonly string[];
  /**
   * The operation for a request. Where paths of two APIs overlap, the one that was signed for; for an unsigned request
   * that of the control plane.
   *
   * @param target the header `x-amz-target`, by which the newer APIs name their operations
   */
  route(
    request: { method: string; rawPath: string; target?: string | undefined },
    signingName?: string,
  ): Route | undefined;
  /** Methods that exist at a path, for the answer to a wrong one. */
  methodsAt(rawPath: string): string[];
}

export interface Route {
  operation: ModelOperation;
  labels: Labels;
}

const emptyStructure: StructureShape = {
  ...{ type: "structure", name: "Unit", members: new Map(), payload: undefined, error: undefined },
};

function operationsOf(table: ServiceTable): ModelOperation[] {
  const shapes = new Shapes(table.shapes);
  const structure = (name: string | undefined) => (name === undefined ? emptyStructure : shapes.structure(name));
  return Object.entries(table.operations).map(([name, row]) => ({
    ...{ api: table.api, name, method: row.method, path: row.path, status: row.status ?? 200 },
    ...{ protocol: table.protocol, page: row.page },
    input: structure(row.input),
    output: structure(row.output),
    errors: new Map(row.errors.map((error) => [error, shapes.structure(error).error ?? 400])),
  }));
}

/** A model from tables. Where paths overlap, an unsigned request is for the API of the first table. */
export function modelOf(published: readonly ServiceTable[]): Model {
  const tables = published.map(withDeviations);
  const operations = tables.flatMap(operationsOf);
  const byName = new Map(operations.map((operation) => [`${operation.api}:${operation.name}`, operation]));
  const index = new RouteIndex(operations.filter(({ protocol }) => protocol === "rest-json"));
  const targets = new Map(
    tables.flatMap(({ api, target, operations: rows }) =>
      target === undefined ? [] : Object.keys(rows).map((name) => [`${target}.${name}`, byName.get(`${api}:${name}`)!]),
    ),
  );
  const signingNames = new Map(
    tables.map(({ api, signingName }) => [api, [signingName, ...(olderSigningNames[api] ?? [])]]),
  );
  const first = tables[0]?.api;
  const isSignedFor = ({ api }: ModelOperation, name: string) => signingNames.get(api)?.includes(name) === true;

  return {
    operations,
    operation(api, name) {
      const found = byName.get(`${api}:${name}`);
      if (found === undefined) throw new Error(`AWS has no operation ${name} in ${api}`);
      return found;
    },
    signingNames: (api) => signingNames.get(api) ?? [],
    route({ method, rawPath, target }, signingName) {
      const named = method === "POST" && rawPath === "/" && target !== undefined ? targets.get(target) : undefined;
      if (named !== undefined) return { operation: named, labels: {} };
      const matches: RouteMatch<ModelOperation>[] = index.findAll(method, rawPath);
      const signed = signingName && matches.find((match) => isSignedFor(match.target, signingName));
      const match = signed || (matches.find((other) => other.target.api === first) ?? matches[0]);
      return match === undefined ? undefined : { operation: match.target, labels: match.labels };
    },
    methodsAt: (rawPath) => index.methodsAt(rawPath),
  };
}

let loading: Promise<Model> | undefined;
let loaded: Model | undefined;

/**
 * The model of AWS's published tables. They are read and parsed when somebody needs them first: a cloud that only speaks MQTT never
 * does. What is kept is a constant, as a module is.
 */
export function loadModel(): Promise<Model> {
  loading ??= readTables().then((tables) => (loaded = modelOf(tables)));
  return loading;
}

/** The model, if it has been loaded: for those that would rather not wait. */
export function modelIfLoaded(): Model | undefined {
  return loaded;
}

async function readTables(): Promise<ServiceTable[]> {
  const modules = await Promise.all([
    import("./tables/iot.js"),
    import("./tables/iot-data.js"),
    import("./tables/iot-jobs-data.js"),
    import("./tables/iotdeviceadvisor.js"),
    import("./tables/iotsecuretunneling.js"),
  ]);
  return modules.map(({ text }) => JSON.parse(text) as ServiceTable);
}
