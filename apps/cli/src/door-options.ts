import { UsageError } from "./failure.js";

/** Where a modem is that is no folder: flags of the commands that speak to boards. */
export interface DoorOptions {
  port?: string;
  /** Host and port, `localhost:4000`. */
  tcp?: string;
  baudRate?: number;
  /** False by `--no-flow-control`. */
  flowControl?: boolean;
}

/**
 * Whether a door is named.
 *
 * @param serialPort what the options of a serial line are for, where that is another port than `--port`
 * @throws {UsageError} for options of a serial line without one: nothing would heed them
 */
export function namesDoor(options: DoorOptions, serialPort: string | undefined = options.port): boolean {
  const { port, tcp, baudRate, flowControl } = options;
  if (serialPort === undefined && (baudRate !== undefined || flowControl === false)) {
    const flag = baudRate === undefined ? "--no-flow-control" : "--baud-rate";
    throw new UsageError(`${flag} is for a serial port: name it with --port`);
  }
  return port !== undefined || tcp !== undefined;
}

/**
 * Whether a device connects through a board, which does TLS inside its modem.
 *
 * @throws {UsageError} for TLS in the application, which would need the modem's plain sockets below it
 */
export function usesBoard(options: DoorOptions, isNativeTls: boolean): boolean {
  if (!namesDoor(options)) return false;
  if (!isNativeTls) return true;
  const message =
    "--port and --tcp connect by TLS inside the modem: leave out --native-tls, and the overlay that asks for it";
  throw new UsageError(message);
}

/** A door as words of a command line. */
export function doorWords({ port, tcp, baudRate, flowControl }: DoorOptions): string[] {
  return [
    ...(port === undefined ? [] : ["--port", port]),
    ...(tcp === undefined ? [] : ["--tcp", tcp]),
    ...(baudRate === undefined ? [] : ["--baud-rate", String(baudRate)]),
    ...(flowControl === false ? ["--no-flow-control"] : []),
  ];
}
