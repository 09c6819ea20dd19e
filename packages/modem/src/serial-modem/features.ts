import { firmwareFeature } from "./dfu-feature.js";
import type { SerialModemFeature } from "./feature.js";
import { httpFeature } from "./http.js";
import { mqttFeature } from "./mqtt.js";
import { makeNativeTlsFeature } from "./native-tls.js";
import { provisioningFeature } from "./provisioning.js";
import { makeSocketFeature } from "./socket-feature.js";

/** Every part of the application, in the order in which `AT#XCLAC` lists their commands. */
export const serialModemFeatures: readonly SerialModemFeature[] = [
  makeSocketFeature,
  makeNativeTlsFeature,
  mqttFeature,
  httpFeature,
  firmwareFeature,
  provisioningFeature,
];
