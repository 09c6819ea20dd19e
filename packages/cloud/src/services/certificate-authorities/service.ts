import type { Clock } from "@thingline/transport";
import type { Log } from "../../log.js";
import { noIotLog, type IotLog } from "../iot-log.js";
import { saga } from "../saga.js";
import {
  deleteCaCertificate,
  describeCaCertificate,
  listCaCertificates,
  registerCaCertificateOperation,
  updateCaCertificateOperation,
} from "./authorities.js";
import {
  connectFirstOperation,
  judgeFirstConnection,
  type FirstConnectionInput,
  type FirstConnectionResult,
  type ProvisionThing,
} from "./first-connection.js";
import { FirstConnectionsGate } from "./first-connections-gate.js";
import { registerCertificate } from "./register-certificate.js";
import { deleteRegistrationCode, getRegistrationCode } from "./registration-code.js";
import type { FindTemplate } from "./registration-config.js";

/** Of its sagas. */
export const certificateAuthoritiesName = "certificate-authorities";

export interface CertificateAuthoritiesDependencies {
  clock: Clock;
  log: Log;
  /** Default: nothing is logged. */
  iotLog?: IotLog | undefined;
  provisionThing: ProvisionThing;
  findTemplate: FindTemplate;
  /** The same for a CA that names it from now on: it cannot be deleted in the same moment. */
  claimTemplate: FindTemplate;
}

export type CertificateAuthorities = ReturnType<typeof createAuthorities>;

/** CAs of the account, and what comes of the certificates that they sign. Members are the operations of AWS IoT by their names. */
export function createAuthorities({ claimTemplate }: Pick<CertificateAuthoritiesDependencies, "claimTemplate">) {
  return {
    getRegistrationCode,
    deleteRegistrationCode,
    registerCACertificate: registerCaCertificateOperation(claimTemplate),
    describeCACertificate: describeCaCertificate,
    updateCACertificate: updateCaCertificateOperation(claimTemplate),
    deleteCACertificate: deleteCaCertificate,
    listCACertificates: listCaCertificates,
    registerCertificate,
  };
}

export type FirstConnections = ReturnType<typeof createFirstConnections>;

/** For the gateway: what certificates come to that are not ACTIVE. */
export function createFirstConnections(
  deps: CertificateAuthoritiesDependencies,
  { isLimited }: { isLimited: boolean },
) {
  const { clock, iotLog = noIotLog, log } = deps;
  const gate = new FirstConnectionsGate({ monotonicMs: () => clock.monotonicMs(), isLimited });
  const decide = connectFirstOperation(deps);

  /** A CONNECT with a certificate that {@link judgeFirstConnection} has let come so far. Answers why it is not connected now. */
  const connectFirst = saga(
    certificateAuthoritiesName,
    async ({ run }, input: FirstConnectionInput): Promise<string> => {
      const late = gate.enter(input);
      if (late !== undefined) {
        log.warn("firstConnectionThrottled", { ...factsOf(input), reason: late });
        return late;
      }
      try {
        const result = await run(decide, input);
        tell(log, input, result);
        logProvisioning(iotLog, input, result);
        return explain(result);
      } finally {
        gate.leave();
      }
    },
  );
  return { judge: judgeFirstConnection, connect: connectFirst };
}

const factsOf = ({ certificateId, caCertificateId, clientId }: FirstConnectionInput) => ({
  ...{ certificateId, caCertificateId, clientId },
});

function tell(log: Log, input: FirstConnectionInput, result: FirstConnectionResult): void {
  const facts = factsOf(input);
  switch (result.outcome) {
    case "pending":
      return log.info("certificateAwaitsActivation", { ...facts, isNew: result.isNew });
    case "provisioned":
      return log.info("deviceProvisionedJustInTime", { ...facts, thingName: result.thingName, status: result.status });
    case "failed":
      return log.warn("justInTimeProvisioningFailed", { ...facts, code: result.code, reason: result.reason });
    case "refused":
      return log.warn("firstConnectionRefused", { ...facts, reason: result.reason });
  }
}

/** Just-in-time provisioning, for the log of the account; a registration alone is none. */
function logProvisioning(
  iotLog: IotLog,
  { certificateId, clientId }: FirstConnectionInput,
  result: FirstConnectionResult,
): void {
  const { outcome } = result;
  if (iotLog.verbosity === 0 || (outcome !== "provisioned" && outcome !== "failed")) return;
  const entry = { eventType: "ProvisionDevice", protocol: "MQTT", clientId } as const;
  const more = { deviceCertificateId: certificateId };
  if (outcome === "provisioned") return iotLog.write({ level: "INFO", ...entry, more });
  const { code: reason, reason: details } = result;
  iotLog.write({ level: "ERROR", isFailure: true, ...entry, more, reason, details });
}

function explain(result: FirstConnectionResult): string {
  switch (result.outcome) {
    case "pending":
      return `it is ${result.isNew ? "registered now" : "registered"} and waits for its activation; set it ACTIVE with UpdateCertificate`;
    case "provisioned":
      return result.status === "ACTIVE"
        ? "its device is provisioned now; connect again"
        : `its device is provisioned now, and its template sets it ${result.status}`;
    case "failed":
      return `its device could not be provisioned: ${result.reason}`;
    case "refused":
      return result.reason;
  }
}
