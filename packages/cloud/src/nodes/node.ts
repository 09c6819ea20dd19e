import type { StoreOperation, StoreReader } from "../store/store.js";
import { systemKey } from "../store/system-keys.js";

/** The right to write for a node, and to have it written for: the record of the node at one revision, which is its epoch. */
export interface NodeEpoch {
  readonly node: string;
  readonly epoch: number;
}

/** What a node that is over leaves behind: its outbox, its claims, its sessions. Handed to one living node at a time. */
export interface Estate {
  /** The node that is over. */
  readonly id: string;
  /** For each commit that takes something out of the estate: fails when the estate is in other hands, or this node is over. */
  readonly guards: readonly StoreOperation[];
}

/** Takes one kind of thing out of an estate. Called again, with the same or another estate of that id, when it rejects. */
export type Adopter = (estate: Estate) => Promise<void>;

/** What one process is to the others on its store. */
export interface CloudNode {
  /** Names its records; never used again by another node, but for `soleNodeId`. */
  readonly id: string;
  /** The revision of its record; 0 for a node that is alone and has none. */
  readonly epoch: number;
  /** Nobody else uses the store: there is no record, no lease, and nothing to check. */
  readonly isAlone: boolean;
  /** Makes a commit fail once the node is over. Undefined when alone: such a commit costs nothing more. */
  readonly guard: StoreOperation | undefined;
  /** Another node has declared this one over, or it was closed. What it had is in other hands. */
  readonly isOver: boolean;
  /** Whether what the node owns is surely still its own. False between a lease that ran out and its renewal. */
  mayAct(): boolean;
  /** Resolves when {@link mayAct} may be asked again: true when the lease is renewed, false when the node is over. */
  regained(): Promise<boolean>;
  /** Asks the store whether the node is over, after a commit that its {@link guard} may have refused. */
  verify(): Promise<boolean>;
  /** Before {@link start}. All adopters have to be done with an estate before it is closed. */
  onEstate(adopter: Adopter): void;
  /** Called once, when the node is over. */
  onOver(listener: () => void): void;
  /** Another node is over: it says nothing any more, and what it had is being taken. */
  onEnded(listener: (id: string) => void): void;
  /** Another node's record is gone: whatever it had is in other hands. */
  onGone(listener: (id: string) => void): void;
  /** The others that have a record, living or not, as of the last look. */
  others(): readonly string[];
  /** Begins to look after the others. Resolves after the first look. Safe to call twice. */
  start(): Promise<void>;
  /** Leaves at once; the others take what is left. Safe to call twice. */
  close(): Promise<void>;
}

/** The name under which a node that is alone keeps its records. */
export const soleNodeId = "main";

const nothing = (): void => undefined;

/** One process is a cluster of one: the node of a store that nobody else uses. */
export const soleNode: CloudNode = {
  id: soleNodeId,
  epoch: 0,
  isAlone: true,
  guard: undefined,
  isOver: false,
  mayAct: () => true,
  regained: () => Promise.resolve(true),
  verify: () => Promise.resolve(false),
  onEstate: nothing,
  onOver: nothing,
  onEnded: nothing,
  onGone: nothing,
  others: () => [],
  start: () => Promise.resolve(),
  close: () => Promise.resolve(),
};

/** A node as it is stored. Its revision is its epoch: whoever writes the record ends the epoch. */
export type NodeRecord = {
  /** Unix time. */
  startedAtMs: number;
  /** The node is over. */
  isOver?: true;
  /** Who takes what it left; undefined until somebody does. */
  heir?: { node: string; epoch: number };
};

export const nodeKeys = {
  nodes: systemKey("node"),
  node: (id: string) => systemKey("node", id),
  beats: systemKey("beat"),
  beat: (id: string) => systemKey("beat", id),
};

/** Whether an epoch still has the right to write. */
export async function isEpochOpen(store: StoreReader, { node, epoch }: NodeEpoch): Promise<boolean> {
  return (await store.get(nodeKeys.node(node)))?.revision === epoch;
}
