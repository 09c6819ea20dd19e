// What happens in a world in which a device is updated: which image, and what goes wrong.
import { createVirtualRandom, type LinkFaults } from "@thingline/transport/virtual";
import { faultKinds, faultOf } from "./fault-plan.test.support.js";
import { type FileAnswer, fileAnswers } from "./update-files.test.support.js";

/**
 * What the new image is like. `ill`: its health check fails. `crash`: it restarts at once, again and again. `deaf`: it never connects.
 * `damaged`: a byte of it is another one. `truncated`: its end is missing. `unsigned`: signed with a key that the device does not know.
 * `wrongVersion`: the job document wants another version.
 */
export const updateImages = [
  "good",
  "ill",
  "crash",
  "deaf",
  "damaged",
  "truncated",
  "unsigned",
  "wrongVersion",
] as const;
export type UpdateImage = (typeof updateImages)[number];

/** Where the power goes, once: before so many writes and erasures of flash, writes of files, or packets sent by the device. */
export interface UpdateCut {
  of: "flash" | "file" | "packet";
  /** From 1. */
  at: number;
  /** How much of a write or an erasure of flash happens. Default 0. */
  part?: number;
}

export interface UpdatePlan {
  seed: string;
  image: UpdateImage;
  latencyMs: NonNullable<LinkFaults["latencyMs"]>;
  /** Of the device's connections to the cloud, in turn, and to the server of files. */
  cloudFaults: readonly (LinkFaults | undefined)[];
  fileFaults: readonly (LinkFaults | undefined)[];
  fileAnswers: readonly (FileAnswer | undefined)[];
  /** The cloud is killed so long after the start, and comes back so much later. */
  cloudKills: readonly { afterMs: number; forMs: number; losesCommits: boolean }[];
  /** Messages to the device come twice, or late, behind those that were sent after them. */
  manglesMessages: boolean;
  /** Somebody cancels the job, by force. */
  cancelAfterMs: number | undefined;
  cut: UpdateCut | undefined;
}

/** A world without faults. */
export function quietPlan(image: UpdateImage, cut?: UpdateCut): UpdatePlan {
  return {
    seed: cut === undefined ? `${image}` : `${image}/${cut.of}/${cut.at}/${cut.part ?? 0}`,
    image,
    latencyMs: 2,
    cloudFaults: [],
    fileFaults: [],
    fileAnswers: [],
    cloudKills: [],
    manglesMessages: false,
    cancelAfterMs: undefined,
    cut,
  };
}

/** `update/5`: whatever that draws. `cloud/5`: mostly what is between device and cloud; `files/5`: between device and files. */
export function randomUpdatePlan(seed: string): UpdatePlan {
  const kind = seed.split("/")[0];
  const [ofCloud, ofFiles] = [kind !== "files", kind !== "cloud"];
  const random = createVirtualRandom(seed).fork("plan");
  const pick = <T>(values: readonly T[]): T => values[random.integer(values.length)] as T;
  const link = (bytesMax: number): LinkFaults | undefined => {
    switch (random.integer(8)) {
      case 0:
        return { isRefused: true };
      case 1:
        return { isUnanswered: true };
      case 2:
      case 3:
        return undefined;
      default:
        return {
          splitsRandomly: true,
          ...faultOf(pick(faultKinds), pick(["client", "server"]), random.integer(bytesMax)),
        };
    }
  };
  const list = <T>(lengthMax: number, make: () => T): T[] =>
    Array.from({ length: random.integer(lengthMax + 1) }, make);
  return {
    seed,
    // Most images are good: what others come to is decided on the device.
    image: random.integer(3) > 0 ? "good" : pick(updateImages),
    latencyMs: pick([1, 20, { from: 1, to: 300 }]),
    cloudFaults: list(!ofCloud ? 1 : kind === "cloud" ? 9 : 5, () => link(3_000)),
    fileFaults: list(!ofFiles ? 1 : kind === "files" ? 9 : 5, () => link(9_000)),
    fileAnswers: list(!ofFiles ? 1 : kind === "files" ? 14 : 7, () =>
      random.integer(2) === 0 ? undefined : pick(fileAnswers),
    ),
    cloudKills: list(!ofCloud ? 0 : kind === "cloud" ? 4 : 2, () => ({
      afterMs: random.integer(pick([300, 3_000, 60_000])),
      forMs: random.integer(pick([1_000, 30_000])),
      losesCommits: random.integer(2) === 0,
    })),
    manglesMessages: random.integer(2) === 0,
    cancelAfterMs: random.integer(6) === 0 ? random.integer(pick([200, 2_000, 30_000])) : undefined,
    cut: undefined,
  };
}
