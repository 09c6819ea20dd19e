import { isThinglineError, ThinglineError } from "@thingline/protocol";
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
  type ShadowDeleteAccepted,
  type ShadowDocument,
  type ShadowGetAccepted,
  type ShadowId,
  type ShadowUpdate,
  type ShadowUpdateAccepted,
} from "@thingline/protocol/shadow";
import type { StoreEntry, StoreKey, StoreOperation } from "../../store/store.js";
import { checkTexts } from "../../model/check-input.js";
import { compilePattern } from "../../model/patterns.js";
import type { PlainShape } from "../../model/shapes.js";
import { awsOperation, awsOperationWith, type ServedOperation } from "../aws-operation.js";
import { answer, type Effect, type Operation, type OperationContext, type Outcome } from "../operation.js";
import { lastName, pageSizeDefault, readPage } from "../page.js";
import { requireExistingThing } from "../registry/index.js";
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
import { checkPackageShadow, packageShadowName } from "./package-shadow.js";
import { ShadowAddress } from "./shadow-address.js";

export interface ShadowOptions {
  /**
   * `accepted`: a shadow needs no thing in the registry, as users of AWS report. `refused`: 404 "Thing not found", as its
   * list of errors has it. Default `accepted`.
   */
  unknownThings?: "accepted" | "refused";
}

export const namedShadowsPageSizeMax = 100;

/** As topics give them: AWS's shapes, at hand without the model, since a request on MQTT waits for nothing. */
export const nameShapes: Readonly<Record<keyof ShadowId, PlainShape>> = {
  thingName: { type: "string", min: 1, max: 128, pattern: compilePattern("[a-zA-Z0-9:_-]+") },
  shadowName: {
    ...{ type: "string", min: 1, max: shadowNameCharactersMax },
    pattern: compilePattern(shadowNamePattern.source),
  },
};

/** The payload is the body of the request as it came, over MQTT and over HTTP. */
type Request = ShadowId & { payload?: Uint8Array | undefined };

/** A request whose names were checked before. */
export interface AddressedRequest {
  shadow: ShadowAddress;
  payload: Uint8Array;
}

/** What an operation knows of the shadow when it decides. */
interface Current {
  key: StoreKey;
  revision: number;
  document: ShadowDocument | undefined;
  /** Of a deletion that still counts, else 0. */
  deletedVersion: number;
}

/** A request to one shadow, step by step. The body of the answer is made when somebody asks for it. */
interface ShadowOperation<Parsed, Result> {
  parse(this: void, payload: Uint8Array): Parsed;
  decide(
    this: void,
    context: OperationContext,
    shadow: ShadowAddress,
    current: Current,
    request: Parsed,
  ): Outcome<() => Result>;
}

export type Shadows = ReturnType<typeof createShadows>;

/** @throws {ThinglineError} REQUEST_INVALID for names that AWS does not take. */
export function addressShadow(id: ShadowId): ShadowAddress {
  checkTexts(nameShapes, { thingName: id.thingName, shadowName: id.shadowName });
  return new ShadowAddress(id);
}

/**
 * The Device Shadow service. Members are the operations of AWS IoT by their names; results are the bodies of AWS's
 * answers. What is published on a shadow's topics is the same whichever face the request came through: the members of
 * `addressed` are the same operations for who has checked the names already and wants no body.
 */
export function createShadows({ unknownThings = "accepted" }: ShadowOptions = {}) {
  const needsThing = unknownThings === "refused";

  const checkThing = async (context: OperationContext, name: string): Promise<void> => {
    try {
      await context.call(requireExistingThing, { thingName: name });
    } catch (error) {
      if (!isThinglineError(error, "RESOURCE_NOT_FOUND")) throw error;
      throw new ThinglineError("RESOURCE_NOT_FOUND", "Thing not found", { details: { name }, cause: error });
    }
  };

  const readSlowly = async (context: OperationContext, shadow: ShadowAddress): Promise<Current> => {
    if (needsThing) await checkThing(context, shadow.id.thingName);
    const key = shadow.key(context.scope);
    return currentOf(key, await context.store.get<ShadowRecord>(key), context.nowMs);
  };

  /** Without waiting, where the store can. */
  const run = <Parsed, Result>(
    { parse, decide }: ShadowOperation<Parsed, Result>,
    context: OperationContext,
    { shadow, payload }: AddressedRequest,
  ): Outcome<() => Result> | Promise<Outcome<() => Result>> => {
    const request = parse(payload);
    const { store, scope, nowMs } = context;
    if (needsThing || store.peek === undefined) {
      return readSlowly(context, shadow).then((current) => decide(context, shadow, current, request));
    }
    const key = shadow.key(scope);
    return decide(context, shadow, currentOf(key, store.peek<ShadowRecord>(key), nowMs), request);
  };

  const addressed = <Parsed>(one: ShadowOperation<Parsed, object>): Operation<AddressedRequest, unknown> => {
    const runOne: Operation<AddressedRequest, unknown> = (context, request) => run(one, context, request);
    return Object.assign(runOne, { lane: ({ shadow }: AddressedRequest) => shadow.lane });
  };

  const withBody =
    <Parsed, Result>(one: ShadowOperation<Parsed, Result>) =>
    async (context: OperationContext, { payload = new Uint8Array(), ...id }: Request): Promise<Outcome<Result>> => {
      const { result, ...outcome } = await run(one, context, { shadow: new ShadowAddress(id), payload });
      return { result: result(), ...outcome };
    };

  const listMembers = ["thingName", "nextToken", "pageSize"] as const;
  const listNamedShadowsForThing = awsOperation(
    "iot-data",
    "ListNamedShadowsForThing",
    listMembers,
    async (context, input) => {
      if (needsThing) await checkThing(context, input.thingName);
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
    },
  );

  return {
    getThingShadow: inLane(awsOperationWith("iot-data", "GetThingShadow", names, withBody(getOperation), bodyOf)),
    updateThingShadow: inLane(
      awsOperationWith("iot-data", "UpdateThingShadow", [...names, "payload"], withBody(updateOperation), bodyOf),
    ),
    deleteThingShadow: inLane(
      awsOperationWith("iot-data", "DeleteThingShadow", names, withBody(deleteOperation), bodyOf),
    ),
    listNamedShadowsForThing,
    addressed: {
      get: addressed(announced(getOperation)),
      update: addressed(updateOperation),
      delete: addressed(deleteOperation),
    },
  };
}

