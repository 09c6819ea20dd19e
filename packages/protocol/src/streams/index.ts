export { decodeBlockBitmap, encodeBlockBitmap } from "./bitmap.js";
export {
  streamAnswerBytesMax,
  streamBitmapBytesMax,
  streamBlockBytesMax,
  streamBlockBytesMin,
  streamBlocksMax,
  streamClientTokenBytesMax,
  streamFileBytesMax,
  streamFileIdMax,
  streamFilesMax,
  streamIdPattern,
  streamVersionMax,
} from "./limits.js";
export {
  decodeStreamBlock,
  decodeStreamDescription,
  decodeStreamRejection,
  encodeDescribeStreamRequest,
  encodeGetStreamRequest,
  encodeStreamBlock,
  encodeStreamDescription,
  encodeStreamRejection,
  streamErrorCodes,
} from "./messages.js";
export type {
  DescribeStreamRequest,
  GetStreamRequest,
  StreamBlock,
  StreamDescription,
  StreamErrorCode,
  StreamFile,
  StreamRejection,
} from "./messages.js";
export { decodeDescribeStreamRequest, decodeGetStreamRequest } from "./requests.js";
export type { ReadStreamRequest } from "./requests.js";
export { parseStreamTopic, streamRequestFilters, streamTopic } from "./topics.js";
export type { StreamFormat, StreamRequestType, StreamTopic, StreamTopicType } from "./topics.js";
