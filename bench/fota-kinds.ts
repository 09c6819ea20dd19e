/** How a file comes. `modem` is HTTPS, `modemCbor` a stream, by the TLS of a modem, whose records are bounded; `node` is Node's own client. */
export type DownloadHow = "https" | "cbor" | "json" | "modem" | "modemCbor" | "node";

/** Of a TLS record that a modem takes. */
export const modemRecordBytes = 2_048;
export const httpsRangeBytes = 64 * 1024;
export const streamBlockBytes = 4_096;
/** A block is one message, and that one record. */
export const modemBlockBytes = 1_024;

export const isHttps = (how: DownloadHow): how is "https" | "modem" => how === "https" || how === "modem";
export const modemTls = { maxVersion: "TLSv1.2", receivedRecordBytesMax: modemRecordBytes } as const;

/** What a stream is asked for. */
export function streamOptions(how: DownloadHow, isOneAtATime: boolean) {
  const blockBytes = how === "modemCbor" ? modemBlockBytes : streamBlockBytes;
  return {
    format: how === "json" ? ("json" as const) : ("cbor" as const),
    blockBytes,
    ...(isOneAtATime && { windowBytes: blockBytes }),
  };
}
