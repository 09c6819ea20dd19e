// Devices that are provisioned by the identity clients of AWS's device SDK, in a process of their own, as the SDK never lets a process end that had
// an MQTT 5 client (awslabs/aws-crt-nodejs#600). Each prints one line: what it got, or how it was refused.
import { once } from "node:events";
import { iot, iotidentity, mqtt, mqtt5, mqtt_request_response } from "aws-iot-device-sdk-v2";

export const kinds = [
  "IotIdentityClient 3.1.1",
  "IotIdentityClient 5",
  "IotIdentityClientv2 3.1.1",
  "IotIdentityClientv2 5",
] as const;
export type Kind = (typeof kinds)[number];

export interface IdentityTask {
  kind: Kind;
  clientId: string;
  port: number;
  caFile: string;
  certificateFile: string;
  keyFile: string;
  templateName: string;
  parameters: Record<string, string>;
  /** By this request; without it with keys of the cloud. */
  certificateSigningRequest?: string;
}

export interface Provisioned {
  clientId: string;
  certificatePem?: string | undefined;
  privateKey?: string | undefined;
  thingName?: string | undefined;
  deviceConfiguration?: Record<string, string> | undefined;
  /** The document of `rejected`. */
  rejected?: iotidentity.model.V2ErrorResponse | undefined;
}

interface IdentityApi {
  createKeys(): Promise<iotidentity.model.CreateKeysAndCertificateResponse>;
  createFromCsr(
    request: iotidentity.model.CreateCertificateFromCsrRequest,
  ): Promise<iotidentity.model.CreateCertificateFromCsrResponse>;
  register(request: iotidentity.model.RegisterThingRequest): Promise<iotidentity.model.RegisterThingResponse>;
}

class Rejected extends Error {
  readonly response: iotidentity.model.V2ErrorResponse | undefined;
  constructor(response: iotidentity.model.V2ErrorResponse | undefined) {
    super("rejected");
    this.response = response;
  }
}

const qos = mqtt.QoS.AtLeastOnce;

async function connect311(task: IdentityTask): Promise<mqtt.MqttClientConnection> {
  const builder = iot.AwsIotMqttConnectionConfigBuilder.new_mtls_builder_from_path(task.certificateFile, task.keyFile);
  const config = builder
    .with_certificate_authority_from_path(undefined, task.caFile)
    .with_endpoint("localhost")
    .with_port(task.port)
    .with_client_id(task.clientId)
    .with_clean_session(true)
    .build();
  const connection = new mqtt.MqttClient().new_connection(config);
  connection.on("error", () => undefined);
  await connection.connect();
  return connection;
}

async function connect5(task: IdentityTask): Promise<mqtt5.Mqtt5Client> {
  const { AwsIotMqtt5ClientConfigBuilder: Builder } = iot;
  const builder = Builder.newDirectMqttBuilderWithMtlsFromPath("localhost", task.certificateFile, task.keyFile)
    .withCertificateAuthorityFromPath(undefined, task.caFile)
    .withPort(task.port)
    .withConnectProperties({ clientId: task.clientId, keepAliveIntervalSeconds: 1200 });
  const client = new mqtt5.Mqtt5Client(builder.build());
  const connected = once(client, "connectionSuccess");
  client.start();
  await connected;
  return client;
}

/** The client of the first generation: answers have no token, so there is one request at a time. */
function firstGeneration(client: iotidentity.IotIdentityClient): IdentityApi {
  const ask = async <Answer>(
    accepted: (handler: (error?: Error, response?: Answer) => void) => Promise<unknown>,
    rejected: (handler: (error?: Error, response?: iotidentity.model.ErrorResponse) => void) => Promise<unknown>,
    publish: () => Promise<unknown>,
  ): Promise<Answer> => {
    let settle: { resolve: (answer: Answer) => void; reject: (error: Error) => void } | undefined;
    const answer = new Promise<Answer>((resolve, reject) => (settle = { resolve, reject }));
    await accepted((error, response) =>
      response === undefined ? settle?.reject(error ?? new Error("empty")) : settle?.resolve(response),
    );
    await rejected((error, response) => settle?.reject(error ?? new Rejected(response)));
    // The answer may be there before the PUBACK.
    const [response] = await Promise.all([answer, publish()]);
    return response;
  };
  return {
    createKeys: () =>
      ask(
        (handler) => client.subscribeToCreateKeysAndCertificateAccepted({}, qos, handler),
        (handler) => client.subscribeToCreateKeysAndCertificateRejected({}, qos, handler),
        () => client.publishCreateKeysAndCertificate({}, qos),
      ),
    createFromCsr: (request) =>
      ask(
        (handler) => client.subscribeToCreateCertificateFromCsrAccepted({}, qos, handler),
        (handler) => client.subscribeToCreateCertificateFromCsrRejected({}, qos, handler),
        () => client.publishCreateCertificateFromCsr(request, qos),
      ),
    register: (request) =>
      ask(
        (handler) => client.subscribeToRegisterThingAccepted(request, qos, handler),
        (handler) => client.subscribeToRegisterThingRejected(request, qos, handler),
        () => client.publishRegisterThing(request, qos),
      ),
  };
}

/** The client of the second generation: requests are promises. */
function secondGeneration(client: iotidentity.IotIdentityClientv2): IdentityApi {
  const told = (error: unknown): never => {
    throw error instanceof mqtt_request_response.ServiceError ? new Rejected(error.modeledError as never) : error;
  };
  return {
    createKeys: () => client.createKeysAndCertificate({}).catch(told),
    createFromCsr: (request) => client.createCertificateFromCsr(request).catch(told),
    register: (request) => client.registerThing(request).catch(told),
  };
}

async function openApi(task: IdentityTask): Promise<IdentityApi> {
  const limits = { maxRequestResponseSubscriptions: 6, maxStreamingSubscriptions: 0, operationTimeoutInSeconds: 30 };
  const { IotIdentityClient, IotIdentityClientv2 } = iotidentity;
  switch (task.kind) {
    case "IotIdentityClient 3.1.1":
      return firstGeneration(new IotIdentityClient(await connect311(task)));
    case "IotIdentityClient 5":
      return firstGeneration(IotIdentityClient.newFromMqtt5Client(await connect5(task)));
    case "IotIdentityClientv2 3.1.1":
      return secondGeneration(IotIdentityClientv2.newFromMqtt311(await connect311(task), limits));
    case "IotIdentityClientv2 5":
      return secondGeneration(IotIdentityClientv2.newFromMqtt5(await connect5(task), limits));
  }
}

async function provision(task: IdentityTask): Promise<Provisioned> {
  const { clientId, templateName, parameters, certificateSigningRequest } = task;
  const api = await openApi(task);
  try {
    const created: iotidentity.model.CreateKeysAndCertificateResponse =
      certificateSigningRequest === undefined
        ? await api.createKeys()
        : await api.createFromCsr({ certificateSigningRequest });
    const { certificateOwnershipToken = "", certificatePem, privateKey } = created;
    const { thingName, deviceConfiguration } = await api.register({
      ...{ templateName, parameters, certificateOwnershipToken },
    });
    return { clientId, certificatePem, privateKey, thingName, deviceConfiguration };
  } catch (error) {
    if (!(error instanceof Rejected)) throw error;
    return { clientId, rejected: error.response };
  }
}

const [, , words] = process.argv;
if (words !== undefined) {
  const tasks = JSON.parse(words) as IdentityTask[];
  const provisioned = await Promise.all(tasks.map(provision));
  process.stdout.write(`${JSON.stringify(provisioned)}\n`, () => process.exit(0));
}
