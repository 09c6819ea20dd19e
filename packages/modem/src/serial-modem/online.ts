import type { SerialModemServices } from "./feature.js";

/** Whether the modem is registered. */
export async function isRegistered({ modem }: Pick<SerialModemServices, "modem">): Promise<boolean> {
  return /\+CEREG: [0-5],[15]/.test(await modem.at("AT+CEREG?"));
}

/** Whether the modem is registered, and packets pass. */
export async function isOnline(services: Pick<SerialModemServices, "modem">): Promise<boolean> {
  return services.modem.conditions.hasData && isRegistered(services);
}
