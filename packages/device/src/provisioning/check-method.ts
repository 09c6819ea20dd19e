import { checkOptionNames, optionInvalid, type OptionTypes, readOptions, ThinglineError } from "@thingline/protocol";
import {
  encodeRegisterThingRequest,
  fleetProvisioningMessageBytesMax,
  fleetProvisioningTopics,
  ownershipTokenCharactersMax,
  provisioningParameterNameCharactersMax,
  provisioningParametersMax,
} from "@thingline/protocol/fleet-provisioning";
import { encodeName, nameAttributeTypes } from "@thingline/protocol/x509";
import type { KeyMaker, SecTagDialer } from "@thingline/transport";
import type { FleetMethod, OwnCertificateMethod, ProvisioningMethod, SplitMethod } from "./method.js";

const keyTypes = { keys: "string", keyKind: "string", subject: "array" } as const;
/** A member of another kind of method would be dropped in silence. */
const methodTypes = {
  split: { kind: "string", ...keyTypes } satisfies OptionTypes<SplitMethod>,
  fleet: {
    ...{ kind: "string", template: "string", parameters: "object", format: "string", connectsAs: "string" },
    ...keyTypes,
  } satisfies OptionTypes<FleetMethod>,
  ownCertificate: { kind: "string", certificateId: "string" } satisfies OptionTypes<OwnCertificateMethod>,
} as const;
const allMethodTypes: OptionTypes<ProvisioningMethod> = {
  ...methodTypes.split,
  ...methodTypes.fleet,
  ...methodTypes.ownCertificate,
};

/** What a method needs besides its own options. */
export interface MethodAround {
  method?: ProvisioningMethod;
  keyMaker?: KeyMaker;
  dialer: SecTagDialer;
}

/**
 * What cannot end well is refused before anything is asked for.
 *
 * @throws {ThinglineError} OPTION_INVALID, PROVISIONING_METHOD_UNFIT
 */
export function checkMethod({ method: given = { kind: "split" }, keyMaker, dialer }: MethodAround): ProvisioningMethod {
  const check = { of: "provisionDevice()", prefix: "method." };
  const method = readOptions(given, allMethodTypes, { ...check, required: ["kind"] });
  oneOf("method.kind", method.kind, Object.keys(methodTypes));
  checkOptionNames(method, methodTypes[method.kind], check);
  if (method.kind === "ownCertificate") {
    checkCertificateId(method.certificateId);
    return method;
  }
  oneOf("method.keys", method.keys ?? "cloud", ["cloud", "csr", "modem"]);
  checkKey(method);
  if (method.keys === "modem" && keyMaker === undefined) {
    throw invalid(
      "keyMaker",
      "keyMaker: keys of the modem need one; createModemKeyMaker() of @thingline/modem makes it",
    );
  }
  if (method.kind === "split") return method;
  checkFleet(method);
  const recordBytesMax = dialer.receivedRecordBytesMax ?? Infinity;
  if (method.keys === "cloud" && recordBytesMax < cloudKeysAnswerBytesMin) {
    const message =
      `fleet provisioning with keys of the cloud sends key, certificate and token in one message of about 4 KB, and ` +
      `${dialer.name} takes records of at most ${recordBytesMax} bytes. Use keys of the device ("csr" or "modem"), split messages, ` +
      "or native TLS";
    throw new ThinglineError("PROVISIONING_METHOD_UNFIT", message, {
      details: { recordBytesMax, answerBytesMin: cloudKeysAnswerBytesMin },
    });
  }
  return method;
}

function checkKey({ keys = "cloud", keyKind, subject }: SplitMethod | FleetMethod): void {
  oneOf("method.keyKind", keyKind ?? "ec-p256", ["ec-p256", "rsa-2048"]);
  if (keyKind !== undefined && keys !== "csr") {
    throw invalid("method.keyKind", `method.keyKind is for keys "csr": with "${keys}" the ${keys} chooses`);
  }
  if (subject === undefined) return;
  if (keys === "cloud") {
    throw invalid("method.subject", 'method.subject is for keys "csr" and "modem": the cloud is sent no request');
  }
  for (const attribute of subject) {
    const [type, value]: readonly unknown[] = Array.isArray(attribute) ? attribute : [];
    if (typeof type === "string" && Object.hasOwn(nameAttributeTypes, type) && typeof value === "string") continue;
    const pairs = `pairs of ${Object.keys(nameAttributeTypes).join(", ")} and a text`;
    throw optionInvalid("method.subject", pairs, String(attribute));
  }
  encodeName(subject);
}

/** An RSA key and its certificate in PEM alone. */
export const cloudKeysAnswerBytesMin = 2_800;

function checkFleet({ template, parameters = {}, format = "cbor", connectsAs = "clientId", keys }: FleetMethod): void {
  if (typeof template !== "string")
    throw invalid("method.template", "method.template: the name of a template is needed");
  if (keys === undefined) throw invalid("method.keys", 'method.keys: expected "cloud", "csr" or "modem"');
  oneOf("method.format", format, ["json", "cbor"]);
  oneOf("method.connectsAs", connectsAs, ["clientId", "thingName"]);
  fleetProvisioningTopics({ templateName: template, format });
  const entries = Object.entries(parameters);
  if (entries.length > provisioningParametersMax || entries.some(([, value]) => typeof value !== "string")) {
    const expected = `at most ${provisioningParametersMax} texts`;
    throw invalid("method.parameters", `method.parameters: expected ${expected}, got ${entries.length} members`);
  }
  if (entries.some(([name]) => name === "" || name.length > provisioningParameterNameCharactersMax)) {
    const rule = `a name of 1 to ${provisioningParameterNameCharactersMax} characters`;
    throw invalid("method.parameters", `method.parameters: each has ${rule}`);
  }
  const longest = { certificateOwnershipToken: "x".repeat(ownershipTokenCharactersMax), parameters };
  const { length } = encodeRegisterThingRequest(longest, format);
  if (length <= fleetProvisioningMessageBytesMax) return;
  const message = `method.parameters: RegisterThing with them can have ${length} bytes, more than ${fleetProvisioningMessageBytesMax}`;
  throw invalid("method.parameters", message);
}

/** It is remembered, and what is remembered has to be one. */
function checkCertificateId(certificateId: string | undefined): void {
  if (certificateId === undefined || /^[0-9a-f]{64}$/u.test(certificateId)) return;
  throw optionInvalid("method.certificateId", "64 hex digits in lower case", certificateId.slice(0, 80));
}

export function oneOf(option: string, value: string, values: readonly string[]): void {
  if (!values.includes(value)) throw optionInvalid(option, values.map((each) => `"${each}"`).join(" or "), value);
}

export function invalid(option: string, message: string): ThinglineError {
  return new ThinglineError("OPTION_INVALID", message, { details: { option } });
}
