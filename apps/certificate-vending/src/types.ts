/** What the rules on `certificate/+/create` and `certificate/+/create-from-csr` select. */
export interface VendingEvent {
  /** `clientid()` of the message: what the device is connected as, with the prefix of a claim where it has one. */
  deviceId: string;
  /** `encode(*, 'base64')` of a message on `certificate/<client id>/create-from-csr`: a PKCS#10 request as PEM text. */
  csr?: string;
}

/** Where the key was made. */
export type KeyOrigin = "cloud" | "device";

/** What a device got. */
export interface VendedCertificate {
  thingName: string;
  certificateId: string;
  keyOrigin: KeyOrigin;
}

/** What a call is given besides its event: of Lambda, or of a local cloud that calls the handler in process. */
export interface VendingContext {
  readonly signal?: AbortSignal;
  getRemainingTimeInMillis?(): number;
}

/**
 * Answers one device. It resolves when key and certificate are published on the client's own answer topics. On a failure it takes back what it
 * made, publishes a rejection that the device understands, and throws, so that the error also reaches where the function's failures go.
 */
export type VendingHandler = (event: unknown, context?: VendingContext) => Promise<VendedCertificate>;

/** A certificate as the account made it, not yet in use. */
export interface IssuedCertificate {
  certificateId: string;
  certificateArn: string;
  certificatePem: string;
  /** Only where the cloud made the key. */
  privateKeyPem?: string;
}

/** A certificate of a thing. */
export interface ThingCertificate {
  certificateId: string;
  createdAtMs: number;
}

/** What the handler asks of an account: AWS IoT's operations by their names, each bounded in time; what may happen twice is tried again. */
export interface VendingCloud {
  hasThing(thingName: string): Promise<boolean>;
  createThing(thingName: string): Promise<void>;
  deleteThing(thingName: string): Promise<void>;
  /** Certificates among the principals of a thing. */
  listThingCertificates(thingName: string): Promise<readonly ThingCertificate[]>;
  /** INACTIVE. */
  createKeysAndCertificate(): Promise<IssuedCertificate>;
  /** INACTIVE. */
  createCertificateFromCsr(certificateSigningRequest: string): Promise<IssuedCertificate>;
  updateCertificate(certificateId: string, newStatus: "ACTIVE" | "INACTIVE"): Promise<void>;
  deleteCertificate(certificateId: string): Promise<void>;
  attachPolicy(policyName: string, certificateArn: string): Promise<void>;
  detachPolicy(policyName: string, certificateArn: string): Promise<void>;
  attachThingPrincipal(thingName: string, certificateArn: string): Promise<void>;
  detachThingPrincipal(thingName: string, certificateArn: string): Promise<void>;
  /** QoS 1, not retained. */
  publish(topic: string, payload: Uint8Array): Promise<void>;
}

/** A line a call, as JSON where it is Lambda's; never a key, a certificate or a request. */
export interface VendingLog {
  info(event: string, details: Readonly<Record<string, unknown>>): void;
  error(event: string, details: Readonly<Record<string, unknown>>): void;
}
