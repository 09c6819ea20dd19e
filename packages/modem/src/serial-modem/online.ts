import type { SerialModemServices } from "./feature.js";

/** Whether the modem is registered, and packets pass. */
export async function isOnline({ modem }: SerialModemServices): Promise<boolean> {
  return modem.conditions.hasData && /\+CEREG: [0-5],[15]/.test(await modem.at("AT+CEREG?"));
}
