import type { Log } from "../../log.js";
import type { Objects } from "../objects/index.js";
import type { CloudService } from "../service.js";
import { taggable } from "../taggable.js";
import { createStreamsControl, type StreamsControl } from "./control.js";
import { createStreamDelivery } from "./delivery.js";
import { streamKeys, streamsServiceName } from "./model.js";
import { createStreamTopics } from "./topics.js";

// What other services may know of this one.
export type { NewStream, StreamsControl } from "./control.js";

/** Operations of AWS by their names. */
export type Streams = StreamsControl["served"];

export interface StreamsService extends CloudService<Streams> {
  /** For OTA updates, whose streams nobody else may delete: to be called in a commit of theirs. */
  readonly ofUpdates: Pick<StreamsControl, "addStream" | "deleteStreamOf" | "findStreamFiles" | "leaveStream">;
}

export interface StreamsServiceDependencies {
  log: Log;
  objects: Pick<Objects, "headObject" | "readObjectPart">;
}

/** Streams of files, and MQTT file delivery. */
export function createStreamsService(
  { log, objects }: StreamsServiceDependencies,
  { isLimited }: { isLimited: boolean },
): StreamsService {
  const control = createStreamsControl(objects, isLimited);
  const { addStream, deleteStreamOf, findStreamFiles, leaveStream } = control;
  return {
    name: streamsServiceName,
    operations: control.served,
    rest: Object.values(control.served),
    taggable: [taggable("stream", streamKeys.stream)],
    topics: createStreamTopics({ delivery: createStreamDelivery(objects), log }),
    ofUpdates: { addStream, deleteStreamOf, findStreamFiles, leaveStream },
  };
}
