// CAs and certificates of devices, with the keys of a world of services, and the service for them.
import {
  createCertificate,
  parseCertificates,
  readCertificateSignature,
  type DistinguishedName,
} from "@thingline/protocol/x509";
import { ThinglineError, toHex } from "@thingline/protocol";
import type { KeyPair, Keys, Random } from "@thingline/transport";
import { createNodeKeys } from "@thingline/transport/node";
import { verbosityOf, type IotLog, type IotLogEntry } from "../iot-log.js";
import { createProvisionThing } from "../thing-provisioning/provision-thing.js";
import { openServiceWorld, type ServiceWorld } from "../world.test.support.js";
import { createCertificateAuthoritiesService, type FindTemplate, type NamedTemplate } from "./index.js";

export interface TestCa extends KeyPair {
  der: Uint8Array;
  pem: string;
}

export interface MakeOptions {
  subject?: DistinguishedName;
  isCa?: boolean;
  /** Unix time in seconds. */
  notBefore?: number;
  notAfter?: number;
  pair?: KeyPair;
}

const validity = { notBefore: Date.UTC(2025, 0, 1) / 1000, notAfter: Date.UTC(2040, 0, 1) / 1000 };

/** Makes certificates: of CAs, and what they sign. */
export function createTestCas({ keys, random }: { keys: Keys; random: Random }) {
  const make = async (issuer: TestCa | undefined, options: MakeOptions): Promise<TestCa> => {
    const pair = options.pair ?? (await keys.generate("ec-p256"));
    const { subject = [["CN", "device"]], isCa = false, notBefore, notAfter } = options;
    const serialNumber = random.bytes(16);
    serialNumber[0] = 1;
    const signer = issuer?.privateKeyPem ?? pair.privateKeyPem;
    const written = await createCertificate({
      ...{ subject, isCa, serialNumber },
      publicKey: keys.publicKeyOf(pair.privateKeyPem),
      notBefore: notBefore ?? validity.notBefore,
      notAfter: notAfter ?? validity.notAfter,
      ...(issuer !== undefined && {
        issuer: {
          name: readCertificateSignature(issuer.der).subjectName,
          publicKey: parseCertificates(issuer.pem)[0].publicKey,
        },
      }),
      sha256: (data) => keys.sha256(data),
      sign: (data) => keys.sign(signer, data),
    });
    return { ...pair, ...written };
  };
  return {
    makeCa: (options: MakeOptions = {}) =>
      make(undefined, {
        subject: [
          ["O", "Acme"],
          ["CN", "Acme CA"],
        ],
        isCa: true,
        ...options,
      }),
    makeDevice: (ca: TestCa, options: MakeOptions = {}) => make(ca, options),
  };
}

export async function openAuthoritiesWorld({
  isStarted = true,
  isLimited = true,
}: { isStarted?: boolean; isLimited?: boolean } = {}) {
  const world: ServiceWorld = await openServiceWorld({ isStarted, keys: createNodeKeys() });
  const cas = createTestCas(world);
  const provisionThing = createProvisionThing(world.registry);
  const templates = new Map<string, NamedTemplate>();
  const findTemplate: FindTemplate = (_context, { templateName }) => {
    const found = templates.get(templateName);
    if (found === undefined) throw new ThinglineError("RESOURCE_NOT_FOUND", `no template ${templateName}`);
    return { result: found, operations: [], effects: [] };
  };
  const iotEntries: IotLogEntry[] = [];
  const iotLog: IotLog = { verbosity: verbosityOf.INFO, write: (entry) => void iotEntries.push(entry) };
  const deps = { ...world, iotLog, provisionThing, findTemplate, claimTemplate: findTemplate };
  const service = createCertificateAuthoritiesService(deps, { isLimited });
  const authorities = service.operations;
  const { firstConnections } = service;

  /** With the verification certificate that AWS asks for. */
  const register = async (
    ca: TestCa,
    options: Partial<Parameters<typeof authorities.registerCACertificate>[1]> = {},
  ) => {
    const { registrationCode } = await world.run(authorities.getRegistrationCode, {});
    const verification = await cas.makeDevice(ca, { subject: [["CN", registrationCode]] });
    const verificationCertificate = verification.pem;
    const result = await world.run(authorities.registerCACertificate, {
      ...{ caCertificate: ca.pem, verificationCertificate, setAsActive: true, allowAutoRegistration: true },
      ...options,
    });
    return result.certificateId;
  };

  /** A first connection, as the gateway does it: judged before any MQTT, then decided at its CONNECT. */
  const connect = async (certificate: TestCa, clientId = "device", serverName: string | undefined = "localhost") => {
    const { der } = certificate;
    const verdict = await world.run(firstConnections.judge, { certificate: der, serverName });
    if (verdict?.caCertificateId === undefined) return { verdict, why: undefined };
    const { caCertificateId } = verdict;
    const certificateId = idOf(certificate);
    const why = await world.run(firstConnections.connect, {
      certificate: der,
      certificateId,
      caCertificateId,
      clientId,
    });
    return { verdict, why };
  };

  const idOf = ({ der }: { der: Uint8Array }) => toHex(world.keys.sha256(der));

  return Object.assign(world, {
    ...cas,
    iotEntries,
    authorities,
    firstConnections,
    templates,
    register,
    connect,
    idOf,
  });
}

export const roleArn = "arn:aws:iam::123456789012:role/provisioning";

/** Names the thing by the common name of the certificate. */
export const jitpTemplate = JSON.stringify({
  Parameters: {
    "AWS::IoT::Certificate::CommonName": { Type: "String" },
    "AWS::IoT::Certificate::Id": { Type: "String" },
  },
  Resources: {
    thing: {
      Type: "AWS::IoT::Thing",
      Properties: { ThingName: { Ref: "AWS::IoT::Certificate::CommonName" }, AttributePayload: { from: "jitp" } },
    },
    certificate: {
      Type: "AWS::IoT::Certificate",
      Properties: { CertificateId: { Ref: "AWS::IoT::Certificate::Id" }, Status: "ACTIVE" },
    },
    policy: { Type: "AWS::IoT::Policy", Properties: { PolicyName: "devices" } },
  },
});