const getOperation: ShadowOperation<{ clientToken?: string }, ShadowGetAccepted> = {
  parse: decodeShadowGet,
  decide(context, { id }, { document }, { clientToken }) {
    if (document === undefined) throw shadowNotFound(id);
    return answer(() => composeGetAccepted(document, { nowSeconds: secondsOf(context), clientToken }));
  },
};

const updateOperation: ShadowOperation<ShadowUpdate, ShadowUpdateAccepted> = {
  parse: decodeShadowUpdate,
  decide(context, shadow, { key, revision, document: previous, deletedVersion }, request) {
    const nowSeconds = secondsOf(context);
    if (shadow.id.shadowName === packageShadowName) checkPackageShadow(request);
    const document = updateShadow(previous, request, { deletedVersion, nowSeconds });
    const facts = { nowSeconds, clientToken: request.clientToken };
    const accepted = () => composeUpdateAccepted(document, request, facts);
    const delta = composeDelta(document, facts);
    const effects: Effect[] = [publishJson(shadow.topic("update/accepted"), accepted)];
    if (delta !== undefined) effects.push(publishJson(shadow.topic("update/delta"), () => delta));
    effects.push(publishJson(shadow.topic("update/documents"), () => composeDocuments(previous, document, facts)));
    const value: ShadowRecord = { document };
    const write: StoreOperation = { key, expectedRevision: revision, value };
    return { result: accepted, operations: [write], effects };
  },
};

const deleteOperation: ShadowOperation<{ clientToken: string | undefined }, ShadowDeleteAccepted> = {
  // Whatever else the payload of a delete holds is ignored.
  parse: (payload) => ({ clientToken: findClientToken(payload) }),
  decide(context, shadow, { key, revision, document }, { clientToken }) {
    if (document === undefined) throw shadowNotFound(shadow.id);
    const accepted = () => composeDeleteAccepted(document.version, { nowSeconds: secondsOf(context), clientToken });
    // The deletion is a version of its own: what is created next is two above the deleted document.
    const value: ShadowRecord = { deletedVersion: document.version + 1, deletedAtMs: context.nowMs };
    return {
      result: accepted,
      operations: [{ key, expectedRevision: revision, value }],
      effects: [publishJson(shadow.topic("delete/accepted"), accepted), forgetAt(shadow.id, context.nowMs)],
    };
  },
};

/** Over HTTP the body is the answer to a get; to whoever listens it is a message. */
function announced<Parsed>({ parse, decide }: ShadowOperation<Parsed, object>): ShadowOperation<Parsed, object> {
  return {
    parse,
    decide(context, shadow, current, request) {
      const outcome = decide(context, shadow, current, request);
      return { ...outcome, effects: [publishJson(shadow.topic("get/accepted"), outcome.result)] };
    },
  };
}

function currentOf(key: StoreKey, entry: StoreEntry<ShadowRecord> | undefined, nowMs: number): Current {
  const { document, deletedVersion } = readRecord(entry?.value, nowMs);
  return { key, revision: entry?.revision ?? 0, document, deletedVersion };
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

const names = ["thingName", "shadowName"] as const;
const encoder = new TextEncoder();

/** To AWS the document is a payload, whatever is in it. */
const bodyOf = (document: object): { payload: Uint8Array } => ({ payload: encoder.encode(JSON.stringify(document)) });

/** What of the service is served over HTTP. */
export function servedShadowOperations(shadows: Shadows): readonly ServedOperation[] {
  const { getThingShadow, updateThingShadow, deleteThingShadow, listNamedShadowsForThing } = shadows;
  return [getThingShadow, updateThingShadow, deleteThingShadow, listNamedShadowsForThing];
}

function inLane<Input extends ShadowId, Face extends Operation<Input, unknown>>(
  operation: Face & Operation<Input, unknown>,
): Face & { lane: (id: Input) => string } {
  return Object.assign(operation, { lane: laneOf });
}

/** Names that are no names have a lane as well: they are refused in it. */
const laneOf = ({ thingName, shadowName }: ShadowId) => `shadow/${nameOf({ thingName, shadowName }, "/")}`;

const shadowNotFound = (id: ShadowId) =>
  new ThinglineError("SHADOW_NOT_FOUND", `No shadow exists with name: '${nameOf(id)}'`);

const secondsOf = ({ nowMs }: OperationContext) => Math.floor(nowMs / 1000);
