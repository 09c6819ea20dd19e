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

const knownModelTraits = new Set(["version", "metadata", "operations", "shapes", "documentation"]);
const knownMetadata = new Set([
  ...[
    "apiVersion",
    "protocol",
    "signingName",
    "endpointPrefix",
    "targetPrefix",
    "protocols",
    "auth",
    "signatureVersion",
  ],
  ...["serviceFullName", "serviceAbbreviation", "serviceId", "uid", "jsonVersion"],
]);
const knownOperationTraits = new Set([
  ...["name", "http", "input", "output", "errors", "documentation", "idempotent", "deprecated", "deprecatedMessage"],
]);
const knownHttpTraits = new Set(["method", "requestUri", "responseCode"]);
const knownPageTraits = new Set(["input_token", "output_token", "limit_key", "result_key", "non_aggregate_keys"]);
const knownReferenceTraits = new Set(["shape"]);

function refuseUnknown(value, known, where) {
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw new Error(`${where} is not there`);
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

  /** A row that was referred to. */
  row(name) {
    return this.#rows[name];
  }

  rows() {
    return Object.fromEntries(Object.entries(this.#rows).sort(([left], [right]) => (left < right ? -1 : 1)));
  }

  /** {@link refer} for what a list, a map or an operation names, which has no traits of its own. */
  reference(value, where) {
    refuseUnknown(value, knownReferenceTraits, where);
    return this.refer(value.shape);
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
        return { type, of: this.reference(shape.member, `the member of ${name}`), min, max, sensitive };
      case "map": {
        const key = this.reference(shape.key, `the key of ${name}`);
        return { type, key, of: this.reference(shape.value, `the value of ${name}`), min, max, sensitive };
      }
      default:
        if (!plainTypes.includes(type)) throw new Error(`the shape ${name} is a ${type}, which the tables do not know`);
        return { type, min, max, pattern, enum: shape.enum, format, sensitive };
    }
  }

  #structure(name, { members = {}, required = [], payload, error, exception, fault }) {
    for (const member of [...required, ...(payload === undefined ? [] : [payload])]) {
      if (!Object.hasOwn(members, member)) throw new Error(`${name} has no member ${member}, and names it`);
    }
    const unplaced = Object.keys(members).filter((member) => member !== payload && !members[member].location);
    // The payload is all of the body: there is no place for them.
    if (payload !== undefined && unplaced.length > 0) throw new Error(`${name}.${unplaced[0]} travels nowhere`);
    const rows = Object.entries(members).map(([member, traits]) => [
      member,
      this.#member(`${name}.${member}`, member, traits),
    ]);
    const status = exception === true ? (error?.httpStatusCode ?? (fault === true ? 500 : 400)) : undefined;
    return {
      type: "structure",
      error: status,
      required: required.length > 0 ? required : undefined,
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

/** How an operation pages, by the names of its members. */
function pageRow(name, pages) {
  if (pages === undefined) return undefined;
  refuseUnknown(pages, knownPageTraits, `the pages of ${name}`);
  const page = given({
    in: pages.input_token,
    out: pages.output_token,
    size: pages.limit_key,
    of: pages.result_key,
  });
  for (const [of, member] of Object.entries(page)) {
    if (typeof member !== "string") throw new Error(`the pages of ${name} have ${JSON.stringify(member)} as "${of}"`);
  }
  return page;
}

/** Each label of a path is a member, and each such member a label: the routes know no other form. */
function checkPath(name, path, members = {}) {
  if (path.includes("?")) throw new Error(`${name} has a query in its path`);
  const isLabel = (segment) => /^\{[A-Za-z0-9_]+\+?\}$/.test(segment);
  const segments = path.split("/").filter((segment) => /[{}]/.test(segment));
  const odd = segments.find((segment) => !isLabel(segment));
  if (odd !== undefined) throw new Error(`${name} has the segment "${odd}" in its path, which the routes do not know`);
  const labels = segments.map((segment) => segment.replace(/[{}+]/g, ""));
  const wanted = Object.entries(members).flatMap(([member, row]) => (row.in === "label" ? [row.as ?? member] : []));
  const lone = [...labels, ...wanted].find((label) => !labels.includes(label) || !wanted.includes(label));
  if (lone !== undefined) throw new Error(`${name} has the label ${lone} in its path or in its input only`);
}

function operationRow(name, operation, pages, writer) {
  refuseUnknown(operation, knownOperationTraits, name);
  const { http, input, output, errors = [] } = operation;
  refuseUnknown(http, knownHttpTraits, `the http of ${name}`);
  const row = given({
    method: http.method,
    path: http.requestUri,
    status: http.responseCode === 200 ? undefined : http.responseCode,
    input: input === undefined ? undefined : writer.reference(input, `the input of ${name}`),
    output: output === undefined ? undefined : writer.reference(output, `the output of ${name}`),
    errors: errors.map((error) => writer.reference(error, `an error of ${name}`)),
    page: pageRow(name, pages),
  });
  checkPath(name, row.path, writer.row(row.input)?.members);
  return row;
}

/**
 * @param api the name of the API in this project
 * @param model what `service-2.json` holds
 * @param paginators what `paginators-1.json` holds
 * @throws {Error} for anything that the tables do not know: nothing of a model is dropped unseen
 */
export function tableOf(api, model, paginators = {}) {
  refuseUnknown(model, knownModelTraits, `the model of ${api}`);
  refuseUnknown(model.metadata, knownMetadata, `the metadata of ${api}`);
  const { apiVersion, protocol, signingName, endpointPrefix, targetPrefix } = model.metadata;
  if (protocol !== "rest-json" && protocol !== "json") throw new Error(`${api} speaks ${protocol}`);
  for (const part of ["shapes", "operations"]) {
    if (typeof model[part] !== "object") throw new Error(`the model of ${api} has no ${part}`);
  }
  const pagination = paginators.pagination ?? {};
  const unknown = Object.keys(pagination).find((name) => !Object.hasOwn(model.operations, name));
  if (unknown !== undefined) throw new Error(`${api} has pages of ${unknown}, and no such operation`);
  const writer = new TableWriter(model.shapes);
  const names = Object.keys(model.operations).sort();
  const operations = Object.fromEntries(
    names.map((name) => [name, operationRow(name, model.operations[name], pagination[name], writer)]),
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
