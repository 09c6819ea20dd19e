import { ThinglineError } from "@thingline/protocol";
import { type AtParameter, integerAt, parseInformation, stringAt } from "@thingline/protocol/at";
import type { CommandOptions, ModemSession } from "../session.js";

/** One context of `AT+CGDCONT?`. */
export interface PacketContext {
  contextId: number;
  /** `IP`, `IPV6`, `IPV4V6`, `Non-IP`. */
  type: string;
  accessPoint: string;
  address: string;
}

/** `AT%XVBAT`: millivolts. @throws {ThinglineError} MODEM_RESPONSE_INVALID, and those of {@link ModemSession.command}. */
export function readSupplyVoltage(session: ModemSession, options?: CommandOptions): Promise<number> {
  return readValue(session, "AT%XVBAT", "%XVBAT", integerAt, options);
}

/** `AT%XTEMP?`: degrees Celsius. @throws as {@link readSupplyVoltage} */
export function readTemperature(session: ModemSession, options?: CommandOptions): Promise<number> {
  return readValue(session, "AT%XTEMP?", "%XTEMP", integerAt, options);
}

/** `AT+CCLK?`: the network's time, as `22/10/10,19:59:21+08`. @throws as {@link readSupplyVoltage}; refused until there is one */
export function readNetworkTime(session: ModemSession, options?: CommandOptions): Promise<string> {
  return readValue(session, "AT+CCLK?", "+CCLK", stringAt, options);
}

/** `AT+CGDCONT?` @throws as {@link readSupplyVoltage} */
export async function readPacketContexts(session: ModemSession, options?: CommandOptions): Promise<PacketContext[]> {
  return (await session.command("AT+CGDCONT?", options)).map((line) => {
    const information = parseInformation(line);
    const contextId = integerAt(information?.parameters ?? [], 0);
    if (information?.name !== "+CGDCONT" || contextId === undefined) throw invalid("AT+CGDCONT?", line);
    const text = (index: number) => stringAt(information.parameters, index) ?? "";
    return { contextId, type: text(1), accessPoint: text(2), address: text(3) };
  });
}

async function readValue<Value>(
  session: ModemSession,
  command: string,
  name: string,
  at: (parameters: readonly AtParameter[], index: number) => Value | undefined,
  options: CommandOptions | undefined,
): Promise<Value> {
  const [line = ""] = await session.command(command, options);
  const information = parseInformation(line);
  const value = information?.name === name ? at(information.parameters, 0) : undefined;
  if (value === undefined) throw invalid(command, line);
  return value;
}

function invalid(command: string, line: string): ThinglineError {
  return new ThinglineError("MODEM_RESPONSE_INVALID", `${command}: another answer was expected than ${line}`);
}
