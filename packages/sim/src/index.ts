export { createBootloader } from "./mcuboot/bootloader.js";
export type { Bootloader, BootloaderOptions } from "./mcuboot/bootloader.js";
export type { BootedImage, BootRefusal, BootReport, BootWarning } from "./mcuboot/report.js";
export type { SlotsProblem } from "./mcuboot/slots-problem.js";
export { createFlashCounter } from "./mcuboot/security-counter.js";
export type { SecurityCounter } from "./mcuboot/security-counter.js";
export type { SlotLayout } from "./mcuboot/slots.js";
