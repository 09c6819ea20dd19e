// What a shadow should be, written the other way round than the service: one flat table of paths for each section, no
// nested documents, no merging of objects, metadata beside the value.
import type { JsonObject, JsonValue } from "@thingline/protocol/shadow";

type Path = readonly string[];
type Node = { kind: "object" } | { kind: "leaf"; value: JsonValue; writtenAt: number };

const isObject = (value: JsonValue): value is JsonObject =>
  typeof value === "object" && value !== null && !Array.isArray(value);

class Section {
  readonly nodes = new Map<string, { path: Path; node: Node }>();

  copy(): Section {
    const copy = new Section();
    for (const [key, entry] of this.nodes) copy.nodes.set(key, entry);
    return copy;
  }

  write(patch: JsonObject, now: number, at: Path = []): void {
    for (const [name, value] of Object.entries(patch)) {
      const path = [...at, name];
      if (isObject(value)) {
        if (this.get(path)?.kind !== "object") this.remove(path);
        const isNew = this.get(path) === undefined;
        this.put(path, { kind: "object" });
        this.write(value, now, path);
        const hasAnything = this.childrenOf(path).length > 0;
        if (isNew && !hasAnything && Object.keys(value).length > 0) this.remove(path);
      } else {
        this.remove(path);
        if (value !== null) this.put(path, { kind: "leaf", value, writtenAt: now });
      }
    }
  }

  get(path: Path): Node | undefined {
    return this.nodes.get(JSON.stringify(path))?.node;
  }

  put(path: Path, node: Node): void {
    this.nodes.set(JSON.stringify(path), { path, node });
  }

  remove(path: Path): void {
    for (const [key, { path: other }] of this.nodes) {
      if (path.every((name, level) => other[level] === name)) this.nodes.delete(key);
    }
  }

  childrenOf(at: Path): Path[] {
    const isChild = (path: Path) => path.length === at.length + 1 && at.every((name, level) => path[level] === name);
    return [...this.nodes.values()].map(({ path }) => path).filter(isChild);
  }

  /** A nested object of what each leaf becomes. */
  build(ofLeaf: (value: JsonValue, writtenAt: number) => JsonValue, at: Path = []): JsonObject {
    const members = this.childrenOf(at).map((path): [string, JsonValue] => {
      const node = this.get(path);
      const value = node?.kind === "leaf" ? ofLeaf(node.value, node.writtenAt) : this.build(ofLeaf, path);
      return [path.at(-1) ?? "", value];
    });
    return Object.fromEntries(members);
  }

  /** The part of this section that `reported` does not say. */
  differences(reported: Section): Section {
    const delta = new Section();
    const visit = (path: Path) => {
      const [mine, theirs] = [this.get(path), reported.get(path)];
      if (mine?.kind === "object" && theirs?.kind === "object") return this.childrenOf(path).forEach(visit);
      if (mine?.kind === "leaf" && theirs?.kind === "leaf" && canonical(mine.value) === canonical(theirs.value)) return;
      for (let length = 1; length < path.length; length++) delta.put(path.slice(0, length), { kind: "object" });
      const isBelow = (other: Path) => path.every((name, level) => other[level] === name);
      for (const entry of this.nodes.values()) if (isBelow(entry.path)) delta.put(entry.path, entry.node);
    };
    this.childrenOf([]).forEach(visit);
    return delta;
  }
}

/** Text that is the same for equal values. */
export function canonical(value: unknown): string {
  return JSON.stringify(value, (_name, member: unknown) =>
    typeof member === "object" && member !== null && !Array.isArray(member)
      ? Object.fromEntries(Object.entries(member).sort(([left], [right]) => (left < right ? -1 : 1)))
      : member,
  );
}

const stamp = (value: JsonValue, now: number): JsonValue => {
  if (Array.isArray(value)) return (value as readonly JsonValue[]).map((item) => stamp(item, now));
  if (!isObject(value)) return { timestamp: now };
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, stamp(item, now)]));
};

export type ModelState = { desired?: JsonObject | null; reported?: JsonObject | null } | null;
type Facts = { now: number; clientToken?: string | undefined };
type Live = { version: number; desired: Section; reported: Section };

const token = (clientToken: string | undefined) => (clientToken === undefined ? {} : { clientToken });

/** One shadow. Versions of what was deleted are kept for 48 hours. */
export class ReferenceShadow {
  live: Live | undefined;
  deleted: { version: number; atMs: number } | undefined;

  copy(): ReferenceShadow {
    return Object.assign(new ReferenceShadow(), { live: this.live, deleted: this.deleted });
  }

  /** The version that an update may name, and that it counts on from. */
  baseVersion(nowMs: number): number {
    if (this.live !== undefined) return this.live.version;
    const isRemembered = this.deleted !== undefined && nowMs < this.deleted.atMs + 48 * 3_600_000;
    return isRemembered ? (this.deleted?.version ?? 0) : 0;
  }

  /** undefined: accepted. */
  refusalOf(version: number | undefined, nowMs: number): number | undefined {
    const base = this.baseVersion(nowMs);
    if (version === undefined || version === base || (base === 0 && version === 1)) return undefined;
    return base === 0 ? 400 : 409;
  }

  /** The messages of an accepted update, by topic. */
  update(state: ModelState, nowMs: number, facts: Facts): [topic: string, message: object][] {
    const { now } = facts;
    const previous = this.live && this.versioned(this.live);
    const live: Live = {
      version: this.baseVersion(nowMs) + 1,
      desired: this.live?.desired.copy() ?? new Section(),
      reported: this.live?.reported.copy() ?? new Section(),
    };
    for (const section of ["desired", "reported"] as const) {
      const patch = state === null ? null : state[section];
      if (patch === null) live[section] = new Section();
      else if (patch !== undefined) live[section].write(patch, now);
    }
    this.live = live;
    const answer = { version: live.version, timestamp: now, ...token(facts.clientToken) };
    const delta = live.desired.differences(live.reported);
    const times = { timestamp: now, ...token(facts.clientToken) };
    return [
      ["update/accepted", { ...answer, state, metadata: stamp(state, now) }],
      ...(delta.nodes.size === 0 ? [] : [["update/delta", { ...answer, ...this.shown(delta) }] as [string, object]]),
      ["update/documents", { previous: previous ?? null, current: this.versioned(live), ...times }],
    ];
  }

  delete(nowMs: number, { now, clientToken }: Facts): object {
    const version = this.live?.version ?? NaN;
    this.deleted = { version: version + 1, atMs: nowMs };
    this.live = undefined;
    return { version, timestamp: now, ...token(clientToken) };
  }

  get({ now, clientToken }: Facts): object | undefined {
    if (this.live === undefined) return undefined;
    const { state, metadata, version } = this.versioned(this.live);
    const delta = this.live.desired.differences(this.live.reported);
    const shown = delta.nodes.size === 0 ? undefined : this.shown(delta);
    return {
      state: { ...state, ...(shown && { delta: shown.state }) },
      metadata: { ...metadata, ...(shown && { delta: shown.metadata }) },
      version,
      timestamp: now,
      ...token(clientToken),
    };
  }

  private shown(section: Section) {
    return { state: section.build((value) => value), metadata: section.build((value, at) => stamp(value, at)) };
  }

  private versioned(live: Live) {
    const sections = (["desired", "reported"] as const).filter((section) => live[section].nodes.size > 0);
    const part = (kind: "state" | "metadata") =>
      Object.fromEntries(sections.map((section) => [section, this.shown(live[section])[kind]]));
    return { state: part("state"), metadata: part("metadata"), version: live.version };
  }
}
