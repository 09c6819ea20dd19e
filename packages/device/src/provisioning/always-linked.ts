import type { LinkControl } from "@thingline/transport";

/** For a device that has no modem: the network is there, and nothing has to be switched off while credentials are written. */
export const alwaysLinked: LinkControl = {
  connect: async () => undefined,
  offline: async () => undefined,
  normal: async () => undefined,
  powerOff: async () => undefined,
};
