import { shadowTopic, type ShadowId, type ShadowTopicTail } from "@thingline/protocol/shadow";
import type { StoreKey } from "../../store/store.js";
import type { Scope } from "../operation.js";
import { nameOf, shadowKey } from "./model.js";

/** A shadow with checked names, and what is made of them again and again. */
export class ShadowAddress {
  readonly id: ShadowId;
  /** For `Operation.lane`: requests to one shadow are answered in their order. */
  readonly lane: string;
  readonly #topics: Partial<Record<ShadowTopicTail, string>> = {};
  #key: { scope: Scope; key: StoreKey } | undefined;

  constructor(id: ShadowId) {
    this.id = id;
    this.lane = `shadow/${nameOf(id, "/")}`;
  }

  topic(tail: ShadowTopicTail): string {
    return (this.#topics[tail] ??= shadowTopic(this.id, tail));
  }

  key(scope: Scope): StoreKey {
    if (this.#key?.scope !== scope) this.#key = { scope, key: shadowKey(scope, this.id) };
    return this.#key.key;
  }
}
