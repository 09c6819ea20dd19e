import type { JsonObject } from "@thingline/protocol/shadow";

/** What the cloud wants and the device does not have yet: all of it, whatever was told before. */
export interface ShadowDelta<State extends JsonObject = JsonObject> {
  state: Partial<State>;
  /** Unix seconds of each leaf, in the shape of `state`. */
  metadata: JsonObject;
  /** Of the document. Give it to `report()` to be refused when the document has changed since. */
  version: number;
  /** Unix seconds. */
  timestamp: number;
}

/** What one loop knows of its shadow. */
export interface DeltaView {
  /** The highest version that anything told; an answer that skips one says that something was missed. */
  knownVersion: number;
  /** Differences are known as of this version. `update/accepted` and `update/delta` of one update have the same. */
  deltaVersion: number;
  /** Unix seconds of that. */
  timestamp: number;
  /** Not read by the loop yet. A newer one takes its place: each delta holds every difference. */
  unread: ShadowDelta | undefined;
}

export type DeltaInput =
  | { type: "delta"; delta: ShadowDelta }
  /** The whole document, as a get told it. `delta` undefined: there is no difference. */
  | { type: "document"; version: number; timestamp: number; delta: ShadowDelta | undefined }
  /** A get found no shadow. */
  | { type: "absent" }
  /** An update of our own was accepted. */
  | { type: "accepted"; version: number };

export const freshDeltaView: DeltaView = { knownVersion: 0, deltaVersion: 0, timestamp: 0, unread: undefined };

/**
 * Takes in what came. `isMissing`: a version was skipped, and with it perhaps a delta that nobody will tell again.
 *
 * Messages come twice (QoS 1) and out of order: what is older than what is known is dropped. A lower version with a later time is a
 * shadow that was made anew after its version had been forgotten.
 */
export function stepDeltaView(view: DeltaView, input: DeltaInput): [next: DeltaView, isMissing: boolean] {
  switch (input.type) {
    case "absent":
      // The version is remembered for 48 hours, so that the next document is newer by version, or else by time.
      return [{ ...view, knownVersion: 0, unread: undefined }, false];
    case "accepted": {
      const isMissing = view.knownVersion > 0 && input.version > view.knownVersion + 1;
      return [{ ...view, knownVersion: Math.max(view.knownVersion, input.version) }, isMissing];
    }
    case "delta": {
      const { version, timestamp } = input.delta;
      if (!isNewer(view, version, timestamp)) return [view, false];
      return [{ ...asOf(view, version, timestamp), unread: input.delta }, false];
    }
    case "document": {
      const { version, timestamp, delta } = input;
      if (!isNewer(view, version, timestamp)) return [view, false];
      return [{ ...asOf(view, version, timestamp), unread: delta }, false];
    }
  }
}

function isNewer({ deltaVersion, timestamp: known }: DeltaView, version: number, timestamp: number): boolean {
  return version > deltaVersion || (version < deltaVersion && timestamp > known);
}

function asOf(view: DeltaView, version: number, timestamp: number): DeltaView {
  const isMadeAnew = version < view.deltaVersion;
  return {
    ...view,
    knownVersion: isMadeAnew ? version : Math.max(view.knownVersion, version),
    deltaVersion: version,
    timestamp,
  };
}
