import type { CertificateFacts } from "./certificate-facts.js";

/** What a condition key or policy variable stands for: one value, or a list for keys such as `iot:ConnectAttributes`. */
export type ContextValue = string | readonly string[];

/** The facts that a decision may look at, by condition key. */
export interface PolicyContext {
  get(key: string): ContextValue | undefined;
  /** For people: why a key has no value. */
  whyMissing(key: string): string;
}

/**
 * The thing that a connection is associated with: the one its certificate is attached to and that is named like the
 * client id, or the only one that the certificate is attached to exclusively.
 */
export interface AssociatedThing {
  thingName: string;
  thingTypeName: string | undefined;
  attributes: Readonly<Record<string, string>>;
  /** The certificate is attached to it and to no other. */
  isExclusive?: boolean;
}

/** Everything known about a connection when it asks for something. */
export interface ConnectionFacts {
  clientId: string;
  certificateId: string | undefined;
  certificate: CertificateFacts | undefined;
  thing: AssociatedThing | undefined;
  /** Names of the things that the certificate is attached to, for the explanation. */
  attachedThingNames: readonly string[];
  sourceIp: string;
  /** SNI. */
  serverName: string | undefined;
  isSecure: boolean;
}

/** What only a CONNECT has. */
export interface ConnectFacts {
  attributes: readonly ("PersistentConnect" | "LastWill")[];
  lastWillTopicArn: string | undefined;
}

/** The value for use in a text: a key with several values has none. */
export function singleValue(context: PolicyContext, key: string): string | undefined {
  const value = context.get(key);
  return typeof value === "string" ? value : undefined;
}

/** Keys whose value changes while a connection lives: what depends on them is never cached. */
export const volatileKeys: ReadonlySet<string> = new Set(["aws:currenttime", "aws:epochtime"]);

/**
 * Keys are compared without case, but for what stands in brackets: thing attribute names have case.
 *
 * @param unixMs is asked each time that a policy looks at the time.
 */
export function connectionContext(facts: ConnectionFacts, unixMs: () => number, connect?: ConnectFacts): PolicyContext {
  const values = new Map<string, ContextValue>();
  const set = (key: string, value: ContextValue | undefined) => {
    if (value !== undefined) values.set(normalizeKey(key), value);
  };
  set("iot:ClientId", facts.clientId);
  set("iot:CertificateId", facts.certificateId);
  // Names of servers have no case, and texts are compared with theirs: a Deny is not to be slipped past by capital letters.
  set("iot:DomainName", facts.serverName?.toLowerCase());
  set("aws:SourceIp", facts.sourceIp);
  set("aws:SecureTransport", String(facts.isSecure));
  set("iot:Connection.Thing.IsAttached", String(facts.thing !== undefined));
  if (facts.thing !== undefined) {
    set("iot:Connection.Thing.ThingName", facts.thing.thingName);
    set("iot:Connection.Thing.ThingTypeName", facts.thing.thingTypeName);
    for (const [name, value] of Object.entries(facts.thing.attributes))
      set(`iot:Connection.Thing.Attributes[${name}]`, value);
  }
  if (facts.certificate !== undefined) setCertificateKeys(facts.certificate, set);
  if (connect !== undefined) {
    set("iot:ConnectAttributes", connect.attributes);
    set("iot:LastWillTopic", connect.lastWillTopicArn);
  }
  return {
    get: (key) => {
      const normal = normalizeKey(key);
      if (normal === "aws:currenttime") return new Date(unixMs()).toISOString();
      if (normal === "aws:epochtime") return String(Math.floor(unixMs() / 1000));
      return values.get(normal);
    },
    whyMissing: (key) => whyMissing(key, facts),
  };
}

/**
 * `X` is the first value, `X.1` the second and so on, `X.List` all of them. `AvailableKeys` names every key that has a value.
 *
 * @see AWS IoT developer guide, "X.509 certificate AWS IoT Core policy variables"
 */
function setCertificateKeys(certificate: CertificateFacts, set: (key: string, value: ContextValue) => void): void {
  const available: string[] = [];
  const put = (key: string, value: ContextValue) => {
    available.push(key);
    set(key, value);
  };
  put("iot:Certificate.SerialNumber", certificate.serialNumber);
  const groups: [string, ReadonlyMap<string, readonly string[]>][] = [
    ["iot:Certificate.Subject", certificate.subject],
    ["iot:Certificate.Issuer", certificate.issuer],
    ["iot:Certificate.Subject.AlternativeName", certificate.subjectAlternativeNames],
    ["iot:Certificate.Issuer.AlternativeName", certificate.issuerAlternativeNames],
  ];
  for (const [prefix, attributes] of groups) {
    for (const [name, list] of attributes) {
      list.forEach((value, index) => put(index === 0 ? `${prefix}.${name}` : `${prefix}.${name}.${index}`, value));
      put(`${prefix}.${name}.List`, list);
    }
  }
  set("iot:Certificate.AvailableKeys", available);
}

function normalizeKey(key: string): string {
  const bracket = key.indexOf("[");
  return bracket < 0 ? key.toLowerCase() : key.slice(0, bracket).toLowerCase() + key.slice(bracket);
}

function whyMissing(
  key: string,
  { clientId, thing, attachedThingNames, certificate, certificateId }: ConnectionFacts,
): string {
  const normal = normalizeKey(key);
  if (normal.startsWith("iot:connection.thing.")) {
    if (thing !== undefined) return `thing ${thing.thingName} has no such value`;
    if (certificateId === undefined) return "no thing is attached to a client that an authorizer let in";
    const attached =
      attachedThingNames.length === 0 ? "no thing" : `other things only (${attachedThingNames.slice(0, 3).join(", ")})`;
    return `the certificate is attached to no thing named like the client id ${clientId}; it is attached to ${attached}`;
  }
  if (normal.startsWith("iot:certificate"))
    return certificate === undefined ? "the connection has no certificate" : "the certificate has no such attribute";
  if (normal === "iot:connectattributes" || normal === "iot:lastwilltopic")
    return "only a CONNECT has it, the topic only with a last will";
  return "the connection has no such value";
}
