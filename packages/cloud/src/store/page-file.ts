import { ThinglineError } from "@thingline/protocol";

/**
 * The file of a store as LMDB lays it out (data version 2, 64 bits, little-endian), read without LMDB. LMDB maps the file and
 * believes what is in it: a page number that leads nowhere ends the process by a signal. So the pages are looked at first.
 */
export interface PageSource {
  /** Size of the file. */
  readonly bytes: number;
  /** Exactly so many bytes, in a buffer that is valid until the next call. */
  read(at: number, bytes: number): Uint8Array;
}

/** A tree of pages: the list of free pages, or the records. */
export interface PageTree {
  depth: number;
  branchPages: number;
  leafPages: number;
  longPages: number;
  entries: number;
  root: number | undefined;
}

/** One state of the store: what a meta page says. */
export interface PageSnapshot {
  transaction: number;
  mapBytes: number;
  lastPage: number;
  free: PageTree;
  records: PageTree;
  bootId: bigint;
  /** LMDB may not yet have flushed it. */
  isUnflushed: boolean;
}

export interface PageHead {
  pageBytes: number;
  /** Those that LMDB may go on from, the newest first. */
  snapshots: readonly PageSnapshot[];
}

const magic = 0xbeefc0de;
const dataVersion = 2;
const noPage = 0xffff_ffff_ffff_ffffn;
/** In front of each page: its number, transaction, key size, flags, ends of the free space or number of pages. */
export const pageHeaderBytes = 24;
const metaBytes = 144;
const unflushedFlag = 0x1000;
const metaFlag = 0x08;
/** Keys of the list of free pages are numbers; records have none of LMDB's special orders. */
const freeFlags = 0x08;

/** @throws {ThinglineError} STORE_CORRUPT, saying which page and what was seen. */
export function readPageHead(source: PageSource, path: string): PageHead {
  const fault = (what: string) => storeCorrupt(path, what);
  if (source.bytes < pageHeaderBytes + metaBytes) {
    throw fault(`it has ${source.bytes} bytes, which is less than its first page`);
  }
  const first = readMeta(source, 0);
  if (first.magic !== magic) throw fault("its first page is not that of a store");
  if ((first.version & 0xffff) !== dataVersion) {
    throw fault(`its pages have version ${first.version & 0xffff}, expected ${dataVersion}`);
  }
  const { pageBytes } = first;
  if (pageBytes < 512 || pageBytes > 65_536 || (pageBytes & (pageBytes - 1)) !== 0) {
    throw fault(`its first page says that pages have ${pageBytes} bytes`);
  }
  if (source.bytes < 2 * pageBytes) throw fault(`it has ${source.bytes} bytes and ends before its second page`);
  const second = readMeta(source, pageBytes);
  for (const [page, meta] of [first, second].entries()) {
    const isMeta = meta.page === BigInt(page) && (meta.flags & metaFlag) !== 0 && meta.magic === magic;
    if (!isMeta || !hasRightFlags(meta) || meta.pageBytes !== pageBytes || (meta.version & 0xffff) !== dataVersion) {
      throw fault(`page ${page}, which says where everything is, is damaged`);
    }
  }
  return { pageBytes, snapshots: snapshotsOf(first, second, readMeta(source, pageBytes / 2), fault) };
}

const hasRightFlags = (meta: Meta) => (meta.freeFlags & ~unflushedFlag) === freeFlags && meta.recordFlags === 0;

type Meta = ReturnType<typeof readMeta>;

