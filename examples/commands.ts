// A gateway that does what its commands say, and says what came of it; whoever starts them does so with the AWS SDK.
import { CreateCommandCommand, GetCommandExecutionCommand, IoTClient } from "@aws-sdk/client-iot";
import { IoTJobsDataPlaneClient, StartCommandExecutionCommand } from "@aws-sdk/client-iot-jobs-data-plane";
import { startCloud } from "@thingline/cloud/node";
import { runCommands } from "@thingline/device/commands";
import { connectDevice } from "@thingline/device/node";
import { createNodeClock, createNodeRandom } from "@thingline/transport/node";

const say = (text: string) => void process.stdout.write(`${text}\n`);
await using cloud = await startCloud({ memory: true, mqttsPort: 0, httpsPort: 0, apiPort: 0 });
const thing = await cloud.createThing("gateway-7");

// The gateway: this is all that it takes.
await using device = await connectDevice({ ...thing, version: 5 });
await using commands = await runCommands(device, {
  clock: createNodeClock(),
  random: createNodeRandom(),
  handlers: {
    light: async ({ document }) => {
      const { level } = document as { level: number };
      if (level > 9) return { status: "REJECTED", reasonCode: "TOO_BRIGHT", reasonDescription: "it goes to 9" };
      return { status: "SUCCEEDED", result: { level: String(level), isOn: level > 0 } };
    },
  },
});

const ended = new Promise<void>((resolve) => {
  let count = 0;
  commands.on("commandEnded", ({ status, reasonCode = "" }) => {
    say(`gateway: ${status} ${reasonCode}`.trimEnd());
    if (++count === 3) resolve();
  });
});

// Whoever starts them: any AWS SDK, here with the local cloud as its endpoint.
const place = {
  endpoint: cloud.addresses.api,
  region: "us-east-1",
  credentials: { accessKeyId: "test", secretAccessKey: "test" },
};
const [iot, jobsData] = [new IoTClient(place), new IoTJobsDataPlaneClient(place)];
const create = async (commandId: string, template: object) => {
  const { commandArn } = await iot.send(
    new CreateCommandCommand({
      ...{ commandId, namespace: "AWS-IoT", payloadTemplate: JSON.stringify(template) },
      preprocessor: { awsJsonSubstitution: { outputFormat: "JSON" } },
      mandatoryParameters: [{ name: "level", type: "INTEGER", defaultValue: { I: 5 } }],
    }),
  );
  return commandArn;
};
const start = async (commandArn: string | undefined, level?: number) => {
  const parameters = level === undefined ? {} : { parameters: { level: { I: level } } };
  const { executionId } = await jobsData.send(
    new StartCommandExecutionCommand({
      commandArn,
      targetArn: thing.thingArn,
      executionTimeoutSeconds: 60,
      ...parameters,
    }),
  );
  return executionId;
};
const level = "${aws:iot:commandexecution::parameter:level}";
const light = await create("Light", { operation: "light", level });
const coffee = await create("Coffee", { operation: "coffee", level });
const started = [await start(light), await start(light, 11), await start(coffee)];
await ended;
for (const executionId of started) {
  const { status, statusReason, result } = await iot.send(
    new GetCommandExecutionCommand({ executionId, targetArn: thing.thingArn, includeResult: true }),
  );
  say(`started: ${status} ${statusReason?.reasonCode ?? ""} ${JSON.stringify(result ?? {})}`);
}
for (const client of [iot, jobsData]) client.destroy();
