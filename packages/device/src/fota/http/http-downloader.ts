import { ThinglineError } from "@thingline/protocol";
import type { Downloader } from "../downloader.js";
import { HttpDownload } from "./http-download.js";
import {
  checkHttpDownloaderOptions,
  defaultDownloadConnections,
  defaultDownloadReceiveTimeoutMs,
  defaultRangeBytes,
  defaultRangeTimeoutMs,
  DownloadDialer,
  type HttpDownloaderOptions,
} from "./options.js";

/**
 * Fetches files over HTTP/1.1 and HTTPS in ranges, some at the same time, through whatever dialer MQTT goes through: a modem's TLS, native
 * TLS, a virtual network. It goes on where an earlier process stopped when the server gives a strong ETag.
 *
 * @throws {ThinglineError} OPTION_INVALID
 */
export function createHttpDownloader(options: HttpDownloaderOptions): Downloader {
  checkHttpDownloaderOptions(options);
  const { clock } = options;
  const context = {
    clock,
    dialer: new DownloadDialer({ ...options }),
    connections: options.connections ?? defaultDownloadConnections,
    rangeBytes: options.rangeBytes ?? defaultRangeBytes,
    receiveTimeoutMs: options.receiveTimeoutMs ?? defaultDownloadReceiveTimeoutMs,
    rangeTimeoutMs: options.rangeTimeoutMs ?? defaultRangeTimeoutMs,
  };
  return {
    serves: ({ type }) => type === "http",
    async open(request, { signal }) {
      if (request.source.type !== "http") {
        throw new ThinglineError("DOWNLOAD_INVALID", "this downloader fetches over HTTP, and the source is a stream");
      }
      return new HttpDownload(context, request, request.source.url, signal).open();
    },
  };
}
