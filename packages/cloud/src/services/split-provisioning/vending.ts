import { ThinglineError } from "@thingline/protocol";
import { isFunctionName } from "../../functions/index.js";
import type { StoreKey } from "../../store/store.js";
import { answer, type Operation, type OperationContext, type Scope } from "../operation.js";

/**
 * Who answers a device that asks for its own certificate on `certificate/<client id>/create`:
 *
 * - `off`: nobody of this cloud, so that whoever subscribes there, or a rule, gives the only answer.
 * - `builtin`: the built-in vending service.
 * - `{ function: NAME }`: a function of `CloudDependencies.functions`, called with the event of the original's rule, `{ deviceId }`, which is
 *   the client id as it stands; `csr` besides, in base64, for a request on `certificate/<client id>/create-from-csr`. It publishes key and
 *   certificate by itself, and what it returns is not looked at.
 */
export type Vending = "off" | "builtin" | { function: string };

/** `start`: the option of this cloud, which holds while it runs. `stored`: somebody switched it. `default`: nobody has. */
export interface VendingState {
  vending: Vending;
  decidedBy: "start" | "stored" | "default";
}

type VendingRecord = { vending: Vending };

const keyOf = ({ account, region }: Scope): StoreKey => [account, region, "vending"];

/** @throws {ThinglineError} OPTION_INVALID */
export function checkVending(vending: unknown): Vending {
  const checked = parseVending(vending);
  if (checked !== undefined) return checked;
  throw new ThinglineError("OPTION_INVALID", expected(vending), { details: { option: "vending" } });
}

function parseVending(vending: unknown): Vending | undefined {
  if (vending === "off" || vending === "builtin") return vending;
  const name = typeof vending === "object" && vending !== null && "function" in vending ? vending.function : undefined;
  return typeof name === "string" && isFunctionName(name) ? { function: name } : undefined;
}

const expected = (got: unknown) =>
  `vending must be "off", "builtin" or { function: NAME }, NAME as of cloud start --function, got ${show(got)}`;

const shownCharactersMax = 80;

/** It may be nested without end. */
function show(got: unknown): string {
  if (typeof got === "string") return JSON.stringify(got.slice(0, shownCharactersMax));
  if (Array.isArray(got)) return "a list";
  if (typeof got !== "object" || got === null) return String(got).slice(0, shownCharactersMax);
  const name: unknown = (got as { function?: unknown }).function;
  return typeof name === "object" || name === undefined ? "an object" : `{ function: ${show(name)} }`;
}

/** @param chosen at the start of this cloud, which nothing stored overrules */
export function createVendingOperations(chosen: Vending | undefined) {
  const read = async ({ store, scope }: Pick<OperationContext, "store" | "scope">) => {
    const stored = await store.get<VendingRecord>(keyOf(scope));
    const state: VendingState =
      chosen !== undefined
        ? { vending: chosen, decidedBy: "start" }
        : stored !== undefined
          ? { vending: stored.value.vending, decidedBy: "stored" }
          : { vending: "off", decidedBy: "default" };
    return { state, revision: stored?.revision ?? 0 };
  };

  const getVending: Operation<void, VendingState> = async (context) => answer((await read(context)).state);

  /**
   * Switches it, for good and from the next request on. `whereUndecided` leaves what somebody has decided before, and only tells it: so
   * whoever makes a claim switches the built-in service on, and takes nobody's own cloud half its requests.
   *
   * @throws {ThinglineError} REQUEST_INVALID for what it cannot be, and while the option of the running cloud holds.
   */
  const setVending: Operation<
    { vending: unknown; whereUndecided?: boolean },
    VendingState & { isChanged: boolean }
  > = async (context, { vending, whereUndecided = false }) => {
    const wanted = parseVending(vending);
    if (wanted === undefined) throw new ThinglineError("REQUEST_INVALID", expected(vending));
    const { state: before, revision } = await read(context);
    if (whereUndecided && before.decidedBy !== "default") return answer({ ...before, isChanged: false });
    if (before.decidedBy === "start") {
      const message = `this cloud was started with vending ${nameOfVending(before.vending)}, which holds while it runs`;
      throw new ThinglineError("REQUEST_INVALID", message);
    }
    const isChanged = JSON.stringify(before.vending) !== JSON.stringify(wanted);
    const value: VendingRecord = { vending: wanted };
    return {
      result: { vending: wanted, decidedBy: "stored", isChanged },
      operations: [{ key: keyOf(context.scope), expectedRevision: revision, value }],
      effects: [],
    };
  };

  return { getVending, setVending };
}

/** For people and command lines. */
export function nameOfVending(vending: Vending): string {
  return typeof vending === "string" ? vending : `function ${vending.function}`;
}
