import type { StoreKey } from "../store/store.js";
import type { Scope } from "./operation.js";

/** A kind of resource that may have tags: the service that owns it lists it in `taggable`. */
export interface TaggableKind {
  /** Of what an ARN of the kind has after the account, whole: `^thinggroup/([^/]+)$`. Its groups are the names for `keyOf`. */
  readonly resource: RegExp;
  /** The record of the resource: the resource is there as long as the record is. */
  readonly keyOf: (scope: Scope, ...names: string[]) => StoreKey;
  /** Whether the record is that of the ARN, where the ARN has more in it than the names of the key. */
  readonly isOf?: (record: never, ...names: string[]) => boolean;
}

/** Whatever AWS lets a name be, and short enough for a key of the store. */
const name = "([\\w+=,.@:-]{1,128})";

/** A kind whose ARNs are `<type>/<name>`. */
export function taggable(type: string, keyOf: (scope: Scope, name: string) => StoreKey): TaggableKind {
  return { resource: new RegExp(`^${type}/${name}$`), keyOf };
}
