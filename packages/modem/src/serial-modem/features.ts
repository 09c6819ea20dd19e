import type { SerialModemFeature } from "./feature.js";
import { httpFeature } from "./http.js";
import { mqttFeature } from "./mqtt.js";

/** Every part of the application, in the order in which `AT#XCLAC` lists their commands. */
export const serialModemFeatures: readonly SerialModemFeature[] = [mqttFeature, httpFeature];
