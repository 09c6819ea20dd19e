import { ThinglineError } from "@thingline/protocol";
import { streamIdPattern } from "@thingline/protocol/streams";
import type { Downloader } from "../downloader.js";
import { checkStreamOptions, type StreamDownloaderOptions } from "./options.js";
import { StreamDownload } from "./stream-download.js";

/**
 * Fetches files by AWS's MQTT file delivery, over the connection that the device has anyway: many blocks on their way at a time, those that are
 * lost asked for again by a bitmap, on at any offset after a lost connection or a restart as long as the stream has the same version.
 *
 * @throws {ThinglineError} OPTION_INVALID
 * @see AWS IoT developer guide, "AWS IoT MQTT-based file delivery"
 */
export function createStreamDownloader(options: StreamDownloaderOptions): Downloader {
  const checked = checkStreamOptions(options);
  return {
    serves: ({ type }) => type === "stream",
    async open(request, { signal }) {
      const { source } = request;
      if (source.type !== "stream" || !streamIdPattern.test(source.streamName)) {
        throw new ThinglineError("DOWNLOAD_INVALID", "this downloader fetches from streams, and the source is none");
      }
      return new StreamDownload(checked, request, source).open(signal);
    },
  };
}
