import type { Clock } from "@thingline/transport";
import type { Functions } from "../../functions/index.js";
import type { Log } from "../../log.js";
import { noIotLog, verbosityOf, type IotLog } from "../iot-log.js";
import type { CertificateIssuer, SignRequest } from "../registry/index.js";
import type { ProvisionThing } from "../thing-provisioning/index.js";
import type { Asker } from "./asker.js";
import { createClaimOperation } from "./claims.js";
import { createDeviceRequests, type DeviceRequests } from "./device-requests.js";
import { createHookCaller } from "./hook.js";
import { createRegisterThing } from "./register-thing.js";
import { createTemplateOperations, type FindCaOfTemplate } from "./templates.js";
import { awsProvisioningRates, ProvisioningThrottle } from "./throttle.js";
import { versionOperations } from "./versions.js";

export interface FleetProvisioningDependencies {
  clock: Clock;
  log: Log;
  /** Default: nothing is logged. */
  iotLog?: IotLog | undefined;
  issuer: CertificateIssuer;
  signRequest: SignRequest;
  provisionThing: ProvisionThing;
  /** Where hooks are found. */
  functions: Functions;
  findCaOfTemplate?: FindCaOfTemplate;
}

/** Operations of AWS by their names. */
export type FleetProvisioning = ReturnType<typeof createFleetProvisioning>;

/** The control plane. @param options.isLimited AWS's quota of templates is kept */
export function createFleetProvisioning(
  { issuer, findCaOfTemplate }: Pick<FleetProvisioningDependencies, "issuer" | "findCaOfTemplate">,
  options: { isLimited: boolean },
) {
  return {
    ...createTemplateOperations({ ...options, findCaOfTemplate }),
    ...versionOperations,
    createProvisioningClaim: createClaimOperation(issuer),
  };
}

/** What devices ask for over MQTT. @param options.isLimited AWS's rates are kept */
export function createProvisioningRequests(
  { clock, log, iotLog = noIotLog, issuer, signRequest, provisionThing, functions }: FleetProvisioningDependencies,
  { isLimited }: { isLimited: boolean },
): DeviceRequests {
  const registerThing = createRegisterThing({
    provisionThing,
    askHook: createHookCaller({ functions, log }),
    onRegistered: ({ asker: { clientId, claimCertificateId }, templateName, thingName, certificateId }) => {
      log.info("fleetProvisioned", { clientId, thingName, templateName, certificateId, claimCertificateId });
      if (iotLog.verbosity < verbosityOf.INFO) return;
      const more = { provisioningTemplateName: templateName, deviceCertificateId: certificateId };
      const who = { protocol: "MQTT", clientId, principalId: claimCertificateId } as const;
      iotLog.write({ level: "INFO", eventType: "ProvisionDevice", ...who, more });
    },
  });
  const onIssued = ({ clientId, claimCertificateId }: Asker, deviceCertificateId: string): void => {
    if (iotLog.verbosity < verbosityOf.INFO) return;
    const who = { protocol: "MQTT", clientId, principalId: claimCertificateId } as const;
    iotLog.write({ level: "INFO", eventType: "GetDeviceCredentials", ...who, more: { deviceCertificateId } });
  };
  const throttle = new ProvisioningThrottle(clock, isLimited ? awsProvisioningRates : undefined);
  return createDeviceRequests({ issuer, signRequest, registerThing, throttle, log, onIssued });
}
