// Jobs over a memory store in virtual time: things, devices that ask over MQTT, and what they are told.
import type { JobsTopic } from "@thingline/protocol/jobs";
import { jobsTopic } from "@thingline/protocol/jobs";
import { answer, answered, type Operation } from "../operation.js";
import { openServiceWorld, scope, type ServiceWorld } from "../world.test.support.js";
import type { JobDocuments } from "./documents.js";
import { jobsServiceName } from "./model.js";
import { createMqttRequests } from "./mqtt-operations.js";
import { createShadows, type Shadows } from "../shadow/service.js";
import { packageReporter } from "./report-packages.js";
import { createJobs, type Jobs } from "./service.js";
import type { JobContent } from "./settings.js";
import { registryTargets } from "./targets.js";
import { noJobsLimits, type JobsLimits } from "./throttle.js";
import { createJobsTopics } from "./topics.js";
import { createJobsWake } from "./wake.js";

export interface Told {
  /** Below `$aws/things/`, or an event below `$aws/events/`. */
  topic: string;
  message: Record<string, unknown>;
  to: string | undefined;
}

export interface JobsWorld extends ServiceWorld {
  jobs: Jobs;
  shadows: Shadows;
  /** By the reporter of packages. */
  jobsLogged: string[];
  createThings(...names: string[]): Promise<void>;
  create(jobId: string, things: readonly string[], more?: Record<string, unknown>): Promise<void>;
  /** Asks as the device `thingName`, whose client id is its name; resolves when the request would be acknowledged. */
  ask(topic: JobsTopic, payload?: unknown): Promise<void>;
  /** What was published since the last call. */
  take(): Promise<Told[]>;
  exchange(topic: JobsTopic, payload?: unknown): Promise<Told[]>;
  /** Lets time pass, and everything happen that is due. */
  pass(ms: number): Promise<void>;
  status(jobId: string): Promise<string | undefined>;
  counts(jobId: string): Promise<Record<string, number>>;
}

export const thingArn = (name: string): string => `arn:aws:iot:us-east-1:123456789012:thing/${name}`;
export const groupArn = (name: string): string => `arn:aws:iot:us-east-1:123456789012:thinggroup/${name}`;
export const jobDocument = '{"operation":"test"}';

const noTemplate: Operation<unknown, JobContent> = async () => answer({});

const documents: JobDocuments = {
  read: async (_run, url) => JSON.stringify({ from: url }),
  presign: (_scope, url, { expiresInSeconds, nowMs }) => `${url}?expires=${expiresInSeconds}&now=${nowMs}`,
};

export async function openJobsWorld({
  isLimited = false,
  limits = noJobsLimits,
  presign = (...asked) => documents.presign(...asked),
}: { isLimited?: boolean; limits?: JobsLimits; presign?: JobDocuments["presign"] } = {}): Promise<JobsWorld> {
  const shadows = createShadows();
  const logged: string[] = [];
  const note = (event: string, facts?: object) => void logged.push(`${event} ${JSON.stringify(facts)}`);
  const deps = {
    targets: registryTargets,
    documents: { ...documents, presign },
    findJobTemplate: noTemplate,
    reportPackages: packageReporter({
      updateShadow: shadows.addressed.update,
      log: { debug: note, info: note, warn: note, error: note },
    }),
    isLimited,
  };
  const jobs = createJobs(deps);
  const wakeHandlers = new Map([[jobsServiceName, createJobsWake(deps)]]);
  const world = await openServiceWorld({ wakeHandlers, membershipWatchers: [jobsServiceName] });
  const topics = createJobsTopics({ answer: createMqttRequests(deps), clock: world.clock, log: world.log, limits });

  const ask: JobsWorld["ask"] = async (topic, payload) => {
    const { thingName: clientId } = topic;
    const message = { scope, topic: jobsTopic(topic), payload: encode(payload), clientId };
    await answered(topics, { ...message, certificateId: undefined, source: "client" }, world.runner);
  };
  const take: JobsWorld["take"] = async () =>
    (await world.takeEffects()).flatMap((effect) => {
      if (effect.type !== "publish") return [];
      const topic = effect.topic.replace(/^\$aws\/(?:things|events)\//, "");
      const message = JSON.parse(new TextDecoder().decode(effect.payload)) as Record<string, unknown>;
      return [{ topic, message, to: effect.onlyToClientId }];
    });
  const describe = async (jobId: string) => (await world.run(jobs.describeJob, { jobId })).job;
  return Object.assign(world, {
    jobs,
    shadows,
    jobsLogged: logged,
    ask,
    take,
    async createThings(...names: string[]) {
      for (const thingName of names) await world.run(world.registry.createThing, { thingName });
    },
    async create(jobId: string, things: readonly string[], more: Record<string, unknown> = {}) {
      await world.run(jobs.createJob, { jobId, targets: things.map(thingArn), document: jobDocument, ...more });
    },
    async exchange(topic: JobsTopic, payload?: unknown) {
      await ask(topic, payload);
      return take();
    },
    async pass(ms: number) {
      await world.clock.advance(ms);
      await world.runner.idle();
    },
    status: async (jobId: string) => (await describe(jobId))?.status,
    async counts(jobId: string) {
      const details = (await describe(jobId))?.jobProcessDetails ?? {};
      const counts: Record<string, number> = {};
      for (const [name, count] of Object.entries(details)) {
        const status = /^numberOf(\w+)Things$/.exec(name)?.[1];
        if (status !== undefined && typeof count === "number" && count > 0) counts[status] = count;
      }
      return counts;
    },
  });
}

/** JSON of a value; text and bytes as they are; nothing for undefined. */
function encode(payload: unknown): Uint8Array {
  if (payload === undefined) return new Uint8Array();
  if (payload instanceof Uint8Array) return payload;
  return new TextEncoder().encode(typeof payload === "string" ? payload : JSON.stringify(payload));
}
