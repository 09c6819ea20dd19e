// A service that uses everything that a service can: what it takes to add one.
import { ThinglineError } from "@thingline/protocol";
import type { StoreKey } from "../../store/store.js";
import { keepBlob, releaseBlob } from "../blob-records.js";
import { answer, type Operation, type Scope } from "../operation.js";
import type { Registry } from "../registry/index.js";
import { saga } from "../saga.js";

export const sampleServiceName = "sample";
/** A sample is forgotten after this time. */
export const sampleKeptMs = 3_600_000;
const sampleBytesMax = 1_000;

type SampleRecord = { blobName: string; bytes: number };
const sampleKey = ({ account, region }: Scope, name: string): StoreKey => [account, region, "sample", name];
const seenKey = ({ account, region }: Scope, clientId: string): StoreKey => [account, region, "sampleSeen", clientId];

export type Samples = ReturnType<typeof createSamples>;

export function createSamples({ createThing }: Pick<Registry, "createThing">) {
  /** What the saga ends with: everything that is to be true together. */
  const commitSample: Operation<{ name: string; blobName: string; bytes: number; sha256: string }, void> = async (
    context,
    { name, blobName, ...facts },
  ) => {
    const { scope, nowMs } = context;
    await context.call(createThing, { thingName: name });
    const value: SampleRecord = { blobName, bytes: facts.bytes };
    return {
      result: undefined,
      operations: [
        { key: sampleKey(scope, name), expectedRevision: 0, value },
        keepBlob(scope, sampleServiceName, blobName, facts),
      ],
      effects: [
        { type: "publish", topic: `samples/${name}/created`, payload: new Uint8Array(), qos: 1 },
        { type: "wakeAt", service: sampleServiceName, name, atUnixMs: nowMs + sampleKeptMs },
      ],
    };
  };

  const createSample = saga(
    sampleServiceName,
    async ({ blobs, random, run }, { sampleName: name, content }: { sampleName: string; content: Uint8Array }) => {
      const blobName = random.uuid();
      const facts = await blobs.put(blobName, [content], { bytesMax: sampleBytesMax });
      try {
        await run(commitSample, { name, blobName, ...facts });
      } catch (error) {
        await blobs.delete(blobName);
        throw error;
      }
      return { sampleName: name, sha256: facts.sha256 };
    },
  );

  const findSample: Operation<{ sampleName: string }, SampleRecord> = async ({ store, scope }, input) => {
    const entry = await store.get<SampleRecord>(sampleKey(scope, input.sampleName));
    if (entry === undefined) throw new ThinglineError("RESOURCE_NOT_FOUND", `no sample ${input.sampleName}`);
    return answer(entry.value);
  };

  const tellPart: Operation<{ name: string; clientId: string; part: Uint8Array }, void> = async (_, input) => {
    const { name, clientId, part } = input;
    const topic = `samples/${name}/part`;
    return {
      result: undefined,
      operations: [],
      effects: [{ type: "publish", topic, payload: part, qos: 1, onlyToClientId: clientId }],
    };
  };

  /** The end of a sample, to whoever asked. */
  const sendPart = saga(
    sampleServiceName,
    async ({ blobs, run }, { name, clientId, start }: { name: string; clientId: string; start: number }) => {
      const { blobName } = await run(findSample, { sampleName: name });
      const reading = await blobs.read(blobName, { start });
      for await (const part of reading?.chunks ?? []) await run(tellPart, { name, clientId, part });
    },
  );

  const forgetSample: Operation<{ name: string }, void> = async ({ store, scope }, { name }) => {
    const entry = await store.get<SampleRecord>(sampleKey(scope, name));
    if (entry === undefined) return answer(undefined);
    const { operation: released, effect } = releaseBlob(scope, sampleServiceName, entry.value.blobName);
    const { key, revision } = entry;
    return {
      result: undefined,
      operations: [{ key, expectedRevision: revision, delete: true }, released],
      effects: [effect],
    };
  };

  const noteClient: Operation<{ clientId: string; word: string }, void> = async ({ scope }, { clientId, word }) => {
    const operations = [{ key: seenKey(scope, clientId), value: word }];
    return { result: undefined, operations, effects: [] };
  };

  const wasSeen: Operation<{ clientId: string }, string | undefined> = async ({ store, scope }, { clientId }) =>
    answer((await store.get<string>(seenKey(scope, clientId)))?.value);

  return { createSample, findSample, sendPart, forgetSample, noteClient, wasSeen };
}
