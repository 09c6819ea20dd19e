// An entry point of its own: what is made with it needs nothing else of the cloud, and may be made at a real AWS.
import { ThinglineError } from "@thingline/protocol";
import {
  claimPolicyDocument,
  fleetClaimPolicyDocument,
  originalClaimPolicyDocument,
} from "./services/split-provisioning/policies.js";

/** Not `thingline-thing`: clouds of an earlier version have another document under that name. */
const thingPolicyName = "thingline-thing-narrow";

/**
 * Which policy a claim gets. `narrow`: it connects as `claim-*` only and hears only answers to itself. `original`: that of the original
 * sample's cloud half, for its unmodified firmware, which connects under the device's own name. `fleet`: as `narrow`, for AWS's fleet
 * provisioning by one template.
 */
export type ClaimPolicies = "narrow" | "original" | { fleetTemplate: string };

function claimPolicyOf(policies: ClaimPolicies): { policyName: string; policyDocument: string } {
  // Not `thingline-claim`: clouds of an earlier version have the original's document under that name.
  if (policies === "narrow") return { policyName: "thingline-claim-narrow", policyDocument: claimPolicyDocument };
  if (policies === "original")
    return { policyName: "thingline-claim-original", policyDocument: originalClaimPolicyDocument };
  const { fleetTemplate } = policies;
  const policyDocument = fleetClaimPolicyDocument(fleetTemplate);
  return { policyName: `thingline-claim-fleet-${fleetTemplate}`, policyDocument };
}

/**
 * A thing may connect under its own name and use its own topics; tools beside it connect as `NAME.something`, which can be the name of no
 * other thing, as no name of a thing has a dot in it.
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
        "arn:aws:iot:*:*:client/${iot:Connection.Thing.ThingName}.*",
      ],
    },
    {
      Sid: "UseOwnTopics",
      Effect: "Allow",
      Action: ["iot:Publish", "iot:RetainPublish", "iot:Receive"],
      Resource: [
        "arn:aws:iot:*:*:topic/${iot:Connection.Thing.ThingName}/*",
        "arn:aws:iot:*:*:topic/$aws/things/${iot:Connection.Thing.ThingName}/*",
        "arn:aws:iot:*:*:topic/$aws/commands/things/${iot:Connection.Thing.ThingName}/*",
      ],
    },
    {
      Sid: "SubscribeToOwnTopics",
      Effect: "Allow",
      Action: "iot:Subscribe",
      Resource: [
        "arn:aws:iot:*:*:topicfilter/${iot:Connection.Thing.ThingName}/*",
        "arn:aws:iot:*:*:topicfilter/$aws/things/${iot:Connection.Thing.ThingName}/*",
        "arn:aws:iot:*:*:topicfilter/$aws/commands/things/${iot:Connection.Thing.ThingName}/*",
      ],
    },
  ],
});

/** The operations of AWS IoT that issuing needs: what goes in, and what is read of the answer. */
export interface IssuingOperations {
  DescribeThing: [input: { thingName: string }, answer: DescribedThing];
  CreateThing: [input: { thingName: string } & ThingPlace, answer: { thingArn?: string | undefined }];
  DeleteThing: [input: { thingName: string }, answer: object];
  GetPolicy: [input: { policyName: string }, answer: { policyDocument?: string | undefined }];
  CreatePolicy: [input: { policyName: string; policyDocument: string }, answer: object];
  DeletePolicy: [input: { policyName: string }, answer: object];
  AttachPolicy: [input: { policyName: string; target: string }, answer: object];
  DetachPolicy: [input: { policyName: string; target: string }, answer: object];
  CreateKeysAndCertificate: [
    input: { setAsActive: boolean },
    answer: CertificateAnswer & { keyPair?: { PrivateKey?: string | undefined } | undefined },
  ];
  CreateCertificateFromCsr: [
    input: { certificateSigningRequest: string; setAsActive: boolean },
    answer: CertificateAnswer,
  ];
  UpdateCertificate: [input: { certificateId: string; newStatus: "INACTIVE" }, answer: object];
  DeleteCertificate: [input: { certificateId: string }, answer: object];
  AttachThingPrincipal: [
    input: { thingName: string; principal: string; thingPrincipalType: "EXCLUSIVE_THING" },
    answer: object,
  ];
  DetachThingPrincipal: [input: { thingName: string; principal: string }, answer: object];
}

/** What a thing is put into when it is made. */
export interface ThingPlace {
  thingTypeName?: string | undefined;
  billingGroupName?: string | undefined;
}

/** What is read of a thing that is there. */
export interface DescribedThing extends ThingPlace {
  thingArn?: string | undefined;
}

/** What is read of a certificate that was just made. */
export interface CertificateAnswer {
  certificateArn?: string | undefined;
  certificateId?: string | undefined;
  certificatePem?: string | undefined;
}

