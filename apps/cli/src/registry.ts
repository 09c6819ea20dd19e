import type { IoTClient } from "@aws-sdk/client-iot";
import { ThinglineError } from "@thingline/protocol";

const thingPolicyName = "thingline-thing";
const claimPolicyName = "thingline-claim";

/**
 * A thing may connect under its own name (and `name-something`, for tools beside it) and use its own topics.
 * Variables, so that one policy serves all things; the certificate is attached to its thing exclusively.
 */
export const thingPolicyDocument = JSON.stringify({
  Version: "2012-10-17",
  Statement: [
    {
      Sid: "ConnectAsItself",
      Effect: "Allow",
      Action: "iot:Connect",
      Resource: [
        "arn:aws:iot:*:*:client/${iot:Connection.Thing.ThingName}",
        "arn:aws:iot:*:*:client/${iot:Connection.Thing.ThingName}-*",
      ],
    },
    {
      Sid: "UseOwnTopics",
      Effect: "Allow",
      Action: ["iot:Publish", "iot:RetainPublish", "iot:Receive"],
      Resource: [
        "arn:aws:iot:*:*:topic/${iot:Connection.Thing.ThingName}/*",
        "arn:aws:iot:*:*:topic/$aws/things/${iot:Connection.Thing.ThingName}/*",
      ],
    },
    {
      Sid: "SubscribeToOwnTopics",
      Effect: "Allow",
      Action: "iot:Subscribe",
      Resource: [
        "arn:aws:iot:*:*:topicfilter/${iot:Connection.Thing.ThingName}/*",
        "arn:aws:iot:*:*:topicfilter/$aws/things/${iot:Connection.Thing.ThingName}/*",
      ],
    },
  ],
});

export interface IssuedCertificate {
  certificateArn: string;
  certificateId: string;
  certificatePem: string;
  privateKeyPem: string;
}

export interface IssuedThing extends IssuedCertificate {
  policyName: string;
  thingArn: string | undefined;
  /** false: the thing was there already, and has one certificate more now. */
  isNew: boolean;
}

export interface IssueOptions<Issued, Result> {
  /**
   * Takes care of the private key, which nobody can ask for again. When it fails, certificate and thing are taken back: a
   * certificate without its key would only be a way in that nobody watches.
   */
  keep: (issued: Issued) => Promise<Result>;
  signal?: AbortSignal | undefined;
  /** What could not be taken back. */
  onLeftOver?: (message: string) => void;
}

/**
 * A thing with a certificate of its own, attached to nothing else.
 *
 * @param options.policyName an existing policy instead of ours.
 */
export async function createThing<Result>(
  client: IoTClient,
  thingName: string,
  options: IssueOptions<IssuedThing, Result> & { policyName?: string | undefined },
): Promise<Result> {
  const { AttachThingPrincipalCommand, CreateThingCommand, DeleteThingCommand, GetPolicyCommand } =
    await import("@aws-sdk/client-iot");
  const call = callOptions(options.signal);
  // Before anything is made.
  if (options.policyName !== undefined)
    await client.send(new GetPolicyCommand({ policyName: options.policyName }), call);
  const isNew = !(await thingExists(client, thingName, call));
  const undo = new UndoList(options.onLeftOver);
  try {
    const { thingArn } = await client.send(new CreateThingCommand({ thingName }), call);
    if (isNew) undo.add(`thing ${thingName}`, () => client.send(new DeleteThingCommand({ thingName })));
    const policyName = options.policyName ?? (await ensurePolicy(client, thingPolicyName, thingPolicyDocument, call));
    const issued = await issueCertificate(client, { policyName, thingName }, undo, call);
    const principal = issued.certificateArn;
    const attach = { thingName, principal, thingPrincipalType: "EXCLUSIVE_THING" } as const;
    await client.send(new AttachThingPrincipalCommand(attach), call);
    return await options.keep({ ...issued, policyName, thingArn, isNew });
  } catch (error) {
    await undo.run();
    throw error;
  }
}

/** A claim certificate with the original's claim policy. */
export async function createClaim<Result>(
  client: IoTClient,
  options: IssueOptions<IssuedCertificate & { policyName: string }, Result>,
): Promise<Result> {
  const call = callOptions(options.signal);
  const { claimPolicyDocument } = await import("@thingline/cloud");
  const policyName = await ensurePolicy(client, claimPolicyName, claimPolicyDocument, call);
  const undo = new UndoList(options.onLeftOver);
  try {
    const issued = await issueCertificate(client, { policyName }, undo, call);
    return await options.keep({ ...issued, policyName });
  } catch (error) {
    await undo.run();
    throw error;
  }
}