/** Transaction N is written to page N % 2; the second half of page 0 repeats the newest one that is known to be flushed. */
function snapshotsOf(first: Meta, second: Meta, flushed: Meta, fault: (what: string) => ThinglineError) {
  const [even, odd] = [first.snapshot.transaction, second.snapshot.transaction];
  // A new file has two equal ones.
  const isNew = even === 0 && odd <= 1;
  if (!isNew && (even % 2 !== 0 || odd % 2 !== 1 || Math.abs(even - odd) !== 1)) {
    throw fault(`pages 0 and 1 are of the transactions ${even} and ${odd}, which do not follow each other`);
  }
  const newest = odd > even ? second.snapshot : first.snapshot;
  const kept = flushed.snapshot.transaction === 0 ? [] : [flushed.snapshot];
  const isLike = flushed.pageBytes === first.pageBytes && hasRightFlags(flushed);
  if (kept.length > 0 && !isLike) throw fault("what page 0 repeats of the newest transaction is damaged");
  for (const { transaction, ...state } of kept) {
    const same = [first, second].find(({ snapshot }) => snapshot.transaction === transaction)?.snapshot;
    const isOther =
      same !== undefined && JSON.stringify(stateOf(same)) !== JSON.stringify(stateOf({ transaction, ...state }));
    if (transaction > newest.transaction || isOther) {
      throw fault(`page 0 tells of transaction ${transaction} twice, in different ways`);
    }
  }
  return [newest, ...[first.snapshot, second.snapshot, ...kept].filter((snapshot) => snapshot !== newest)];
}

const stateOf = ({ lastPage, free, records, bootId }: PageSnapshot) => [lastPage, free, records, `${bootId}`];

function readMeta(source: PageSource, at: number) {
  const page = viewOf(source.read(at, pageHeaderBytes + metaBytes));
  const from = pageHeaderBytes;
  const number = (offset: number) => Number(page.getBigUint64(from + offset, true));
  return {
    page: page.getBigUint64(0, true),
    flags: page.getUint16(18, true),
    magic: page.getUint32(from, true),
    version: page.getUint32(from + 4, true),
    pageBytes: page.getUint32(from + 24, true),
    freeFlags: page.getUint16(from + 28, true),
    recordFlags: page.getUint32(from + 72, true) + page.getUint16(from + 76, true),
    snapshot: {
      transaction: number(128),
      mapBytes: number(16),
      lastPage: number(120),
      free: readTree(page, from + 24),
      records: readTree(page, from + 72),
      bootId: page.getBigInt64(from + 136, true),
      isUnflushed: (page.getUint16(from + 28, true) & unflushedFlag) !== 0,
    },
  };
}

function readTree(page: DataView, at: number): PageTree {
  const number = (offset: number) => Number(page.getBigUint64(at + offset, true));
  const root = page.getBigUint64(at + 40, true);
  return {
    depth: page.getUint16(at + 6, true),
    branchPages: number(8),
    leafPages: number(16),
    longPages: number(24),
    entries: number(32),
    root: root === noPage ? undefined : Number(root),
  };
}

/**
 * The state that LMDB goes on from: the newest, but after a restart of the machine the newest that had been flushed. `bootId` is
 * 0 where there is none.
 */
export function chooseSnapshot({ snapshots }: PageHead, bootId: bigint): PageSnapshot {
  const [newest, older, flushed] = snapshots as [PageSnapshot, PageSnapshot, PageSnapshot | undefined];
  const pick = (a: PageSnapshot, b: PageSnapshot) => {
    if (b.transaction === 0) return a;
    const latest = a.transaction >= b.transaction ? a : b;
    if ((latest.bootId !== 0n && latest.bootId === bootId) || !latest.isUnflushed) return latest;
    return a.transaction > b.transaction ? b : a;
  };
  const even = newest.transaction % 2 === 0 ? newest : older;
  const odd = even === newest ? older : newest;
  const chosen = pick(even, odd);
  return flushed === undefined ? chosen : pick(chosen, flushed);
}

export const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/** What every damage of the store's file ends in. */
export function storeCorrupt(path: string, what: string, cause?: unknown): ThinglineError {
  const message =
    `the store "${path}" is damaged: ${what}. Nothing was changed. \`thingline cloud check\` tells all that is damaged; ` +
    "put back a copy of the whole data directory, or move the directory away, start anew and restore a snapshot";
  return new ThinglineError("STORE_CORRUPT", message, { details: { path }, cause });
}