/** Where things are made: a cloud in this process, or any AWS IoT over HTTP. */
export interface IssuingPlane {
  send<Name extends keyof IssuingOperations>(
    name: Name,
    input: IssuingOperations[Name][0],
    signal?: AbortSignal,
  ): Promise<IssuingOperations[Name][1]>;
  /** Whether AWS has this name for an error that `send` threw. */
  isError(error: unknown, awsName: string): boolean;
}

export interface IssuedCredentials {
  certificateArn: string;
  certificateId: string;
  certificatePem: string;
  privateKeyPem: string;
}

export interface IssuedThing extends IssuedCredentials {
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
  onLeftOver?: ((message: string) => void) | undefined;
}

export interface IssueThingOptions<Result> extends IssueOptions<IssuedThing, Result>, ThingPlace {
  /** An existing policy instead of {@link thingPolicyDocument}. */
  policyName?: string | undefined;
  /** A policy made for this thing, and taken back with it. */
  ownPolicy?: { policyName: string; policyDocument: string } | undefined;
  /** `refused`: a thing that is there already is an error. Default `accepted`: it gets one certificate more. */
  existingThing?: "accepted" | "refused" | undefined;
  /**
   * A key of the caller's own, with a request for its certificate. Without `privateKeyPem` it stays where it was made, and what is issued has
   * an empty one. Default: the control plane makes an RSA key.
   */
  ownKey?: (() => Promise<{ privateKeyPem?: string | undefined; certificateSigningRequest: string }>) | undefined;
}

/**
 * A thing with a certificate of its own, attached to nothing else. What fails half-way is taken back.
 *
 * @throws {ThinglineError} RESOURCE_EXISTS for a thing that is there, when `existingThing` says so; else the plane's own errors.
 */
export async function issueThing<Result>(
  plane: IssuingPlane,
  thingName: string,
  options: IssueThingOptions<Result>,
): Promise<Result> {
  const { signal, ownPolicy, thingTypeName, billingGroupName } = options;
  // Before anything is made.
  if (options.policyName !== undefined) await plane.send("GetPolicy", { policyName: options.policyName }, signal);
  const existing = await findThing(plane, thingName, signal);
  const isNew = existing === undefined;
  if (existing !== undefined) requireAccepted(thingName, existing, options);
  const undo = new UndoList(options.onLeftOver);
  try {
    const place = {
      ...(thingTypeName !== undefined && { thingTypeName }),
      ...(billingGroupName !== undefined && { billingGroupName }),
    };
    const { thingArn } = existing ?? (await plane.send("CreateThing", { thingName, ...place }, signal));
    if (isNew) undo.add(`thing ${thingName}`, () => plane.send("DeleteThing", { thingName }));
    if (ownPolicy !== undefined) {
      await plane.send("CreatePolicy", ownPolicy, signal);
      const { policyName } = ownPolicy;
      undo.add(`policy ${policyName}`, () => plane.send("DeletePolicy", { policyName }));
    }
    const policyName =
      ownPolicy?.policyName ??
      options.policyName ??
      (await ensurePolicy(plane, thingPolicyName, thingPolicyDocument, signal));
    const issued = await issueCertificate(plane, { policyName, thingName, ownKey: options.ownKey, signal }, undo);
    const principal = issued.certificateArn;
    const attach = { thingName, principal, thingPrincipalType: "EXCLUSIVE_THING" } as const;
    await plane.send("AttachThingPrincipal", attach, signal);
    return await options.keep({ ...issued, policyName, thingArn, isNew });
  } catch (error) {
    await undo.run();
    throw error;
  }
}

export interface IssuedClaim extends IssuedCredentials {
  policyName: string;
  /** There was a policy of that name, and it says something else: somebody has edited it. */
  isPolicyEdited: boolean;
}

export interface IssueClaimOptions<Result> extends IssueOptions<IssuedClaim, Result> {
  /** Default `narrow`. */
  policies?: ClaimPolicies | undefined;
}

/** A claim certificate with its policy. */
export async function issueClaim<Result>(plane: IssuingPlane, options: IssueClaimOptions<Result>): Promise<Result> {
  const { signal, policies = "narrow" } = options;
  const { policyName, policyDocument } = claimPolicyOf(policies);
  await ensurePolicy(plane, policyName, policyDocument, signal);
  const found = await plane.send("GetPolicy", { policyName }, signal);
  const isPolicyEdited = !isSameDocument(found.policyDocument, policyDocument);
  const undo = new UndoList(options.onLeftOver);
  try {
    const issued = await issueCertificate(plane, { policyName, signal }, undo);
    return await options.keep({ ...issued, policyName, isPolicyEdited });
  } catch (error) {
    await undo.run();
    throw error;
  }
}

