import { ThinglineError } from "../errors.js";
import { deviceIdCharactersMax, isDeviceId } from "./split.js";

/**
 * What the client id of a device begins with while it is connected with its claim: `claim-pump-7` asks for what will be the thing
 * `pump-7`. So a claim can be held to such client ids, and nobody who has it can ever be, or throw off, a device under its own name.
 * No device may have a name that begins so.
 */
export const claimClientIdPrefix = "claim-";

/** The longest name of a device whose claim client id is still one of AWS IoT. */
export const claimedDeviceIdCharactersMax = deviceIdCharactersMax - claimClientIdPrefix.length;

/**
 * What a device connects as with its claim; its topics for split provisioning are those of this client id.
 *
 * @throws {ThinglineError} OPTION_INVALID when the id is none of a device, begins with the prefix itself, or is longer than
 * {@link claimedDeviceIdCharactersMax}.
 */
export function claimClientIdOf(deviceId: string): string {
  if (isDeviceId(deviceId) && deviceId.length <= claimedDeviceIdCharactersMax && !isClaimClientId(deviceId)) {
    return claimClientIdPrefix + deviceId;
  }
  const rule = `1 to ${claimedDeviceIdCharactersMax} of the characters A-Z a-z 0-9 : _ -, and does not begin with "${claimClientIdPrefix}"`;
  const message = `a device that is provisioned with a claim has an id of ${rule}, got "${deviceId}"`;
  throw new ThinglineError("OPTION_INVALID", message, { details: { option: "clientId" } });
}

export function isClaimClientId(clientId: string): boolean {
  return clientId.startsWith(claimClientIdPrefix);
}

/**
 * The name of the device behind a client that asks with a claim, for the cloud half: without the prefix; the client id itself where there
 * is none, as the original sample connects. Not checked: the result is no device id when the client id was none, and must not begin with
 * the prefix again.
 */
export function deviceIdOfClient(clientId: string): string {
  return isClaimClientId(clientId) ? clientId.slice(claimClientIdPrefix.length) : clientId;
}
