import { checkOptionTypes, isThinglineError, ThinglineError, type OptionTypes } from "@thingline/protocol";
import { copyJson } from "@thingline/protocol/shadow";
import { createCertificateRequest } from "@thingline/protocol/x509";
import type { Keys, KeyKind } from "@thingline/transport";
import type { Operation } from "./services/operation.js";
import type { Cloud } from "./cloud.js";
import { issueThing, type IssuedThing, type IssueThingOptions, type IssuingPlane } from "./issue.js";
import { wireErrors } from "./rest/errors.js";

export interface CreateThingOptions {
  /** The policy's document, as text or as an object; a policy of that document is made for this thing alone. */
  policyDocument?: string | object;
  /** An existing policy. Default: that of `thingline thing create`, by which a thing uses its own names and topics. */
  policyName?: string;
  /** An existing thing type. */
  thingTypeName?: string;
  /** An existing billing group. */
  billingGroupName?: string;
  /** `rsa-2048`, the default, is the kind that AWS IoT makes. `ec-p256` takes a millisecond. */
  keyType?: KeyKind;
  signal?: AbortSignal;
}

/**
 * A thing with its certificate. What `connectDevice()` takes is enumerable, so `{ ...thing }` has just that; the facts about
 * it are there by name only. The credentials do not show when the object is printed with `console.log` or by an assertion.
 */
export interface CreatedThing {
  /** `HOST:PORT` of MQTT over mutual TLS. */
  readonly endpoint: string;
  /** The name of the thing. */
  readonly clientId: string;
  readonly tls: { readonly ca: string; readonly certificate: string; readonly privateKey: string };
  /** Not copied by `{ ...thing }`, like all that follows. */
  readonly thingName: string;
  readonly thingArn: string;
  readonly certificateId: string;
  readonly certificateArn: string;
  readonly policyName: string;
}

const optionTypes = {
  policyDocument: "any",
  policyName: "string",
  thingTypeName: "string",
  billingGroupName: "string",
  keyType: "string",
  signal: "signal",
} satisfies OptionTypes<CreateThingOptions>;
const keyTypes: readonly string[] = ["rsa-2048", "ec-p256"] satisfies readonly KeyKind[];

/**
 * Makes what `thingline thing create` makes, in a cloud of this process.
 *
 * @throws {ThinglineError} OPTION_INVALID; REQUEST_INVALID for a name that AWS would not take; RESOURCE_EXISTS when the thing is
 * there already; RESOURCE_NOT_FOUND when `policyName`, `thingTypeName` or `billingGroupName` is not; POLICY_MALFORMED. Nothing is left of a thing that could not be made.
 */
export async function createThing(
  where: { cloud: Cloud; keys: Keys; endpoint: string },
  thingName: string,
  options: CreateThingOptions = {},
): Promise<CreatedThing> {
  const { cloud, keys, endpoint } = where;
  checkOptionTypes(options, optionTypes, { of: "createThing()" });
  const { keyType = "rsa-2048", policyName, thingTypeName, billingGroupName, signal } = options;
  if (!keyTypes.includes(keyType)) throw invalid("keyType", keyTypes.join(" or "), keyType);
  signal?.throwIfAborted();
  const issueOptions: IssueThingOptions<IssuedThing> = {
    ...{ policyName, thingTypeName, billingGroupName },
    ownPolicy: ownPolicyOf(thingName, options),
    existingThing: "refused",
    ownKey: keyType === "rsa-2048" ? undefined : () => requestFor(keys, keyType, thingName),
    signal,
    keep: async (issued) => issued,
  };
  const issued = await issueThing(planeOf(cloud), thingName, issueOptions);
  return describe({ endpoint, thingName, caPem: cloud.caPem, issued });
}

function ownPolicyOf(
  thingName: string,
  { policyDocument, policyName }: CreateThingOptions,
): IssueThingOptions<unknown>["ownPolicy"] {
  if (policyDocument === undefined) return undefined;
  if (policyName !== undefined) throw invalid("policyDocument", "policyDocument or policyName, not both", "both");
  const isDocument =
    typeof policyDocument === "string" || (typeof policyDocument === "object" && policyDocument !== null);
  if (!isDocument) throw invalid("policyDocument", "a text or an object", typeof policyDocument);
  const text = typeof policyDocument === "string" ? policyDocument : textOf(policyDocument);
  // A policy name takes all characters of a thing name but the colon, and is as long.
  return { policyName: String(thingName).replaceAll(":", "."), policyDocument: text };
}

/** A policy that lost a condition on its way would allow more than was written. */
const textOf = (document: object): string => JSON.stringify(copyJson(document, "policyDocument", documentLimits));

/** More than a policy of AWS's size holds. */
const documentLimits = { depthMax: 32, valuesMax: 10_000 };

async function requestFor(keys: Keys, keyType: KeyKind, thingName: string) {
  const { privateKeyPem } = await keys.generate(keyType);
  const { pem } = await createCertificateRequest({
    subject: [["CN", thingName.slice(0, 64)]],
    publicKey: keys.publicKeyOf(privateKeyPem),
    sign: (data) => keys.sign(privateKeyPem, data),
  });
  return { privateKeyPem, certificateSigningRequest: pem };
}

/** The registry of this process: no HTTP, and its own errors. */
function planeOf(cloud: Cloud): IssuingPlane {
  const { registry } = cloud;
  return {
    send: (name, input, signal) => {
      signal?.throwIfAborted();
      const member = `${name.charAt(0).toLowerCase()}${name.slice(1)}` as keyof typeof registry;
      const operation: unknown = registry[member];
      return cloud.run(operation as Operation<typeof input, never>, input);
    },
    isError: (error, awsName) => isThinglineError(error) && wireErrors[error.code]?.[1] === awsName,
  };
}

function describe(made: { endpoint: string; thingName: string; caPem: string; issued: IssuedThing }): CreatedThing {
  const { endpoint, thingName, caPem, issued } = made;
  const { certificateId, certificateArn, policyName, thingArn = "" } = issued;
  const tls = withoutShowing({ ca: caPem, certificate: issued.certificatePem, privateKey: issued.privateKeyPem });
  const facts = { thingName, thingArn, certificateId, certificateArn, policyName };
  const hidden = Object.entries(facts).map(([name, value]) => [name, { value, enumerable: false }] as const);
  return Object.defineProperties({ endpoint, clientId: thingName, tls }, Object.fromEntries(hidden)) as CreatedThing;
}

/** What Node.js prints of it: a key would end up in the log of a test. */
function withoutShowing<Credentials extends object>(credentials: Credentials): Credentials {
  const show = () => `{ ${Object.keys(credentials).join(", ")} }`;
  return Object.defineProperty(credentials, Symbol.for("nodejs.util.inspect.custom"), {
    value: show,
    enumerable: false,
  });
}

function invalid(option: string, expected: string, got: string): ThinglineError {
  return new ThinglineError("OPTION_INVALID", `createThing(): ${option} must be ${expected}, got ${got}`, {
    details: { option },
  });
}
