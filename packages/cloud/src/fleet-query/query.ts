/** A query of fleet indexing, taken apart. Words and bounds are in lower case: AWS compares values so, and names of fields as they are. */
export type Query =
  | { readonly type: "all" }
  | { readonly type: "and" | "or"; readonly of: readonly Query[] }
  | { readonly type: "not"; readonly of: Query }
  /** Without a field it is about every field that is searched then. */
  | { readonly type: "term"; readonly field: string | undefined; readonly test: ValueTest };

/** What a value has to be. */
export type ValueTest =
  /** `field:*` */
  | { readonly type: "exists" }
  /** These words one after another, anywhere in the value. */
  | { readonly type: "words"; readonly words: readonly string[] }
  /** One word with wildcards: `*` is undefined, `?` is null, and everything else is itself. */
  | { readonly type: "pattern"; readonly parts: readonly (string | undefined | null)[] }
  | { readonly type: "range"; readonly low: RangeBound | undefined; readonly high: RangeBound | undefined }
  | { readonly type: "near"; readonly latitude: number; readonly longitude: number; readonly meters: number };

export interface RangeBound {
  readonly text: string;
  readonly isIncluded: boolean;
}

/** Terms of one query; a range and each value of a group of values is one. */
export const queryTermsMax = 12;
/** Code points. */
export const queryCharactersMax = 1_000;
/** `*` in one value. */
export const queryWildcardsMax = 2;
/** Of a query one of whose values begins with `*`. */
export const leadingWildcardQueryCharactersMax = 100;
/** The only one that there is. */
export const queryVersion = "2017-09-30";
