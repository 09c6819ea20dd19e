import { pageHeaderBytes, viewOf } from "./page-file.js";
import type { PageSnapshot, PageSource, PageTree } from "./page-file.js";

/** Damage in the pages: where, and what was seen. */
export interface PageFault {
  page: number;
  what: string;
}

export interface PageWalkOptions {
  source: PageSource;
  pageBytes: number;
  snapshot: PageSnapshot;
  onFault(fault: PageFault): void;
  /**
   * Each record that could be read: its encoded key, its value or as much of it as is on its first page, and the length of the
   * whole. The bytes are valid during the call.
   */
  onRecord?(key: Uint8Array, value: Uint8Array, valueBytes: number, page: number): void;
  /** Read long values whole. */
  wholeValues?: boolean;
}

const branchFlag = 0x01;
const leafFlag = 0x02;
const longFlag = 0x04;
const nodeBytes = 8;
/** Of a long value that is not wanted whole. */
const valueHeadBytes = 64;
const longDataFlag = 0x01;
/** LMDB's own. */
const depthMax = 32;
const pageMax = 2 ** 46;

/**
 * Follows every page of a snapshot from the roots. Each is where it says it is, used once, and holds what its parent promises:
 * afterwards LMDB cannot be led astray. Goes on after a fault with the rest.
 *
 * @returns how many faults there were.
 */
export function walkPages(options: PageWalkOptions): number {
  return new PageWalk(options).run();
}

interface Subtree {
  page: number;
  depth: number;
  /** No key may be smaller; undefined at the left edge. */
  low?: Uint8Array | undefined;
  /** Every key is smaller. */
  high?: Uint8Array | undefined;
}

class PageWalk {
  readonly #options: PageWalkOptions;
  /** Of the pages of this snapshot: 1 in use, 2 free. */
  readonly #marks: Uint8Array;
  readonly #pagesInFile: number;
  #faults = 0;
  #counted = { branchPages: 0, leafPages: 0, longPages: 0, entries: 0 };

  constructor(options: PageWalkOptions) {
    this.#options = options;
    const { source, pageBytes, snapshot } = options;
    this.#pagesInFile = Math.floor(source.bytes / pageBytes);
    this.#marks = new Uint8Array(Math.min(snapshot.lastPage + 1, this.#pagesInFile));
  }

  run(): number {
    const { snapshot, pageBytes } = this.#options;
    if (
      snapshot.lastPage < 1 ||
      snapshot.lastPage > pageMax ||
      snapshot.mapBytes < (snapshot.lastPage + 1) * pageBytes
    ) {
      this.#fault(snapshot.transaction % 2, `it says that the last page is ${snapshot.lastPage}`);
      return this.#faults;
    }
    this.#walkTree(snapshot.records, "records");
    this.#walkTree(snapshot.free, "free pages");
    return this.#faults;
  }

