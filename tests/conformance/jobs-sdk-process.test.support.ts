// Devices that do their jobs with the jobs clients of AWS's device SDK, in a process of their own, as the SDK never lets a process end that had an
// MQTT 5 client (awslabs/aws-crt-nodejs#600). Each prints a line for what became of a job.
import { once } from "node:events";
import { iot, iotjobs, mqtt, mqtt5 } from "aws-iot-device-sdk-v2";

export const kinds = ["IotJobsClient 3.1.1", "IotJobsClient 5", "IotJobsClientv2 3.1.1", "IotJobsClientv2 5"] as const;
export type Kind = (typeof kinds)[number];

export interface JobsTask {
  devices: readonly { kind: Kind; thingName: string }[];
  port: number;
  caFile: string;
  certificateFile: string;
  keyFile: string;
}

/** What a job asks for: how it ends on each thing. A thing that hangs starts it and reports no more. */
export interface Outcomes {
  outcomes?: Readonly<Record<string, "SUCCEEDED" | "FAILED" | "REJECTED" | "hang">>;
}

export interface Reported {
  thingName: string;
  jobId: string;
  /** Undefined for one that hangs. */
  status: string | undefined;
}

interface JobsApi {
  /** Calls back with each first job that is another one. */
  onNext(listener: () => void): Promise<void>;
  startNext(): Promise<iotjobs.model.JobExecutionData | undefined>;
  update(jobId: string, update: Update): Promise<iotjobs.model.UpdateJobExecutionResponse>;
}

type Update = Pick<iotjobs.model.UpdateJobExecutionRequest, "status" | "statusDetails" | "expectedVersion">;

const qos = mqtt.QoS.AtLeastOnce;
const { JobStatus } = iotjobs.model;

async function connect311(task: JobsTask, clientId: string): Promise<mqtt.MqttClientConnection> {
  const builder = iot.AwsIotMqttConnectionConfigBuilder.new_mtls_builder_from_path(task.certificateFile, task.keyFile);
  const config = builder
    .with_certificate_authority_from_path(undefined, task.caFile)
    .with_endpoint("localhost")
    .with_port(task.port)
    .with_client_id(clientId)
    .with_clean_session(true)
    .build();
  const connection = new mqtt.MqttClient().new_connection(config);
  connection.on("error", () => undefined);
  await connection.connect();
  return connection;
}

async function connect5(task: JobsTask, clientId: string): Promise<mqtt5.Mqtt5Client> {
  const { AwsIotMqtt5ClientConfigBuilder: Builder } = iot;
  const builder = Builder.newDirectMqttBuilderWithMtlsFromPath("localhost", task.certificateFile, task.keyFile)
    .withCertificateAuthorityFromPath(undefined, task.caFile)
    .withPort(task.port)
    .withConnectProperties({ clientId, keepAliveIntervalSeconds: 1200 });
  const client = new mqtt5.Mqtt5Client(builder.build());
  const connected = once(client, "connectionSuccess");
  client.start();
  await connected;
  return client;
}

/** The client of the first generation: every answer is subscribed to, and belongs to whoever has its token. */
async function firstGeneration(client: iotjobs.IotJobsClient, thingName: string): Promise<JobsApi> {
  const answers = new Map<string, { resolve: (value: never) => void; reject: (error: Error) => void }>();
  let count = 0;
  const accept = (error?: iotjobs.IotJobsError, response?: { clientToken?: string }): void => {
    if (error !== undefined) throw error;
    answers.get(response?.clientToken ?? "")?.resolve(response as never);
  };
  const refuse = (error?: iotjobs.IotJobsError, response?: iotjobs.model.RejectedErrorResponse): void => {
    if (error !== undefined) throw error;
    answers.get(response?.clientToken ?? "")?.reject(new Error(`${response?.code}: ${response?.message}`));
  };
  const ask = <Answer>(publish: (clientToken: string) => Promise<unknown>): Promise<Answer> =>
    new Promise((resolve, reject) => {
      const clientToken = `${thingName}-${++count}`;
      answers.set(clientToken, { resolve: resolve, reject });
      publish(clientToken).catch(reject);
    });
  await client.subscribeToStartNextPendingJobExecutionAccepted({ thingName }, qos, accept);
  await client.subscribeToStartNextPendingJobExecutionRejected({ thingName }, qos, refuse);
  const jobs = new Set<string>();
  return {
    async onNext(listener) {
      await client.subscribeToNextJobExecutionChangedEvents({ thingName }, qos, (error, event) => {
        if (error !== undefined) throw error;
        if (event?.execution?.status === JobStatus.QUEUED) listener();
      });
    },
    async startNext() {
      const answer = await ask<iotjobs.model.StartNextJobExecutionResponse>((clientToken) =>
        client.publishStartNextPendingJobExecution({ thingName, clientToken }, qos),
      );
      return answer.execution;
    },
    async update(jobId, update) {
      // Over MQTT 5 this client finds no listener by a wildcard.
      if (!jobs.has(jobId)) {
        await client.subscribeToUpdateJobExecutionAccepted({ thingName, jobId }, qos, accept);
        await client.subscribeToUpdateJobExecutionRejected({ thingName, jobId }, qos, refuse);
        jobs.add(jobId);
      }
      return ask((clientToken) => client.publishUpdateJobExecution({ thingName, jobId, clientToken, ...update }, qos));
    },
  };
}

