import assert from "node:assert/strict";
import { test } from "node:test";
import { isThinglineError } from "@thingline/protocol";
import fc from "fast-check";
import {
  ExternalNeeded,
  fillTemplate,
  parseTemplate,
  readStatement,
  runStatement,
  sqlDepthMax,
  sqlVariablesMax,
} from "./index.js";
import { sqlChainMax } from "./parse-expression.js";
import { hostOf, select } from "./rules-sql.test.support.js";

const refused = (says: RegExp) => (error: unknown) =>
  isThinglineError(error, "RULE_SQL_INVALID") && says.test(error.message);

const faults: readonly [sql: string, says: RegExp][] = [
  ["", /expected SELECT instead of the end/],
  ["SELECT", /expected an expression instead of the end/],
  ["SELECT FROM 'a'", /instead of "FROM" at character 8/],
  ["SELECT a b FROM 'x'", /expected the end of the statement instead of "b" at character 10/],
  ["SELECT a, FROM 'x'", /instead of "FROM"/],
  ["SELECT 'a FROM", /a string has no end at character 8/],
  ["SELECT (a FROM 'x'", /expected "\)"/],
  ["SELECT a + 1 FROM 'x'", /needs a name: AS name at character 8/],
  ["SELECT a. FROM 'x' WHERE", /end of the statement instead of the string "x"/],
  ["SELECT nope(1) FROM 'x'", /no function nope\(\) at character 8/],
  ["SELECT topic(1, 2) FROM 'x'", /topic\(\) takes 0 to 1 arguments, not 2/],
  ["SELECT cast(a AS Blob) FROM 'x'", /no type "Blob"/],
  ["SELECT * FROM 'a/#/b'", /FROM: '#' must be the last/],
  ["SELECT * FROM '$aws/rules/x'", /FROM: .*Basic Ingest/],
  ["SELECT * FROM '$share/g/a'", /FROM: .*share/],
  ["SELECT * FROM 'a' WHERE b != 1", /"!=" is no operator.*"<>"/],
  ["SELECT VALUE a, b FROM 'x'", /SELECT VALUE takes one item/],
  ["SELECT @x FROM 'a'", /the variable @x is not set/],
  ["SET @a = @b, @b = 1 SELECT @a FROM 'x'", /@b is not set/],
  ["SET @a = 1, @a = 2 SELECT @a FROM 'x'", /@a is set twice/],
  ["SELECT {a: 1} AS o FROM 'x'", /name of an object's member is a string/],
  ["SELECT get_dynamodb('t','k','v','r') AS a, get_dynamodb('t','k','v','r') AS b FROM 'x'", /may be called once/],
  [
    `SET ${Array.from({ length: sqlVariablesMax + 1 }, (_, at) => `@v${at}=1`).join(",")} SELECT a FROM 'x'`,
    /at most 10 variables/,
  ],
  [`SELECT ${"(".repeat(sqlDepthMax + 1)}a${")".repeat(sqlDepthMax + 1)} FROM 'x'`, /levels of nesting/],
  [`SELECT ${"-".repeat(sqlDepthMax + 1)}a AS b FROM 'x'`, /levels of nesting/],
  [`SELECT a${" + 1".repeat(sqlChainMax + 1)} AS b FROM 'x'`, /operators of a kind in a row/],
  [`SELECT [${"1,".repeat(3_000)}1] AS b FROM 'x'`, /words and symbols/],
];

test("what is no statement is refused with its place", () => {
  for (const [sql, says] of faults) assert.throws(() => readStatement(sql, "2016-03-23"), refused(says), sql);
});

test("the first version has no functions, literals and queries of the second", () => {
  for (const item of ["isUndefined(a)", "[1]", "{'a':1}", "(SELECT VALUE a FROM b)", "length(a)", "cast(a as Bool)"]) {
    const sql = `SELECT ${item} AS v FROM 'x'`;
    readStatement(sql, "2016-03-23");
    readStatement(sql, "beta");
    assert.throws(() => readStatement(sql, "2015-10-08"), refused(/needs awsIotSqlVersion 2016-03-23/), item);
  }
});

test("a rule for Basic Ingest alone needs no FROM, and a filter may stand without quotes", () => {
  assert.equal(readStatement("SELECT *", "2016-03-23").from, undefined);
  assert.equal(readStatement("select * from a/+/b where c = 1", "2016-03-23").from, "a/+/b");
  assert.equal(
    readStatement("SELECT * FROM '$aws/things/+/shadow/update'", "2016-03-23").from,
    "$aws/things/+/shadow/update",
  );
});

test("quotes, escapes and regular expressions in texts", () => {
  assert.equal(
    select(`SELECT 'it''s' AS a, "say ""hi""" AS b, 'a\\\\b' AS c, '\\d' AS d FROM 'x'`),
    String.raw`{"a":"it's","b":"say \"hi\"","c":"a\\b","d":"\\d"}`,
  );
});

test("templates are filled from the message as it came, and what is Undefined is refused", () => {
  const host = hostOf({ payload: new TextEncoder().encode('{"id":7,"o":{"a":"}"}}') });
  const selected = runStatement(readStatement("SET @x = id + 1 SELECT 1 AS id FROM 'a'", "2016-03-23"), host);
  assert.ok(selected !== undefined);
  const fill = (text: string) => fillTemplate(parseTemplate(text), selected.scope);
  assert.equal(fill("device/${id}/${topic(1)}/${get(o, 'a')}/${'}'}/${@x}"), "device/7/a/}/}/8");
  assert.equal(fill("plain"), "plain");
  assert.equal(fill(""), "");
  assert.throws(
    () => fill("${missing}"),
    (error) => isThinglineError(error, "RULE_SQL_FAILED"),
  );
  for (const text of ["${", "${id", "${}", "a${id +}b", "${'x}"]) {
    assert.throws(
      () => parseTemplate(text),
      (error) => isThinglineError(error, "RULE_SQL_INVALID"),
      text,
    );
  }
});

const word = fc.constantFrom(
  ..."SELECT FROM WHERE SET VALUE AS AND OR NOT IN CASE WHEN THEN ELSE END EXISTS cast Int NULL true Undefined a b value".split(
    " ",
  ),
  ..."topic( get( concat( regexp_replace( encode( decode( get_or_default( time_to_epoch( substring( ( ) [ ] { } , . : * + - / % = <> < @x".split(
    " ",
  ),
  ..."'a/b' 'x' \"q\" '[' 1 2.5 1e300 'yyyy' 'base64' -1".split(" "),
);

test("a statement of any words is read or refused by name, and never does anything else", () => {
  let sound = 0;
  const numRuns = process.env["THINGLINE_TEST_LONG"] ? 50_000 : 2_000;
  const payload = new TextEncoder().encode('{"a":[1,{"b":"x"}],"b":{"a":1.5},"value":null}');
  fc.assert(
    fc.property(fc.array(word, { minLength: 1, maxLength: 12 }), fc.boolean(), (words, isItem) => {
      const sql = isItem ? `SELECT ${words.join(" ")} AS v FROM 'x'` : words.join(" ");
      try {
        runStatement(readStatement(sql, "2016-03-23"), hostOf({ payload }));
        sound++;
      } catch (error) {
        const isNamed = isThinglineError(error, "RULE_SQL_INVALID") || isThinglineError(error, "RULE_SQL_FAILED");
        assert.ok(isNamed || error instanceof ExternalNeeded, `${sql}: ${String(error)}`);
      }
    }),
    { numRuns, seed: 11 },
  );
  assert.ok(sound > 10, `only ${sound} were statements`);
});
