/**
 * How bootloaders keep old images away. `unknown`: nobody said, so what any of them would refuse is refused. `version` leaves the build out, as
 * MCUboot does unless it is told otherwise.
 */
export const bootloaderRules = ["unknown", "none", "version", "version-and-build", "counter"] as const;
export type BootloaderRule = (typeof bootloaderRules)[number];