  #fault(page: number, what: string): void {
    this.#faults++;
    this.#options.onFault({ page, what });
  }

  #walkTree(tree: PageTree, name: "records" | "free pages"): void {
    const meta = this.#options.snapshot.transaction % 2;
    const faultsBefore = this.#faults;
    this.#counted = { branchPages: 0, leafPages: 0, longPages: 0, entries: 0 };
    if (tree.depth > depthMax) return this.#fault(meta, `it says that the tree of ${name} is ${tree.depth} pages deep`);
    if (tree.root !== undefined && name === "records") this.#requireOwnRoot(tree.root);
    if (tree.root !== undefined) this.#walkSubtree({ page: tree.root, depth: tree.depth }, name === "free pages");
    if (this.#faults > faultsBefore) return;
    for (const [what, count] of Object.entries(this.#counted) as [keyof typeof countNames, number][]) {
      if (count !== tree[what]) {
        this.#fault(meta, `it says that the ${name} have ${tree[what]} ${countNames[what]}, found ${count}`);
      }
    }
  }

  /** Each of our transactions writes the store's own record, and so its root: another one means that the number is wrong. */
  #requireOwnRoot(page: number): void {
    const { source, pageBytes, snapshot } = this.#options;
    if (page < 2 || page >= this.#pagesInFile) return;
    const transaction = viewOf(source.read(page * pageBytes, pageHeaderBytes)).getBigUint64(8, true);
    if (transaction === BigInt(snapshot.transaction)) return;
    this.#fault(
      page,
      `it is of transaction ${transaction}, expected ${snapshot.transaction}: pages 0 or 1 are damaged`,
    );
  }

  #walkSubtree({ page, depth, low, high }: Subtree, isFree: boolean): void {
    const flag = depth > 1 ? branchFlag : leafFlag;
    if (!this.#take(page, 1)) return;
    // The source may use its buffer again for the children.
    const bytes = this.#options.source.read(page * this.#options.pageBytes, this.#options.pageBytes);
    const nodes = this.#readNodes(page, depth > 1 ? new Uint8Array(bytes) : bytes, flag);
    if (nodes === undefined) return;
    if (depth > 1) this.#walkBranch(nodes, { page, depth, low, high }, isFree);
    else this.#walkLeaf(nodes, { page, depth, low, high }, isFree);
  }

  #walkBranch(nodes: PageNode[], { page, depth, low, high }: Subtree, isFree: boolean): void {
    this.#counted.branchPages++;
    if (nodes.length < 2) this.#fault(page, `a branch with ${nodes.length} children`);
    for (const [index, { key, child }] of nodes.entries()) {
      const start = index === 0 ? low : key;
      const end = nodes[index + 1]?.key ?? high;
      if (index > 0 && !isWithin(key, low, high, isFree)) {
        this.#fault(page, "its keys are out of order");
        continue;
      }
      this.#walkSubtree({ page: child, depth: depth - 1, low: start, high: end }, isFree);
    }
  }

  #walkLeaf(nodes: PageNode[], { page, low, high }: Subtree, isFree: boolean): void {
    this.#counted.leafPages++;
    this.#counted.entries += nodes.length;
    let before = low;
    for (const [index, node] of nodes.entries()) {
      const isInOrder = isWithin(node.key, before, high, isFree) && !(index > 0 && isEqual(node.key, before));
      if (!isInOrder) this.#fault(page, "its keys are out of order");
      before = node.key;
    }
    // Long values are read only now: the source may use the page's buffer for them.
    const own = nodes.some(({ isLong }) => isLong)
      ? nodes.map((node) => ({ ...node, key: new Uint8Array(node.key), value: new Uint8Array(node.value) }))
      : nodes;
    for (const node of own) {
      const value = node.isLong ? this.#readLong(page, node, isFree || this.#options.wholeValues === true) : node.value;
      if (value === undefined) continue;
      if (isFree) this.#walkFreeList(page, value);
      else this.#options.onRecord?.(node.key, value, node.valueBytes, page);
    }
  }

  /** The parts of a page that lie where they may; undefined after a fault. */
  #readNodes(page: number, bytes: Uint8Array, flag: number): PageNode[] | undefined {
    const view = viewOf(bytes);
    const [lower, upper] = [view.getUint16(20, true), view.getUint16(22, true)];
    const space = bytes.length - pageHeaderBytes;
    if (view.getBigUint64(0, true) !== BigInt(page)) return this.#badPage(page, "it has the number of another page");
    if (view.getUint16(18, true) !== flag) return this.#badPage(page, "it is of another kind than expected");
    if (lower % 2 !== 0 || lower > upper || upper > space || lower === 0) {
      return this.#badPage(page, "the bounds of its content are impossible");
    }
    // LMDB writes into the pages of later transactions, and the map is read-only.
    if (!this.#isPast(view, 8)) return this.#badPage(page, "it is of a transaction that has not been");
    const nodes: PageNode[] = [];
    let usedBytes = 0;
    for (let at = 0; at < lower; at += 2) {
      const offset = view.getUint16(pageHeaderBytes + at, true);
      const node =
        offset >= upper && offset + nodeBytes <= space ? readNode(bytes, view, offset, flag === branchFlag) : undefined;
      if (node === undefined) return this.#badPage(page, `entry ${at / 2} lies outside of it`);
      usedBytes += node.usedBytes;
      nodes.push(node);
    }
    if (usedBytes !== space - upper) return this.#badPage(page, "its entries overlap");
    return nodes;
  }

  #isPast(view: DataView, at: number): boolean {
    return view.getBigUint64(at, true) <= BigInt(this.#options.snapshot.transaction);
  }

  #badPage(page: number, what: string): undefined {
    this.#fault(page, what);
  }

  #readLong(leaf: number, node: PageNode, isWhole: boolean): Uint8Array | undefined {
    const { pageBytes, source } = this.#options;
    const page = node.child;
    const pages = node.longPages;
    // A value that became shorter may keep its pages.
    if (!(pages * pageBytes >= pageHeaderBytes + node.valueBytes)) {
      return this.#badPage(leaf, "a long value has fewer pages than its length needs");
    }
    if (!this.#take(page, pages)) return undefined;
    this.#counted.longPages += pages;
    const view = viewOf(source.read(page * pageBytes, pageHeaderBytes));
    const isRight =
      view.getBigUint64(0, true) === BigInt(page) &&
      view.getBigUint64(8, true) === node.longTransaction &&
      this.#isPast(view, 8) &&
      view.getUint16(18, true) === longFlag &&
      view.getUint32(20, true) === pages;
    if (!isRight) return this.#badPage(page, "it should be the first of a long value and is not");
    const wanted = isWhole ? node.valueBytes : Math.min(node.valueBytes, valueHeadBytes);
    return source.read(page * pageBytes + pageHeaderBytes, wanted);
  }

  /** Marks pages as in use. */
  #take(page: number, pages: number): boolean {
    const { lastPage } = this.#options.snapshot;
    if (!(page >= 2 && page + pages - 1 <= lastPage)) {
      this.#fault(page, `the store has the pages 2 to ${lastPage}, and another page refers to this one`);
      return false;
    }
    if (page + pages > this.#pagesInFile) {
      this.#fault(page + pages - 1, `it is in use, but the file ends at page ${this.#pagesInFile - 1}: it was cut`);
      return false;
    }
    for (let at = page; at < page + pages; at++) {
      if (this.#marks[at] !== 0) {
        this.#fault(at, "it is used twice");
        return false;
      }
      this.#marks[at] = 1;
    }
    return true;
  }

  /** Count, then page numbers; a negative one is the length of the run that begins with the next; 0 is a gap. */
  #walkFreeList(page: number, list: Uint8Array): void {
    const view = viewOf(list);
    const { lastPage } = this.#options.snapshot;
    const count = list.length < 8 ? -1 : Number(view.getBigInt64(0, true));
    if (count < 0 || (count + 1) * 8 > list.length) return this.#fault(page, "its list of free pages is cut");
    let run = 1;
    for (let at = 1; at <= count; at++) {
      const entry = Number(view.getBigInt64(at * 8, true));
      if (entry <= 0) {
        run = Math.max(1, -entry);
        continue;
      }
      if (entry < 2 || entry + run - 1 > lastPage) return this.#fault(page, `its list of free pages has page ${entry}`);
      for (let free = entry; free < entry + run; free++) {
        if (this.#marks[free] === 1) return this.#fault(page, `page ${free} is in use and in its list of free pages`);
      }
      run = 1;
    }
  }
}

