import { ThinglineError } from "@thingline/protocol";
import type { SerialPort } from "serialport";

export type SerialLibrary = typeof SerialPort;

let loading: Promise<SerialLibrary> | undefined;

/**
 * The package serialport, loaded when the first port is wanted: it has native code, and most sessions have no port.
 *
 * @throws {ThinglineError} DEPENDENCY_MISSING
 */
export function loadSerialLibrary(): Promise<SerialLibrary> {
  loading ??= import("serialport").then(
    (library) => library.SerialPort,
    (cause: unknown) => {
      loading = undefined;
      const message = "serial ports need the package serialport, which is not installed: npm install serialport@13";
      throw new ThinglineError("DEPENDENCY_MISSING", message, { details: { dependency: "serialport" }, cause });
    },
  );
  return loading;
}
