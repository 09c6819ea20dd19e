export interface ObjectId {
  readonly bucket: string;
  readonly key: string;
}

/** Where an object is, in all the words that a job document has for it. */
export interface ObjectPlace {
  /** `https:` */
  protocol: string;
  host: string;
  path: string;
  /** What AWS signs. */
  s3Url: string;
}