const countNames = {
  branchPages: "branches",
  leafPages: "leaves",
  longPages: "pages of long values",
  entries: "entries",
};

interface PageNode {
  key: Uint8Array;
  value: Uint8Array;
  valueBytes: number;
  isLong: boolean;
  longPages: number;
  longTransaction: bigint;
  /** Of a branch, or the first page of a long value. */
  child: number;
  usedBytes: number;
}

/** Undefined when it does not lie within its page. */
function readNode(bytes: Uint8Array, view: DataView, offset: number, isBranch: boolean): PageNode | undefined {
  const at = pageHeaderBytes + offset;
  const low = view.getUint32(at, true);
  const flags = view.getUint16(at + 4, true);
  const keyStart = at + nodeBytes;
  const keyEnd = keyStart + view.getUint16(at + 6, true);
  const isLong = !isBranch && flags === longDataFlag;
  if (!isBranch && !isLong && flags !== 0) return undefined;
  const inPage = isBranch ? 0 : isLong ? 24 : low;
  const end = keyEnd + inPage;
  if (end > bytes.length) return undefined;
  const key = bytes.subarray(keyStart, keyEnd);
  const usedBytes = (nodeBytes + (keyEnd - keyStart) + inPage + 1) & ~1;
  const child = isBranch ? low + flags * 2 ** 32 : isLong ? Number(view.getBigUint64(keyEnd, true)) : 0;
  const longPages = isLong ? Number(view.getBigUint64(keyEnd + 16, true)) : 0;
  const longTransaction = isLong ? view.getBigUint64(keyEnd + 8, true) : 0n;
  const value = bytes.subarray(keyEnd, end);
  return { key, value, valueBytes: low, isLong, longPages, longTransaction, child, usedBytes };
}

/** Not below `low`, and below `high`. */
function isWithin(
  key: Uint8Array,
  low: Uint8Array | undefined,
  high: Uint8Array | undefined,
  isFree: boolean,
): boolean {
  const compare = isFree ? compareNumbers : compareBytes;
  return (low === undefined || compare(low, key) <= 0) && (high === undefined || compare(key, high) < 0);
}

function isEqual(a: Uint8Array, b: Uint8Array | undefined): boolean {
  return b !== undefined && compareBytes(a, b) === 0;
}

function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const shared = Math.min(a.length, b.length);
  for (let at = 0; at < shared; at++) {
    const difference = (a[at] ?? 0) - (b[at] ?? 0);
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}

/** Keys of the list of free pages are transaction numbers. */
function compareNumbers(a: Uint8Array, b: Uint8Array): number {
  if (a.length !== 8 || b.length !== 8) return 1;
  const difference = viewOf(a).getBigUint64(0, true) - viewOf(b).getBigUint64(0, true);
  return difference < 0n ? -1 : difference > 0n ? 1 : 0;
}
