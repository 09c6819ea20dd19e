import type { ModelOperation } from "../model/model.js";
import type { ServedOperation } from "../services/aws-operation.js";

const keyOf = ({ api, name }: Pick<ModelOperation, "api" | "name">) => `${api}:${name}`;

/** Which of AWS's operations are built, and how often the others were asked for. */
export class ServedOperations {
  readonly #byKey = new Map<string, ServedOperation>();
  /** Those that were asked for. */
  readonly #found = new Map<ModelOperation, ServedOperation>();
  /** Names are those of AWS's model: there are no more of them. */
  readonly #refusedByKey = new Map<string, number>();

  /** @throws {Error} when two services have the same one */
  constructor(operations: readonly ServedOperation[]) {
    for (const operation of operations) {
      const key = keyOf(operation.aws);
      if (this.#byKey.has(key)) throw new Error(`the operation ${key} is served twice`);
      this.#byKey.set(key, operation);
    }
  }

  get names(): string[] {
    return [...this.#byKey.keys()];
  }

  find(operation: ModelOperation): ServedOperation | undefined {
    const known = this.#found.get(operation);
    if (known !== undefined) return known;
    const found = this.#byKey.get(keyOf(operation));
    if (found !== undefined) this.#found.set(operation, found);
    return found;
  }

  /** An operation was asked for that is not built. */
  countRefused(operation: ModelOperation): void {
    const key = keyOf(operation);
    this.#refusedByKey.set(key, (this.#refusedByKey.get(key) ?? 0) + 1);
  }

  refused(): Record<string, number> {
    return Object.fromEntries(this.#refusedByKey);
  }
}
