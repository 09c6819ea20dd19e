// What AWS IoT allows in MQTT file delivery. Developer guide, "AWS IoT MQTT-based file delivery API operations", and the quotas page.

export const streamClientTokenBytesMax = 64;
export const streamFileIdMax = 255;
export const streamBlockBytesMin = 256;
export const streamBlockBytesMax = 131_072;
/** Of a first block's number, and of how many blocks are asked for. */
export const streamBlocksMax = 98_304;
/** Of a bitmap, as bytes. */
export const streamBitmapBytesMax = 12_288;
/** Of all blocks that answer one request; what goes beyond has to be asked for again. */
export const streamAnswerBytesMax = 131_072;
/** Of a file of a stream. */
export const streamFileBytesMax = 24 * 1024 * 1024;
/** Of a stream. AWS's API takes 50, its quota page says ten. */
export const streamFilesMax = 10;
export const streamVersionMax = 65_535;
export const streamIdPattern = /^[a-zA-Z0-9_-]{1,128}$/;