/** The client of the second generation: requests are promises, and events a stream with a subscription of its own. */
async function secondGeneration(client: iotjobs.IotJobsClientv2, thingName: string): Promise<JobsApi> {
  return {
    async onNext(listener) {
      const stream = client.createNextJobExecutionChangedStream({ thingName });
      stream.on("incomingPublish", ({ message }) => {
        if (message.execution?.status === JobStatus.QUEUED) listener();
      });
      const established = new Promise<void>((resolve) => stream.on("subscriptionStatus", () => resolve()));
      stream.open();
      await established;
    },
    startNext: async () => (await client.startNextPendingJobExecution({ thingName })).execution,
    update: (jobId, update) => client.updateJobExecution({ thingName, jobId, ...update }),
  };
}

async function openApi(task: JobsTask, kind: Kind, thingName: string): Promise<JobsApi> {
  const limits = { maxRequestResponseSubscriptions: 6, maxStreamingSubscriptions: 4, operationTimeoutInSeconds: 30 };
  switch (kind) {
    case "IotJobsClient 3.1.1":
      return firstGeneration(new iotjobs.IotJobsClient(await connect311(task, thingName)), thingName);
    case "IotJobsClient 5":
      return firstGeneration(iotjobs.IotJobsClient.newFromMqtt5Client(await connect5(task, thingName)), thingName);
    case "IotJobsClientv2 3.1.1":
      return secondGeneration(
        iotjobs.IotJobsClientv2.newFromMqtt311(await connect311(task, thingName), limits),
        thingName,
      );
    case "IotJobsClientv2 5":
      return secondGeneration(iotjobs.IotJobsClientv2.newFromMqtt5(await connect5(task, thingName), limits), thingName);
  }
}

async function work(api: JobsApi, thingName: string, report: (reported: Reported) => void): Promise<void> {
  const execution = await api.startNext();
  if (execution?.jobId === undefined) return;
  const { jobId, jobDocument, versionNumber = 0 } = execution;
  const document: Outcomes | undefined = jobDocument;
  const outcome = document?.outcomes?.[thingName] ?? "SUCCEEDED";
  if (outcome === "hang") return report({ thingName, jobId, status: undefined });
  await api.update(jobId, {
    status: JobStatus.IN_PROGRESS,
    statusDetails: { step: "1" },
    expectedVersion: versionNumber,
  });
  await api.update(jobId, { status: JobStatus[outcome], expectedVersion: versionNumber + 1 });
  report({ thingName, jobId, status: outcome });
}

async function run(task: JobsTask): Promise<void> {
  const print = (line: object): void => void process.stdout.write(`${JSON.stringify(line)}\n`);
  const fail = (error: unknown): void => {
    process.stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`, () => process.exit(1));
  };
  await Promise.all(
    task.devices.map(async ({ kind, thingName }) => {
      const api = await openApi(task, kind, thingName);
      await api.onNext(() => void work(api, thingName, print).catch(fail));
    }),
  );
  print({ ready: true });
}

const [, , words] = process.argv;
if (words !== undefined) await run(JSON.parse(words) as JobsTask);
