// A gateway that restarts a service when a job asks for it, and says what became of it; the fleet's manager creates the job with the AWS SDK.
import { CreateJobCommand, DescribeJobExecutionCommand, IoTClient } from "@aws-sdk/client-iot";
import { startCloud } from "@thingline/cloud/node";
import { runJobs } from "@thingline/device/jobs";
import { connectDevice } from "@thingline/device/node";
import { createNodeClock, createNodeRandom } from "@thingline/transport/node";

const say = (text: string) => void process.stdout.write(`${text}\n`);
await using cloud = await startCloud({ memory: true, mqttsPort: 0, httpsPort: 0, apiPort: 0 });
const thing = await cloud.createThing("gateway-7");

/** Stands for `systemctl restart`. */
async function restart(service: string, signal: AbortSignal): Promise<number> {
  signal.throwIfAborted();
  if (service === "no-such-service") throw new Error(`Unit ${service}.service not found.`);
  return 4242;
}

// The gateway: this is all that it takes.
await using device = await connectDevice({ ...thing });
await using jobs = await runJobs(device, {
  clock: createNodeClock(),
  random: createNodeRandom(),
  handlers: {
    "restart-service": async (job) => {
      const { service } = job.document as { service: string };
      await job.report({ step: "restarting" });
      const pid = await restart(service, job.signal);
      return { status: "SUCCEEDED", statusDetails: { pid: String(pid) } };
    },
  },
});

const ended = new Promise<void>((resolve) => {
  let count = 0;
  const told = (what: string, facts: object) => {
    say(`gateway: ${what} ${JSON.stringify(facts)}`);
    if (++count === 3) resolve();
  };
  jobs.on("jobCompleted", ({ jobId, statusDetails }) => told(`${jobId} is done`, statusDetails));
  jobs.on("jobFailed", ({ jobId, statusDetails }) => told(`${jobId} failed`, statusDetails));
  jobs.on("jobRejected", ({ jobId, statusDetails }) => told(`${jobId} is refused`, statusDetails));
});

// The manager: any AWS SDK, here with the local cloud as its endpoint.
const credentials = { accessKeyId: "test", secretAccessKey: "test" };
const manager = new IoTClient({ endpoint: cloud.addresses.api, region: "us-east-1", credentials });
const create = (jobId: string, document: object) =>
  manager.send(new CreateJobCommand({ jobId, targets: [thing.thingArn], document: JSON.stringify(document) }));
await create("restart-nginx", { operation: "restart-service", service: "nginx" });
await create("restart-nothing", { operation: "restart-service", service: "no-such-service" });
await create("make-coffee", { operation: "make-coffee" });
await ended;
for (const jobId of ["restart-nginx", "restart-nothing", "make-coffee"]) {
  const { execution } = await manager.send(new DescribeJobExecutionCommand({ jobId, thingName: "gateway-7" }));
  say(`manager: ${jobId} is ${execution?.status} ${JSON.stringify(execution?.statusDetails?.detailsMap ?? {})}`);
}
manager.destroy();
