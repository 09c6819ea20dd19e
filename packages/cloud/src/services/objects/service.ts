import { headObject, readObject } from "./read.js";

export type Objects = ReturnType<typeof createObjects>;

/** Buckets and objects. Names are those of S3's operations where there are any. */
export function createObjects() {
  return { headObject, readObject };
}