async function findThing(
  plane: IssuingPlane,
  thingName: string,
  signal: AbortSignal | undefined,
): Promise<DescribedThing | undefined> {
  try {
    return await plane.send("DescribeThing", { thingName }, signal);
  } catch (error) {
    if (plane.isError(error, "ResourceNotFoundException")) return undefined;
    throw error;
  }
}

/** A thing that is there stays as it is: one of another type, or in another billing group, is not the one that is wanted. */
function requireAccepted(
  thingName: string,
  existing: DescribedThing,
  { existingThing, thingTypeName, billingGroupName }: IssueThingOptions<unknown>,
): void {
  const refused = (why: string) => {
    const message = `there is a thing "${thingName}" already${why}; use another name, or delete it first`;
    return new ThinglineError("RESOURCE_EXISTS", message, { details: { thingName } });
  };
  if (existingThing === "refused") throw refused("");
  if (thingTypeName !== undefined && thingTypeName !== existing.thingTypeName) {
    throw refused(existing.thingTypeName === undefined ? " without a type" : ` of type ${existing.thingTypeName}`);
  }
  if (billingGroupName !== undefined && billingGroupName !== existing.billingGroupName) {
    const { billingGroupName: other } = existing;
    throw refused(other === undefined ? " in no billing group" : ` in billing group ${other}`);
  }
}

interface CertificateWanted {
  policyName: string;
  thingName?: string;
  ownKey?: IssueThingOptions<unknown>["ownKey"];
  signal: AbortSignal | undefined;
}

async function issueCertificate(
  plane: IssuingPlane,
  { policyName, thingName, ownKey, signal }: CertificateWanted,
  undo: UndoList,
): Promise<IssuedCredentials> {
  const { privateKeyPem, created } = await createCertificate(plane, ownKey, signal);
  const { certificateArn = "", certificateId = "", certificatePem = "" } = created;
  undo.add(`certificate ${certificateId}`, () =>
    deleteCertificate(plane, { certificateArn, certificateId, policyName, thingName }),
  );
  if (certificatePem === "" || privateKeyPem === "") {
    throw new ThinglineError("CLOUD_REQUEST_REFUSED", "CreateKeysAndCertificate answered without certificate or key");
  }
  await plane.send("AttachPolicy", { policyName, target: certificateArn }, signal);
  return { certificateArn, certificateId, certificatePem, privateKeyPem: privateKeyPem ?? "" };
}

async function createCertificate(
  plane: IssuingPlane,
  ownKey: CertificateWanted["ownKey"],
  signal: AbortSignal | undefined,
): Promise<{ privateKeyPem: string | undefined; created: CertificateAnswer }> {
  if (ownKey !== undefined) {
    const { privateKeyPem, certificateSigningRequest } = await ownKey();
    const input = { certificateSigningRequest, setAsActive: true };
    return { privateKeyPem, created: await plane.send("CreateCertificateFromCsr", input, signal) };
  }
  const created = await plane.send("CreateKeysAndCertificate", { setAsActive: true }, signal);
  return { privateKeyPem: created.keyPair?.PrivateKey ?? "", created };
}

async function deleteCertificate(
  plane: IssuingPlane,
  options: { certificateArn: string; certificateId: string; policyName: string; thingName: string | undefined },
): Promise<void> {
  const { certificateArn, certificateId, policyName, thingName } = options;
  const ignoreNotFound = (error: unknown) => {
    if (plane.isError(error, "ResourceNotFoundException") || plane.isError(error, "InvalidRequestException")) return;
    throw error;
  };
  // First what matters: nobody gets in with it any more.
  await plane.send("UpdateCertificate", { certificateId, newStatus: "INACTIVE" });
  if (thingName !== undefined) {
    await plane.send("DetachThingPrincipal", { thingName, principal: certificateArn }).catch(ignoreNotFound);
  }
  await plane.send("DetachPolicy", { policyName, target: certificateArn }).catch(ignoreNotFound);
  await plane.send("DeleteCertificate", { certificateId });
}

/** Makes the policy unless it is there already. One that is there is left as it is: it may have been edited. */
async function ensurePolicy(
  plane: IssuingPlane,
  policyName: string,
  policyDocument: string,
  signal: AbortSignal | undefined,
): Promise<string> {
  try {
    await plane.send("CreatePolicy", { policyName, policyDocument }, signal);
  } catch (error) {
    if (!plane.isError(error, "ResourceAlreadyExistsException")) throw error;
  }
  return policyName;
}

/** White space aside. */
function isSameDocument(one: string | undefined, other: string): boolean {
  try {
    return one !== undefined && JSON.stringify(JSON.parse(one)) === JSON.stringify(JSON.parse(other));
  } catch {
    return false;
  }
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
