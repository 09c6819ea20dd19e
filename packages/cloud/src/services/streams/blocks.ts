import { decodeBlockBitmap, type GetStreamRequest, type StreamErrorCode } from "@thingline/protocol/streams";
import { blocksPerAnswer } from "./model.js";

/** How a request of a device is refused. Thrown and caught within this folder. */
export class StreamRefusal extends Error {
  readonly code: StreamErrorCode;
  constructor(code: StreamErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}

/**
 * Which blocks of a file a request gets, ascending: those that it asks for, that the file has, and that one answer has room for. The
 * device asks again for the rest.
 *
 * @throws {StreamRefusal} when that are none
 */
export function blocksOf(request: GetStreamRequest, fileBytes: number): number[] {
  const { blockBytes, firstBlock = 0, bitmap, blockCount } = request;
  const roomBlocks = blocksPerAnswer(blockBytes);
  const countMax = Math.min(blockCount ?? roomBlocks, roomBlocks);
  if (blockCount === 0) throw new StreamRefusal("InvalidRequest", "The number of blocks must not be 0");
  const endBlock = Math.ceil(fileBytes / blockBytes);
  if (firstBlock >= endBlock) {
    throw new StreamRefusal("OffsetOutOfBounds", `The block offset is out of bounds: the file has ${endBlock} blocks`);
  }
  const blocks: number[] = [];
  for (const block of bitmap === undefined ? from(firstBlock) : decodeBlockBitmap(bitmap, firstBlock)) {
    if (block >= endBlock || blocks.length >= countMax) break;
    blocks.push(block);
  }
  if (blocks.length > 0) return blocks;
  const isEmpty = bitmap?.every((byte) => byte === 0) === true;
  throw isEmpty
    ? new StreamRefusal("InvalidRequest", "The bitmap asks for no block")
    : new StreamRefusal("ResourceNotFound", "The file has none of these blocks");
}

function* from(first: number): Generator<number, never> {
  for (let block = first; ; block++) yield block;
}

/** Blocks that are read at once: a part of the file that is not much longer than they are. */
export interface BlockRun {
  start: number;
  end: number;
  blocks: number[];
}

/** @param runBytesMax of one part, gaps included */
export function runsOf(
  blocks: readonly number[],
  { blockBytes, fileBytes, runBytesMax }: { blockBytes: number; fileBytes: number; runBytesMax: number },
): BlockRun[] {
  const runs: BlockRun[] = [];
  for (const block of blocks) {
    const start = block * blockBytes;
    const end = Math.min(start + blockBytes, fileBytes);
    const run = runs.at(-1);
    if (run === undefined || end - run.start > runBytesMax) runs.push({ start, end, blocks: [block] });
    else {
      run.end = end;
      run.blocks.push(block);
    }
  }
  return runs;
}
