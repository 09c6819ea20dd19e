/** Where a file comes from, as a job document says it. */
export type DownloadSource =
  | {
      type: "http";
      /** Absolute, `http:` or `https:`, without a fragment; what is in its path and query is sent as it stands. May be presigned: a secret. */
      url: string;
    }
  | {
      /** MQTT file delivery. */
      type: "stream";
      streamName: string;
      fileId: number;
      /** As the job document says, when it does. */
      sizeBytes: number | undefined;
    };

export interface FileIdentity {
  sizeBytes: number;
  /**
   * Tells this file from any other that was or will be under the same name: a strong ETag, or name and version of a stream. Undefined: the
   * server gives nothing of the kind, so that a download that was cut begins again.
   */
  version: string | undefined;
}

export interface DownloadRequest {
  source: DownloadSource;
  /** The first byte that is wanted; at most the size of the file. 0 unless `expected` is given. */
  offset: number;
  /** The file whose first `offset` bytes are there already. Undefined: whatever lies there now. */
  expected: FileIdentity | undefined;
}

/** A file on its way. */
export interface Download {
  readonly identity: FileIdentity;
  /** The device's own view of the way, for people: `https, 2 connections`. Never a URL. */
  readonly description: string;
  /**
   * The bytes from `offset` to the end of the file, in order, without a gap and each once; it ends with the last byte of the file, and
   * never before. Chunks have any size up to {@link downloadChunkBytesMax}, and are the caller's. Nothing is fetched beyond a bounded window
   * ahead of the caller. Leaving the loop, or the signal of {@link Downloader.open}, closes the download. Once only.
   *
   * @throws {ThinglineError} as {@link Downloader.open}. What was yielded before holds.
   */
  chunks(): AsyncIterable<Uint8Array>;
  /** Gives up what is on its way: connections, subscriptions, timers. Safe to call at any time, twice, and after the end. */
  close(): Promise<void>;
}

export const downloadChunkBytesMax = 128 * 1024;

/**
 * Fetches files in order and within bounds. It repeats what costs nothing to repeat (a connection that the server closed after an answer, a
 * block that was lost); whether and when a download is tried again after an error is up to the updater, which goes by the code.
 */
export interface Downloader {
  /** Whether this one serves such a source. */
  serves(source: DownloadSource): boolean;
  /**
   * Finds out what lies there and begins to fetch. Resolves when the identity is known; it is the expected one.
   *
   * @throws {ThinglineError}
   * - DOWNLOAD_GONE: it is not there, or may not be read (any more): 403, 404, 410, ResourceNotFound, Unauthorized. A fresh job document,
   *   with a fresh URL, may help; asking again does not.
   * - DOWNLOAD_CHANGED: another file lies there than the expected one; the download has to begin again.
   * - DOWNLOAD_UNAVAILABLE: later, it may be there: 5xx, 429, a lost connection, a time-out, no network. `retryAfterMs` in its details when
   *   the server said when.
   * - DOWNLOAD_INVALID: an answer breaks the protocol, or one of our bounds, or the source is none: the same question brings the same answer.
   * - TLS_PEER_UNTRUSTED, CREDENTIAL_MISSING, TLS_RECORD_TOO_LARGE, OPTION_INVALID: this device cannot fetch from there as it is set up.
   * - ABORTED by the signal.
   */
  open(request: DownloadRequest, options: { signal: AbortSignal }): Promise<Download>;
}
