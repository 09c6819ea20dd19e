import { integerAt, stringAt } from "@thingline/protocol/at";
import { oneOf, optional } from "../simulator/commands/parameter-rules.js";
import { failed, ok, type SerialModemCommand } from "./command.js";
import type { SerialModemFeature, SerialModemServices } from "./feature.js";
import { resolveTimeoutMs } from "./options.js";
import { isOnline } from "./online.js";
import { host } from "./socket-rules.js";

const loopback = { 4: "127.0.0.1", 6: "::1" } as const;
/** Addresses of one answer. */
const addressesMax = 8;

/** `#XGETADDRINFO="<host>"[,<family>]`: 0 any, 1 IPv4, 2 IPv6. */
export const makeResolveFeature: SerialModemFeature = (services) => {
  let running: AbortController | undefined;
  const look = async (name: string, family: 4 | 6 | undefined): Promise<readonly string[]> => {
    running = new AbortController();
    return addressesOf(services, name, family, running);
  };
  return { commands: [resolveCommand(look)], stop: () => running?.abort() };
};

type Look = (name: string, family: 4 | 6 | undefined) => Promise<readonly string[]>;

function resolveCommand(look: Look): SerialModemCommand {
  return {
    name: "#XGETADDRINFO",
    forms: {
      set: {
        rules: [host, optional(oneOf(0, 1, 2))],
        handle: async (parameters) => {
          const families = { 1: 4, 2: 6 } as const;
          const family = families[(integerAt(parameters, 1) ?? 0) as 1 | 2] as 4 | 6 | undefined;
          const addresses = await look(stringAt(parameters, 0) ?? "", family);
          if (addresses.length === 0) return failed('#XGETADDRINFO: "not found"');
          return ok(`#XGETADDRINFO: "${addresses.slice(0, addressesMax).join(" ")}"`);
        },
      },
    },
  };
}

async function addressesOf(
  services: SerialModemServices,
  name: string,
  family: 4 | 6 | undefined,
  controller: AbortController,
): Promise<readonly string[]> {
  const kind = /^[0-9]{1,3}(?:\.[0-9]{1,3}){3}$/.test(name) ? 4 : name.includes(":") ? 6 : undefined;
  if (kind !== undefined) return family === undefined || family === kind ? [name] : [];
  if (name === "localhost") return [loopback[family ?? 4]];
  const { clock, options } = services;
  if (options.resolve === undefined || !(await isOnline(services))) return [];
  const tooLate = new Promise<readonly string[]>((resolve) => {
    controller.signal.addEventListener("abort", () => resolve([]), { once: true });
  });
  const timer = clock.setTimer(resolveTimeoutMs, () => controller.abort());
  try {
    return await Promise.race([options.resolve(name, { family, signal: controller.signal }), tooLate]);
  } finally {
    timer.cancel();
  }
}
