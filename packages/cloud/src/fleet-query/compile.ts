import type { IndexFields } from "./fields.js";
import type { PlaceOrder } from "./geo.js";
import { parseQuery } from "./parse.js";
import type { Query } from "./query.js";
import { compileTest } from "./values.js";

export interface CompileOptions {
  /** What comes first in a place of the field. Default: the latitude. */
  orderOf?: (field: string) => PlaceOrder;
}

/**
 * Whether a document is found by a query. Made once for each search: names of fields are looked up, and words put into lower case.
 * @throws {ThinglineError} as {@link parseQuery}
 */
export function compileQuery<Document>(
  text: string,
  fields: IndexFields<Document>,
  { orderOf = () => "LatLon" }: CompileOptions = {},
): (document: Document) => boolean {
  const compile = (query: Query): ((document: Document) => boolean) => {
    switch (query.type) {
      case "all":
        return () => true;
      case "not": {
        const matches = compile(query.of);
        return (document) => !matches(document);
      }
      case "and": {
        const all = query.of.map(compile);
        return (document) => all.every((matches) => matches(document));
      }
      case "or": {
        const all = query.of.map(compile);
        return (document) => all.some((matches) => matches(document));
      }
      case "term": {
        const { field } = query;
        const read = field === undefined ? fields.all : fields.read(field);
        const test = compileTest(query.test, field === undefined ? "LatLon" : orderOf(field));
        return (document) => test(read(document));
      }
    }
  };
  return compile(parseQuery(text, { checkField: (field) => void fields.read(field) }));
}
