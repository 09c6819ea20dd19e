/** `2016-03-23` differs from the first by functions, nested queries and whole numbers; `beta` is taken for the newest. */
export type SqlVersion = "2015-10-08" | "2016-03-23" | "beta";

export type BinaryOperator = "+" | "-" | "*" | "/" | "%" | "=" | "<>" | "<" | "<=" | ">" | ">=" | "AND" | "OR" | "IN";

export type CastType = "String" | "Int" | "Decimal" | "Boolean";

/** An expression. A `text` is what stands in the statement. */
export type Expression =
  | { readonly kind: "literal"; readonly value: null | boolean | number | string | undefined }
  /** A number that a JavaScript number does not hold. */
  | { readonly kind: "decimal"; readonly text: string }
  /** A member of what the statement is about. */
  | { readonly kind: "name"; readonly name: string }
  | { readonly kind: "variable"; readonly name: string }
  | { readonly kind: "member"; readonly of: Expression; readonly name: string }
  | { readonly kind: "call"; readonly name: string; readonly args: readonly Expression[] }
  /** The whole message, as an argument of `encode`. */
  | { readonly kind: "star" }
  | { readonly kind: "negative"; readonly of: Expression }
  | { readonly kind: "not"; readonly of: Expression }
  | {
      readonly kind: "binary";
      readonly operator: BinaryOperator;
      readonly left: Expression;
      readonly right: Expression;
    }
  /** `word` is how the statement names the type, in upper case. */
  | { readonly kind: "cast"; readonly of: Expression; readonly type: CastType; readonly word: string }
  | {
      readonly kind: "case";
      readonly of: Expression | undefined;
      readonly branches: readonly { readonly when: Expression; readonly then: Expression }[];
      readonly otherwise: Expression | undefined;
    }
  | { readonly kind: "object"; readonly members: readonly { readonly name: string; readonly value: Expression }[] }
  | { readonly kind: "array"; readonly items: readonly Expression[] }
  | {
      readonly kind: "query";
      readonly select: Selection;
      readonly from: Expression;
      readonly where: Expression | undefined;
    }
  | { readonly kind: "exists"; readonly of: Expression };

export type SelectItem =
  | { readonly kind: "all" }
  /** `path`: where the value stands in the result; one name, or several of an alias with dots. */
  | { readonly kind: "value"; readonly of: Expression; readonly path: readonly string[] };

export interface Selection {
  /** `SELECT VALUE`: the result is the value of the only item. */
  readonly isValue: boolean;
  readonly items: readonly SelectItem[];
}

/** A statement of a rule. */
export interface Statement {
  readonly variables: readonly { readonly name: string; readonly value: Expression }[];
  readonly select: Selection;
  /** The topic filter; a rule for Basic Ingest alone may have none. */
  readonly from: string | undefined;
  readonly where: Expression | undefined;
}
