// The TypeScript types of input and output of the operations that are built, from the tables. Which ones are built, the fidelity
// data says.
import { areaOf } from "./model-records.mjs";

const scalars = {
  string: "string",
  integer: "number",
  long: "number",
  float: "number",
  double: "number",
  boolean: "boolean",
  /** Unix time in seconds. */
  timestamp: "number",
  blob: "Uint8Array",
};

/** Operations that the cloud has, by API: those whose records in `docs/fidelity/data/operations-<api>.json` are not absent. */
export function builtOperations(areas) {
  const prefix = areaOf("");
  const built = {};
  for (const { area, records } of Object.values(areas)) {
    if (!area.startsWith(prefix)) continue;
    const names = records.filter(({ state }) => state !== "absent").map(({ behaviour }) => behaviour);
    built[area.slice(prefix.length)] = names.sort();
  }
  return built;
}

/** The table in the text of its module. */
export function readTable(moduleText) {
  const [, text] = /String\.raw`([^`]*)`/.exec(moduleText) ?? [];
  if (text === undefined) throw new Error("a table is not as `npm run model` writes it");
  return JSON.parse(text);
}

const quoted = (name) => (/^[A-Za-z_$][\w$]*$/.test(name) ? name : JSON.stringify(name));

/** The types of one API: an interface for each structure that a built operation needs. */
function typesOf({ api, operations, shapes }, names) {
  const interfaces = new Map();

  const typeOf = (name) => {
    const shape = shapes[name];
    if (shape === undefined) return scalars[name];
    if (shape.type === "list") return `readonly ${inArray(typeOf(shape.of))}[]`;
    if (shape.type === "map") return `Readonly<Record<string, ${typeOf(shape.of)}>>`;
    if (shape.enum !== undefined) return shape.enum.map((value) => JSON.stringify(value)).join(" | ");
    if (shape.type !== "structure") return scalars[shape.type];
    if (!interfaces.has(name)) {
      interfaces.set(name, "");
      interfaces.set(name, interfaceOf(name, shape));
    }
    return name;
  };
  const inArray = (type) => (/[ |]/.test(type) ? `(${type})` : type);

  const interfaceOf = (name, { members, required = [] }) => {
    const lines = Object.entries(members).map(([member, row]) => {
      const type = typeOf(typeof row === "string" ? row : row.shape);
      return required.includes(member) ? `  ${quoted(member)}: ${type};` : `  ${quoted(member)}?: ${type} | undefined;`;
    });
    return lines.length === 0
      ? `export type ${name} = Readonly<Record<never, never>>;`
      : `export interface ${name} {\n${lines.join("\n")}\n}`;
  };

  const rows = names.map((name) => {
    const operation = operations[name];
    if (operation === undefined) throw new Error(`AWS has no operation ${name} in ${api}`);
    const typeOrNothing = (shape) => (shape === undefined ? "Readonly<Record<never, never>>" : typeOf(shape));
    return `  ${name}: { input: ${typeOrNothing(operation.input)}; output: ${typeOrNothing(operation.output)} };`;
  });
  const texts = [...interfaces].sort(([left], [right]) => (left < right ? -1 : 1)).map(([, text]) => text);
  return `// Written by \`npm run model\` from the table of ${api}: what the operations that are built take and give. Times are Unix seconds.

${texts.join("\n\n")}

/** Input and output by operation. */
export interface ${operationsName(api)} {
${rows.join("\n")}
}
`;
}

const operationsName = (api) => `${api.replace(/(?:^|-)(\w)/g, (_, letter) => letter.toUpperCase())}Operations`;

/** The files of types by their paths: one for each API of which something is built, and one that names them all. */
export function typesFiles(tables, built, folder) {
  const files = {};
  const imports = [];
  const rows = [];
  for (const table of tables) {
    const names = built[table.api] ?? [];
    if (names.length === 0) {
      rows.push(`  ${quoted(table.api)}: Readonly<Record<never, never>>;`);
      continue;
    }
    files[`${folder}/types/${table.api}.ts`] = typesOf(table, names);
    imports.push(`import type { ${operationsName(table.api)} } from "./${table.api}.js";`);
    rows.push(`  ${quoted(table.api)}: ${operationsName(table.api)};`);
  }
  files[`${folder}/types/operations.ts`] = `// Written by \`npm run model\`.
${imports.join("\n")}

/** The operations that are built, by API and by AWS's name. */
export interface BuiltOperations {
${rows.join("\n")}
}
`;
  return files;
}
