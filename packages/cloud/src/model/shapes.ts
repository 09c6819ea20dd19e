import { compilePattern, type Pattern } from "./patterns.js";
import type {
  ListRow,
  MapRow,
  MemberRow,
  PlainRow,
  PlainType,
  ServiceTable,
  StructureRow,
  TimestampFormat,
} from "./table.js";

/** A type of the model, ready to check and to convert values. Shapes know each other by reference. */
export type Shape = PlainShape | ListShape | MapShape | StructureShape;

interface AnyShape {
  /** A value goes to the wire as it is inside: nothing in it is a blob, or has another name or place there. */
  readonly isAsIs?: boolean;
}

export interface PlainShape extends AnyShape {
  readonly type: PlainType;
  readonly min?: number | undefined;
  readonly max?: number | undefined;
  readonly pattern?: Pattern | undefined;
  readonly values?: readonly string[] | undefined;
  readonly format?: TimestampFormat | undefined;
  readonly isSensitive?: boolean;
}

export interface ListShape extends AnyShape {
  readonly type: "list";
  readonly min?: number | undefined;
  readonly max?: number | undefined;
  readonly isSensitive?: boolean;
  readonly of: Shape;
}

export interface MapShape extends AnyShape {
  readonly type: "map";
  readonly min?: number | undefined;
  readonly max?: number | undefined;
  readonly isSensitive?: boolean;
  readonly key: Shape;
  readonly of: Shape;
}

export interface StructureShape extends AnyShape {
  readonly type: "structure";
  readonly name: string;
  readonly members: ReadonlyMap<string, Member>;
  readonly payload: string | undefined;
  /** HTTP status of an exception. */
  readonly error: number | undefined;
}

export interface Member {
  readonly name: string;
  readonly shape: Shape;
  readonly isRequired: boolean;
  readonly place: MemberRow["in"];
  /** Its name where it travels. */
  readonly wireName: string;
  readonly format: TimestampFormat | undefined;
  readonly isSensitive: boolean;
}

/** The shapes of one table, linked when they are asked for. */
export class Shapes {
  readonly #rows: ServiceTable["shapes"];
  readonly #linked = new Map<string, Shape>();

  constructor(rows: ServiceTable["shapes"]) {
    this.#rows = rows;
  }

  /** @param name of a row, or of a plain type */
  get(name: string): Shape {
    let shape = this.#linked.get(name);
    if (shape === undefined) {
      shape = this.#link(name);
      this.#linked.set(name, shape);
    }
    return shape;
  }

  /** @throws {Error} for a shape that is no structure: what an operation takes and gives always is one. */
  structure(name: string): StructureShape {
    const shape = this.get(name);
    if (shape.type !== "structure") throw new Error(`${name} is not a structure`);
    return shape;
  }

  #link(name: string): Shape {
    const row = this.#rows[name];
    if (row === undefined) return plainShape({ type: name as PlainType });
    const get = (other: string) => this.get(other);
    switch (row.type) {
      case "structure":
        return new LinkedStructure(name, row, get);
      case "list":
        return new LinkedList(row, get);
      case "map":
        return new LinkedMap(row, get);
      default:
        return plainShape(row);
    }
  }
}

function plainShape({ type, min, max, pattern, enum: values, format, sensitive }: PlainRow): PlainShape {
  return {
    ...{ type, min, max, values, format },
    pattern: pattern === undefined ? undefined : compilePattern(pattern),
    isSensitive: sensitive === true,
    isAsIs: type !== "blob" && (format === undefined || format === "unixTimestamp"),
  };
}

/** Links its elements when somebody looks: shapes may contain themselves. */
class LinkedList implements ListShape {
  readonly type = "list";
  readonly min: number | undefined;
  readonly max: number | undefined;
  readonly isSensitive: boolean;
  readonly #of: string;
  readonly #get: (name: string) => Shape;

  constructor({ of, min, max, sensitive }: ListRow, get: (name: string) => Shape) {
    this.#of = of;
    this.#get = get;
    this.min = min;
    this.max = max;
    this.isSensitive = sensitive === true;
  }

  get of(): Shape {
    return this.#get(this.#of);
  }

  get isAsIs(): boolean {
    return this.of.isAsIs === true;
  }
}

class LinkedMap implements MapShape {
  readonly type = "map";
  readonly min: number | undefined;
  readonly max: number | undefined;
  readonly isSensitive: boolean;
  readonly #key: string;
  readonly #of: string;
  readonly #get: (name: string) => Shape;

  constructor({ key, of, min, max, sensitive }: MapRow, get: (name: string) => Shape) {
    this.#key = key;
    this.#of = of;
    this.#get = get;
    this.min = min;
    this.max = max;
    this.isSensitive = sensitive === true;
  }

  get key(): Shape {
    return this.#get(this.#key);
  }

  get of(): Shape {
    return this.#get(this.#of);
  }

  get isAsIs(): boolean {
    return this.of.isAsIs === true;
  }
}

class LinkedStructure implements StructureShape {
  readonly type = "structure";
  readonly name: string;
  readonly payload: string | undefined;
  readonly error: number | undefined;
  readonly #row: StructureRow;
  readonly #get: (name: string) => Shape;
  #members: ReadonlyMap<string, Member> | undefined;
  #isAsIs: boolean | undefined;

  constructor(name: string, row: StructureRow, get: (name: string) => Shape) {
    this.name = name;
    this.payload = row.payload;
    this.error = row.error;
    this.#row = row;
    this.#get = get;
  }

  get members(): ReadonlyMap<string, Member> {
    return (this.#members ??= this.#link());
  }

  get isAsIs(): boolean {
    if (this.#isAsIs === undefined) {
      // A shape that contains itself is converted, which is right for any.
      this.#isAsIs = false;
      this.#isAsIs =
        this.payload === undefined &&
        [...this.members.values()].every(({ shape, name, place, wireName, format }) => {
          const isPlaced = place !== undefined || wireName !== name;
          return !isPlaced && shape.isAsIs === true && (format === undefined || format === "unixTimestamp");
        });
    }
    return this.#isAsIs;
  }

  #link(): ReadonlyMap<string, Member> {
    const required = new Set(this.#row.required);
    return new Map(
      Object.entries(this.#row.members).map(([name, given]) => {
        const row: MemberRow = typeof given === "string" ? { shape: given } : given;
        const member: Member = {
          name,
          shape: this.#get(row.shape),
          isRequired: required.has(name),
          place: row.in,
          wireName: row.as ?? name,
          format: row.format,
          isSensitive: row.sensitive === true,
        };
        return [name, member];
      }),
    );
  }
}