type CallOptions = { abortSignal?: AbortSignal };

function callOptions(signal: AbortSignal | undefined): CallOptions {
  return signal === undefined ? {} : { abortSignal: signal };
}

async function thingExists(client: IoTClient, thingName: string, call: CallOptions): Promise<boolean> {
  const { DescribeThingCommand } = await import("@aws-sdk/client-iot");
  try {
    await client.send(new DescribeThingCommand({ thingName }), call);
    return true;
  } catch (error) {
    if (isAwsError(error, "ResourceNotFoundException")) return false;
    throw error;
  }
}

async function issueCertificate(
  client: IoTClient,
  { policyName, thingName }: { policyName: string; thingName?: string },
  undo: UndoList,
  call: CallOptions,
): Promise<IssuedCertificate> {
  const { AttachPolicyCommand, CreateKeysAndCertificateCommand } = await import("@aws-sdk/client-iot");
  const created = await client.send(new CreateKeysAndCertificateCommand({ setAsActive: true }), call);
  const { certificateArn = "", certificateId = "", certificatePem = "", keyPair } = created;
  undo.add(`certificate ${certificateId}`, () =>
    deleteCertificate(client, { certificateArn, certificateId, policyName, thingName }),
  );
  const privateKeyPem = keyPair?.PrivateKey ?? "";
  if (certificatePem === "" || privateKeyPem === "") {
    throw new ThinglineError("CLOUD_REQUEST_REFUSED", "CreateKeysAndCertificate answered without certificate or key");
  }
  await client.send(new AttachPolicyCommand({ policyName, target: certificateArn }), call);
  return { certificateArn, certificateId, certificatePem, privateKeyPem };
}

async function deleteCertificate(
  client: IoTClient,
  options: { certificateArn: string; certificateId: string; policyName: string; thingName: string | undefined },
): Promise<void> {
  const { DeleteCertificateCommand, DetachPolicyCommand, DetachThingPrincipalCommand, UpdateCertificateCommand } =
    await import("@aws-sdk/client-iot");
  const { certificateArn, certificateId, policyName, thingName } = options;
  // First what matters: nobody gets in with it any more.
  await client.send(new UpdateCertificateCommand({ certificateId, newStatus: "INACTIVE" }));
  if (thingName !== undefined) {
    const detach = new DetachThingPrincipalCommand({ thingName, principal: certificateArn });
    await client.send(detach).catch(ignoreNotFound);
  }
  await client.send(new DetachPolicyCommand({ policyName, target: certificateArn })).catch(ignoreNotFound);
  await client.send(new DeleteCertificateCommand({ certificateId }));
}

/** Makes the policy unless it is there already. One that is there is left as it is: it may have been edited. */
async function ensurePolicy(
  client: IoTClient,
  policyName: string,
  policyDocument: string,
  call: CallOptions,
): Promise<string> {
  const { CreatePolicyCommand } = await import("@aws-sdk/client-iot");
  try {
    await client.send(new CreatePolicyCommand({ policyName, policyDocument }), call);
  } catch (error) {
    if (!isAwsError(error, "ResourceAlreadyExistsException")) throw error;
  }
  return policyName;
}

function isAwsError(error: unknown, name: string): boolean {
  return error instanceof Error && error.name === name;
}

function ignoreNotFound(error: unknown): void {
  if (!isAwsError(error, "ResourceNotFoundException") && !isAwsError(error, "InvalidRequestException")) throw error;
}

/** How to take back what was made, the newest first. */
class UndoList {
  readonly #entries: { what: string; undo: () => Promise<unknown> }[] = [];
  readonly #onLeftOver: (message: string) => void;

  constructor(onLeftOver: (message: string) => void = () => undefined) {
    this.#onLeftOver = onLeftOver;
  }

  add(what: string, undo: () => Promise<unknown>): void {
    this.#entries.push({ what, undo });
  }

  async run(): Promise<void> {
    for (const { what, undo } of this.#entries.reverse()) {
      await undo().catch((error: unknown) => {
        const reason = error instanceof Error ? error.message : String(error);
        this.#onLeftOver(`${what} was made and could not be taken back: ${reason}`);
      });
    }
  }
}
