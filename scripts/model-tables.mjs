// A model as AWS publishes it (service-2 and paginators-1 of botocore) becomes a compact table: facts only, no descriptions.
// packages/cloud/src/model/table.ts says what a table holds.

/** Shapes that need no row of their own, because nothing but their type is known of them. */
const plainTypes = ["string", "integer", "long", "float", "double", "boolean", "timestamp", "blob"];
const constraintNames = ["min", "max", "pattern", "enum", "sensitive", "timestampFormat"];
const places = { uri: "label", querystring: "query", header: "header", headers: "prefix", statusCode: "status" };
/** Traits that a table leaves out on purpose, so that a new one is seen. */
const knownShapeTraits = new Set([
  ...["type", "members", "member", "key", "value", "required", "payload", "error", "exception", "fault"],
  ...["documentation", "box", "deprecated", "deprecatedMessage", ...constraintNames],
]);
const knownMemberTraits = new Set([
  ...["shape", "location", "locationName", "jsonvalue", "idempotencyToken"],
  ...["documentation", "box", "deprecated", "deprecatedMessage", "sensitive", "timestampFormat"],
]);

function refuseUnknown(value, known, where) {
  for (const name of Object.keys(value)) {
    if (!known.has(name)) throw new Error(`${where} has the trait "${name}", which the tables do not know`);
  }
}

const isPlain = (shape) =>
  plainTypes.includes(shape.type) && constraintNames.every((name) => shape[name] === undefined);

/** Members without what is not there. */
const given = (members) => Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined));

class TableWriter {
  #shapes;
  #rows = {};

  constructor(shapes) {
    this.#shapes = shapes;
    for (const name of plainTypes) {
      if (name in shapes && shapes[name].type !== name)
        throw new Error(`a shape is called ${name} and is something else`);
    }
  }

  rows() {
    return Object.fromEntries(Object.entries(this.#rows).sort(([left], [right]) => (left < right ? -1 : 1)));
  }

  /** The name of a row, which is written when the shape is met first, or of a plain type. */
  refer(name) {
    const shape = this.#shapes[name];
    if (shape === undefined) throw new Error(`there is no shape ${name}`);
    refuseUnknown(shape, knownShapeTraits, `the shape ${name}`);
    if (isPlain(shape)) return shape.type;
    if (!(name in this.#rows)) {
      this.#rows[name] = {};
      this.#rows[name] = given(this.#row(name, shape));
    }
    return name;
  }

  #row(name, shape) {
    const { type, min, max, pattern, sensitive } = shape;
    const format = shape.timestampFormat;
    switch (type) {
      case "structure":
        return this.#structure(name, shape);
      case "list":
        return { type, of: this.refer(shape.member.shape), min, max, sensitive };
      case "map":
        return { type, key: this.refer(shape.key.shape), of: this.refer(shape.value.shape), min, max, sensitive };
      default:
        if (!plainTypes.includes(type)) throw new Error(`the shape ${name} is a ${type}, which the tables do not know`);
        return { type, min, max, pattern, enum: shape.enum, format, sensitive };
    }
  }

  #structure(name, { members = {}, required, payload, error, exception, fault }) {
    const rows = Object.entries(members).map(([member, traits]) => [
      member,
      this.#member(`${name}.${member}`, member, traits),
    ]);
    const status = exception === true ? (error?.httpStatusCode ?? (fault === true ? 500 : 400)) : undefined;
    return {
      type: "structure",
      error: status,
      required: required?.length > 0 ? required : undefined,
      payload,
      members: Object.fromEntries(rows),
    };
  }

  #member(where, name, traits) {
    refuseUnknown(traits, knownMemberTraits, where);
    const shape = this.refer(traits.shape);
    const place = traits.location === undefined ? undefined : places[traits.location];
    if (traits.location !== undefined && place === undefined) throw new Error(`${where} travels as ${traits.location}`);
    // Header names are compared in lower case.
    const isHeader = place === "header" || place === "prefix";
    const wireName = isHeader ? traits.locationName?.toLowerCase() : traits.locationName;
    const row = given({
      shape,
      in: place,
      as: wireName === name ? undefined : wireName,
      json: traits.jsonvalue,
      token: traits.idempotencyToken,
      format: traits.timestampFormat,
      sensitive: traits.sensitive,
    });
    return Object.keys(row).length === 1 ? shape : row;
  }
}

function operationRow(name, operation, pages, writer) {
  const { http, input, output, errors = [] } = operation;
  const path = http.requestUri;
  if (path.includes("?")) throw new Error(`${name} has a query in its path`);
  const page =
    pages === undefined
      ? undefined
      : given({
          in: pages.input_token,
          out: pages.output_token,
          size: pages.limit_key,
          of: pages.result_key,
        });
  return given({
    method: http.method,
    path,
    status: http.responseCode === 200 ? undefined : http.responseCode,
    input: input === undefined ? undefined : writer.refer(input.shape),
    output: output === undefined ? undefined : writer.refer(output.shape),
    errors: errors.map(({ shape }) => writer.refer(shape)),
    page,
  });
}

/**
 * @param api the name of the API in this project
 * @param model what `service-2.json` holds
 * @param paginators what `paginators-1.json` holds
 * @throws {Error} for anything that the tables do not know: nothing of a model is dropped unseen
 */
export function tableOf(api, model, paginators = {}) {
  const { apiVersion, protocol, signingName, endpointPrefix, targetPrefix } = model.metadata;
  if (protocol !== "rest-json" && protocol !== "json") throw new Error(`${api} speaks ${protocol}`);
  const writer = new TableWriter(model.shapes);
  const names = Object.keys(model.operations).sort();
  const operations = Object.fromEntries(
    names.map((name) => [name, operationRow(name, model.operations[name], paginators.pagination?.[name], writer)]),
  );
  return {
    api,
    version: apiVersion,
    ...given({ protocol, signingName: signingName ?? endpointPrefix, target: targetPrefix }),
    operations,
    shapes: writer.rows(),
  };
}

/** JSON with an operation or a shape a line: compact, and a change of AWS is a change of few lines. */
export function textOfTable({ operations, shapes, ...head }) {
  const lines = (rows) =>
    Object.entries(rows)
      .map(([name, row]) => `${JSON.stringify(name)}:${JSON.stringify(row)}`)
      .join(",\n");
  const start = JSON.stringify(head).slice(0, -1);
  return `${start},\n"operations":{\n${lines(operations)}\n},\n"shapes":{\n${lines(shapes)}\n}}`;
}

/** A module whose only export is the text of a table: parsing it waits until somebody needs it. */
export function moduleOfTable(table, source, path) {
  // Neither may stand in a raw template as it is; both only occur inside of JSON strings.
  const text = textOfTable(table).replaceAll("`", "\\u0060").replaceAll("${", "\\u0024{");
  return `// Written by \`npm run model\`. Facts of AWS's published model, without its descriptions.
// Source: ${source.repository} ${source.release}, commit ${source.commit},
// botocore/data/${path}/service-2.json and paginators-1.json. Licence of the source: ${source.licence}.
// ${source.notice}

/** JSON of a \`ServiceTable\`. */
export const text = String.raw\`${text}\`;
`;
}
