import { ThinglineError } from "@thingline/protocol";
import {
  composeDeleteAccepted,
  composeDelta,
  composeDocuments,
  composeGetAccepted,
  composeUpdateAccepted,
  decodeShadowGet,
  decodeShadowUpdate,
  findClientToken,
  shadowNameCharactersMax,
  shadowNamePattern,
  updateShadow,
  type ShadowId,
} from "@thingline/protocol/shadow";
import type { StoreOperation } from "../../store/store.js";
import type { Effect, Operation, OperationContext } from "../operation.js";
import { pageSizeDefault, readPage } from "../page.js";
import { lastName, registryKeys } from "../registry/model.js";
import { thingName } from "../registry/names.js";
import { answer, bytes, integer, operation, optional, string, type InputOf } from "../shape.js";
import type { WakeHandler } from "../wake-ups.js";
import {
  forgetAt,
  isRemembered,
  nameOf,
  parseWakeName,
  publishJson,
  readRecord,
  shadowKey,
  shadowKeys,
  type ShadowRecord,
} from "./model.js";

export interface ShadowOptions {
  /**
   * `accepted`: a shadow needs no thing in the registry, as users of AWS report. `refused`: 404 "Thing not found", as its
   * list of errors has it. Default `accepted`.
   */
  unknownThings?: "accepted" | "refused";
}

export const namedShadowsPageSizeMax = 100;

const shadowName = optional(string({ pattern: shadowNamePattern, min: 1, max: shadowNameCharactersMax }));
/** The payload is the body of the request as it came, over MQTT and over HTTP. */
const requestShape = { thingName, shadowName, payload: optional(bytes()) };
type Request = InputOf<typeof requestShape>;

export type Shadows = ReturnType<typeof createShadows>;

/**
 * The Device Shadow service. Members are the operations of AWS IoT by their names; results are the bodies of AWS's
 * answers. What is published on a shadow's topics is the same whichever face the request came through.
 */
export function createShadows({ unknownThings = "accepted" }: ShadowOptions = {}) {
  /** The thing must be there when the commit is made, if it must be there at all. */
  const checkThing = async ({ store, scope }: OperationContext, name: string): Promise<StoreOperation[]> => {
    if (unknownThings === "accepted") return [];
    const key = registryKeys.thing(scope, name);
    const thing = await store.get(key);
    if (thing === undefined) throw new ThinglineError("RESOURCE_NOT_FOUND", "Thing not found", { details: { name } });
    return [{ key, expectedRevision: thing.revision, check: true }];
  };

  const getThingShadow = inLane(
    operation(requestShape, async (context, { payload = new Uint8Array(), ...id }) => {
      const { clientToken } = decodeShadowGet(payload);
      await checkThing(context, id.thingName);
      const { document } = await readShadow(context, id);
      if (document === undefined) throw shadowNotFound(id);
      return answer(composeGetAccepted(document, { nowSeconds: secondsOf(context), clientToken }));
    }),
  );

  const updateThingShadow = inLane(
    operation(requestShape, async (context, { payload = new Uint8Array(), ...id }) => {
      const update = decodeShadowUpdate(payload);
      const thing = await checkThing(context, id.thingName);
      const { document: previous, deletedVersion, key, revision } = await readShadow(context, id);
      const nowSeconds = secondsOf(context);
      const document = updateShadow(previous, update, { deletedVersion, nowSeconds });
      const facts = { nowSeconds, clientToken: update.clientToken };
      const accepted = composeUpdateAccepted(document, update, facts);
      const delta = composeDelta(document, facts);
      const effects: Effect[] = [
        publishJson(id, "update/accepted", () => accepted),
        ...(delta === undefined ? [] : [publishJson(id, "update/delta", () => delta)]),
        publishJson(id, "update/documents", () => composeDocuments(previous, document, facts)),
      ];
      const value: ShadowRecord = { document };
      return { result: accepted, operations: [{ key, expectedRevision: revision, value }, ...thing], effects };
    }),
  );

  const deleteThingShadow = inLane(
    operation(requestShape, async (context, { payload = new Uint8Array(), ...id }) => {
      const thing = await checkThing(context, id.thingName);
      const { document, key, revision } = await readShadow(context, id);
      if (document === undefined) throw shadowNotFound(id);
      // Whatever else the payload of a delete holds is ignored.
      const facts = { nowSeconds: secondsOf(context), clientToken: findClientToken(payload) };
      const result = composeDeleteAccepted(document.version, facts);
      // The deletion is a version of its own: what is created next is two above the deleted document.
      const value: ShadowRecord = { deletedVersion: document.version + 1, deletedAtMs: context.nowMs };
      return {
        result,
        operations: [{ key, expectedRevision: revision, value }, ...thing],
        effects: [publishJson(id, "delete/accepted", () => result), forgetAt(id, context.nowMs)],
      };
    }),
  );

  const listShape = {
    thingName,
    nextToken: optional(string({ max: 4_096 })),
    pageSize: optional(integer({ min: 1, max: namedShadowsPageSizeMax })),
  };
  const listNamedShadowsForThing = operation(listShape, async (context, input) => {
    await checkThing(context, input.thingName);
    const { entries, nextToken } = await readPage<ShadowRecord>(context.store, {
      prefix: shadowKeys.namedOf(context.scope, input.thingName),
      token: input.nextToken,
      size: input.pageSize ?? pageSizeDefault,
      matches: ({ value }) => "document" in value,
    });
    return answer({
      results: entries.map(({ key }) => lastName(key)),
      ...(nextToken !== undefined && { nextToken }),
      timestamp: secondsOf(context),
    });
  });

  return { getThingShadow, updateThingShadow, deleteThingShadow, listNamedShadowsForThing };
}

/** Forgets a deleted shadow whose version counts no more. For the runner's wake handlers. */
export const wakeShadow: WakeHandler = (scope, name, runner) => runner.run(scope, forgetShadow, parseWakeName(name));

const forgetShadow: Operation<ShadowId, void> = async ({ store, scope, nowMs }, id) => {
  const key = shadowKey(scope, id);
  const entry = await store.get<ShadowRecord>(key);
  const isKept = entry === undefined || "document" in entry.value || isRemembered(entry.value, nowMs);
  if (isKept) return answer(undefined);
  return { result: undefined, operations: [{ key, expectedRevision: entry.revision, delete: true }], effects: [] };
};

async function readShadow({ store, scope, nowMs }: OperationContext, id: ShadowId) {
  const key = shadowKey(scope, id);
  const entry = await store.get<ShadowRecord>(key);
  return { key, revision: entry?.revision ?? 0, ...readRecord(entry?.value, nowMs) };
}

/** Requests to one shadow are answered in their order. */
function inLane<Result>(run: Operation<Request, Result>): Operation<Request, Result> {
  return Object.assign((context: OperationContext, input: Request) => run(context, input), {
    lane: (input: Request) => `shadow/${String(input.thingName)}/${String(input.shadowName)}`,
  });
}

const shadowNotFound = (id: ShadowId) =>
  new ThinglineError("SHADOW_NOT_FOUND", `No shadow exists with name: '${nameOf(id)}'`);

const secondsOf = ({ nowMs }: OperationContext) => Math.floor(nowMs / 1000);
