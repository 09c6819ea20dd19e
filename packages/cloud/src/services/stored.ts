/**
 * A structure of AWS's model as a record of the store: the same members. An interface may get more of them elsewhere, so that TypeScript
 * takes none for a value of the store.
 */
export type Stored<T> = T extends readonly (infer Item)[]
  ? readonly Stored<Item>[]
  : T extends Uint8Array
    ? T
    : T extends object
      ? { [Name in keyof T]: Stored<T[Name]> }
      : T;
