import type { LteLinkControl } from "@thingline/modem";
import type { ThinglineError } from "@thingline/protocol";
import type { CredentialStore, Dialer, KeyMaker, ModemFirmware, SecTagDialer } from "@thingline/transport";

/** An nRF91 as firmware sees it: its sockets, key management and LTE link control. Simulated, or on a board behind a port. */
export interface ModemDevice extends AsyncDisposable {
  sockets: { dialer: Dialer; secTagDialer: SecTagDialer };
  imei: string;
  /** The board was in data mode, left there by a program that was killed. */
  leftDataMode?: boolean;
  credentials: CredentialStore;
  /** Makes keys inside the modem. */
  keyMaker: KeyMaker;
  link: LteLinkControl;
  /** Updates of the modem's own firmware; undefined where nobody here can apply them. */
  firmware: ModemFirmware | undefined;
  /** Resolves with what ended the way to the modem, when something else than `close()` did. */
  lost: Promise<ThinglineError>;
  close(): Promise<void>;
}
