/** What a text of a template is made of. Each has the path that a refusal names. */
export type TextExpression =
  | string
  | { readonly type: "ref"; readonly path: string; readonly name: string }
  | {
      readonly type: "join";
      readonly path: string;
      readonly delimiter: TextExpression;
      readonly items: ListExpression;
    }
  | { readonly type: "select"; readonly path: string; readonly index: TextExpression; readonly items: ListExpression }
  | {
      readonly type: "findInMap";
      readonly path: string;
      readonly map: TextExpression;
      readonly keys: readonly [TextExpression, TextExpression];
    }
  | {
      readonly type: "sub";
      readonly path: string;
      readonly parts: readonly SubPart[];
      /** Given with the text, and known in it alone. */
      readonly variables: ReadonlyMap<string, TextExpression>;
    };

/** Plain text, or the name of a variable or parameter. */
export type SubPart = string | { readonly name: string };

/** A list of texts. `null` may stand in it as long as nobody selects it. */
export type ListExpression =
  | { readonly type: "list"; readonly path: string; readonly items: readonly (TextExpression | null)[] }
  | {
      readonly type: "split";
      readonly path: string;
      readonly delimiter: TextExpression;
      readonly text: TextExpression;
    };

/** A JSON document in which any text, and any list, may be an expression. */
export type DocumentExpression =
  | { readonly type: "value"; readonly value: null | boolean | number }
  | { readonly type: "text"; readonly text: TextExpression }
  | { readonly type: "texts"; readonly texts: ListExpression }
  | { readonly type: "array"; readonly items: readonly DocumentExpression[] }
  | ObjectExpression;

export interface ObjectExpression {
  readonly type: "object";
  readonly members: readonly (readonly [name: string, value: DocumentExpression])[];
}
