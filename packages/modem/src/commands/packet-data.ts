import type { packetTypes } from "../at/packet-data.js";
import type { CommandOptions } from "../session.js";
import { askModem, type CommandSession } from "./ask.js";

/** One context of `AT+CGDCONT?`. */
export interface PacketContext {
  contextId: number;
  /** `IP`, `IPV6`, `IPV4V6`, `Non-IP`. */
  type: string;
  accessPoint: string;
  address: string;
}

/** What a context is made of. Without a type it is deleted, or put back as the network has it. */
export interface PacketContextSetting {
  /** 0 is the one that a registration brings along. */
  contextId: number;
  type?: (typeof packetTypes)[number];
  /** APN. Default: the subscription's own. */
  accessPoint?: string;
}

/** Addresses of a context; none while it is not active. */
export interface PacketAddresses {
  contextId: number;
  address: string | undefined;
  ipv6Address: string | undefined;
}

/** `AT+CGDCONT?` @throws {ThinglineError} MODEM_RESPONSE_INVALID, and those of `ModemSession.command`. */
export function readPacketContexts(session: CommandSession, options?: CommandOptions): Promise<PacketContext[]> {
  return askModem(session, "+CGDCONT?", undefined, options);
}

/** `AT+CGDCONT=` @throws {ThinglineError} AT_MALFORMED, and those of `ModemSession.command`. */
export async function setPacketContext(
  session: CommandSession,
  setting: PacketContextSetting,
  options?: CommandOptions,
): Promise<void> {
  await askModem(session, "+CGDCONT=", setting, options);
}

/** `AT+CGACT?`: which contexts are active. @throws as {@link readPacketContexts} */
export function readActiveContexts(
  session: CommandSession,
  options?: CommandOptions,
): Promise<{ contextId: number; isActive: boolean }[]> {
  return askModem(session, "+CGACT?", undefined, options);
}

/** `AT+CGACT=`: activates a context, or deactivates it. The network answers, so that it may take minutes. @throws as {@link setPacketContext} */
export async function activateContext(
  session: CommandSession,
  contextId: number,
  { isActive = true, ...options }: CommandOptions & { isActive?: boolean } = {},
): Promise<void> {
  await askModem(session, "+CGACT=", { isActive, contextId }, options);
}

/** `AT+CGPADDR=` @throws as {@link readPacketContexts} */
export async function readContextAddresses(
  session: CommandSession,
  contextId: number,
  options?: CommandOptions,
): Promise<PacketAddresses | undefined> {
  const found = (await askModem(session, "+CGPADDR=", { contextId }, options)).find(
    (each) => each.contextId === contextId,
  );
  if (found === undefined) return undefined;
  const known = (text: string | undefined) => (text === "" ? undefined : text);
  return { contextId, address: known(found.address), ipv6Address: known(found.ipv6Address) };
}
