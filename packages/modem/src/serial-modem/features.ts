import { firmwareFeature } from "./dfu-feature.js";
import type { SerialModemFeature } from "./feature.js";
import { httpFeature } from "./http.js";
import { mqttFeature } from "./mqtt.js";
import { makeNativeTlsFeature } from "./native-tls.js";
import { provisioningFeature } from "./provisioning.js";
import { makeResolveFeature } from "./resolve.js";
import { makeSocketFeature } from "./socket-feature.js";

/** Every part of the application, in the order in which `AT#XCLAC` lists their commands. */
export const serialModemFeatures: readonly SerialModemFeature[] = [
  makeSocketFeature,
  makeResolveFeature,
  makeNativeTlsFeature,
  mqttFeature,
  httpFeature,
  firmwareFeature,
  provisioningFeature,
];
