import type { Scope } from "./operation.js";

export function isSameScope(one: Scope, other: Scope): boolean {
  return one === other || (one.account === other.account && one.region === other.region);
}
