import type { SerialModemFeature } from "./feature.js";

/** Every part of the application, in the order in which `AT#XCLAC` lists their commands. */
export const serialModemFeatures: readonly SerialModemFeature[] = [];
