// The service of fleet provisioning as far as a device can tell, in memory: what it says, how long a token holds, when a certificate may connect.
import { toHex } from "@thingline/protocol";
import {
  decodeCreateCertificateFromCsrRequest,
  decodeRegisterThingRequest,
  encodeCreateCertificateFromCsrAnswer,
  encodeCreateKeysAndCertificateAnswer,
  encodeFleetProvisioningRejection,
  encodeRegisterThingAnswer,
  type FleetProvisioningRejection,
  parseFleetProvisioningTopic,
  type RegisterThingAnswer,
} from "@thingline/protocol/fleet-provisioning";
import { parseCertificateRequest } from "@thingline/protocol/x509";
import type { KeyPair, Keys } from "@thingline/transport";
import { makeTestCertificate, type TestCertificate } from "@thingline/transport/contract";

type Format = "json" | "cbor";

export interface FleetMessage {
  topic: string;
  payload: Uint8Array;
  delayMs?: number;
}

export interface FleetCertificate {
  id: string;
  pem: string;
  token: string;
  /** Of a key that was made for the device. */
  privateKeyPem?: string;
  issuedAtMs: number;
  status: "PENDING" | "ACTIVE";
}

const tokenLifetimeMs = 3_600_000;
const noKey: KeyPair = { privateKeyPem: "", publicKeyPem: "" };

export class FleetModel {
  readonly issued: FleetCertificate[] = [];
  readonly parameters: Readonly<Record<string, string>>[] = [];
  registrationCount = 0;
  registered: RegisterThingAnswer = { thingName: "pump-7", deviceConfiguration: { url: "mqtts://x" } };
  /** What the nth RegisterThing (from 1) is refused with. */
  refuseThing: (count: number) => FleetProvisioningRejection | undefined = () => undefined;
  refuseCreate: (count: number) => FleetProvisioningRejection | undefined = () => undefined;
  /** Answers that are lost on their way. */
  isLost: (operation: string, count: number) => boolean = () => false;
  /** What becomes of an answer that was accepted: a peer that is hostile, or a network that is odd. */
  change: (message: FleetMessage, issued: FleetCertificate) => FleetMessage[] | Promise<FleetMessage[]> = (message) => [
    message,
  ];
  #createCount = 0;
  readonly #keys: Keys;
  readonly #issuer: TestCertificate;
  readonly #unixMs: () => number;

  constructor({ keys, issuer, unixMs }: { keys: Keys; issuer: TestCertificate; unixMs: () => number }) {
    this.#keys = keys;
    this.#issuer = issuer;
    this.#unixMs = unixMs;
  }

  get createCount(): number {
    return this.#createCount;
  }

  isActive(pem: string): boolean {
    return this.issued.some((each) => each.pem === pem && each.status === "ACTIVE");
  }

  /** Certificates that may connect, and that nobody uses. */
  orphansBut(id: string): string[] {
    return this.issued.filter((each) => each.status === "ACTIVE" && each.id !== id).map((each) => each.id);
  }

  async answer(topic: string, payload: Uint8Array): Promise<FleetMessage[]> {
    if (topic.endsWith("/create-from-csr")) return this.#split(topic, payload);
    const asked = parseFleetProvisioningTopic(topic);
    if (asked === undefined) return [];
    const { operation, format, accepted, rejected } = asked;
    const isThing = operation === "registerThing";
    const count = isThing ? ++this.registrationCount : ++this.#createCount;
    const refusal = isThing ? this.refuseThing(count) : this.refuseCreate(count);
    const reject = (rejection: FleetProvisioningRejection) => [
      { topic: rejected, payload: encodeFleetProvisioningRejection(rejection, format) },
    ];
    if (refusal) return reject(refusal);
    if (isThing) {
      const registered = this.#register(payload, format);
      if (this.isLost(operation, count)) return [];
      if ("statusCode" in registered) return reject(registered);
      return [{ topic: accepted, payload: encodeRegisterThingAnswer(registered, format) }];
    }
    const created = await (operation === "createKeysAndCertificate"
      ? this.issue()
      : this.issueFor(requestOf(payload, format)));
    if (this.isLost(operation, count)) return [];
    return this.change({ topic: accepted, payload: this.encode(created, format) }, created);
  }

  encode({ id, pem, token, privateKeyPem }: FleetCertificate, format: Format): Uint8Array {
    const answer = { certificateId: id, certificatePem: pem, certificateOwnershipToken: token };
    return privateKeyPem === undefined
      ? encodeCreateCertificateFromCsrAnswer(answer, format)
      : encodeCreateKeysAndCertificateAnswer({ ...answer, privateKey: privateKeyPem }, format);
  }

  /** With a key of the cloud's making. */
  async issue(): Promise<FleetCertificate> {
    const keyPair = await this.#keys.generate("ec-p256");
    const made = await this.#make(keyPair, undefined);
    return this.#added({ ...made, privateKeyPem: keyPair.privateKeyPem });
  }

  async issueFor(requestPem: string): Promise<FleetCertificate> {
    const { publicKey } = parseCertificateRequest(requestPem);
    return this.#added(await this.#make(noKey, publicKey));
  }

  #added(certificate: FleetCertificate): FleetCertificate {
    this.issued.push(certificate);
    return certificate;
  }

  async #make(keyPair: KeyPair, publicKey: Uint8Array | undefined): Promise<FleetCertificate> {
    const serial = 1_000 + this.issued.length;
    const { certificatePem: pem, certificateDer } = await makeTestCertificate(this.#keys, {
      ...{ commonName: "AWS IoT Certificate", issuer: this.#issuer, keyPair, serial },
      ...(publicKey && { publicKey }),
    });
    const id = toHex(this.#keys.sha256(certificateDer));
    return { id, pem, token: `token-${serial}-${"t".repeat(400)}`, issuedAtMs: this.#unixMs(), status: "PENDING" };
  }

  #register(payload: Uint8Array, format: Format): RegisterThingAnswer | FleetProvisioningRejection {
    const read = decodeRegisterThingRequest(payload, format);
    if ("rejection" in read) return read.rejection;
    const { certificateOwnershipToken, parameters } = read.request;
    this.parameters.push(parameters);
    const found = this.issued.find(({ token }) => token === certificateOwnershipToken);
    const isGood = found?.status === "PENDING" && this.#unixMs() - found.issuedAtMs < tokenLifetimeMs;
    if (!found || !isGood) {
      const errorCode = "InvalidCertificateOwnershipToken";
      return { statusCode: 400, errorCode, errorMessage: "Invalid certificate ownership token" };
    }
    found.status = "ACTIVE";
    return this.registered;
  }

  /** A cloud half of split messages that knows keys of the device's own. */
  async #split(topic: string, payload: Uint8Array): Promise<FleetMessage[]> {
    this.#createCount += 1;
    const created = await this.issueFor(new TextDecoder().decode(payload));
    created.status = "ACTIVE";
    const answer = topic.replace("create-from-csr", "create/accepted/cert");
    return this.change({ topic: answer, payload: new TextEncoder().encode(created.pem) }, created);
  }
}

function requestOf(payload: Uint8Array, format: Format): string {
  const read = decodeCreateCertificateFromCsrRequest(payload, format);
  if ("rejection" in read) throw new Error(`the request is refused: ${read.rejection.errorMessage}`);
  return read.request.certificateSigningRequest;
}
