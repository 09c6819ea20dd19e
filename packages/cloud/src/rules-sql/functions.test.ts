import assert from "node:assert/strict";
import { test } from "node:test";
import { isThinglineError } from "@thingline/protocol";
import { ExternalNeeded, sqlFunctions } from "./index.js";
import { sqlResultCharactersMax } from "./json.js";
import { select, valueOf } from "./rules-sql.test.support.js";
import { sqlStepsMax } from "./work.js";

const none = undefined;

/** Results as the developer guide gives them, or follow from its tables. */
const results: readonly [expression: string, result: unknown][] = [
  // Arithmetic and comparison
  ["1 + 2 * 3 - 4 / 2 % 3", 5],
  ["7 / 2", 3.5],
  ["1 / 3", 1 / 3],
  ["1 / 0", none],
  ["'a' + 1", "a1"],
  ["1 + true", none],
  ["'5' * '2'", 10],
  ["'6.5' > 6", true],
  ["'b' > 'a'", none],
  ["CASE missing WHEN 1 THEN 'a' ELSE 'b' END", none],
  ["CASE NULL WHEN 1 THEN 'a' ELSE 'b' END", "b"],
  ["1 + NULL", none],
  ["NULL < 1", none],
  ["'a' + NULL", none],
  ["'a' + [1]", "a[1]"],
  ["1 <> missing", none],
  ["1 = 1.0", true],
  ["1 = '1'", false],
  ["1 <> '1'", true],
  ["NULL = NULL", true],
  ["NULL <> NULL", false],
  ["missing = missing", none],
  ["[1,2] = [1,2]", true],
  ["[1,2] = [2,1]", false],
  ["{'a':1,'b':2} = {'b':2,'a':1}", true],
  ["'TRUE' AND true", true],
  ["true AND 1", none],
  ["false OR 'false'", false],
  ["NOT 'false'", true],
  ["2 IN [1, 2]", true],
  ["-'2'", -2],
  ["- 2 + 3", 1],
  // Conversion
  ["cast(true as Int)", 1],
  ["cast(0 as Boolean)", false],
  ["cast('4.6' as Int)", 4],
  ["cast(4.6 as Int)", 4],
  ["cast(NULL as Int)", none],
  ["cast(NULL as Decimal)", none],
  ["cast('x' as Double)", none],
  ["cast('1e3' as Decimal)", 1000],
  ["cast([1, 'a'] as String)", '[1,"a"]'],
  ["cast(NULL as String)", none],
  // Numbers
  ["abs(-5)", 5],
  ["acos(2)", none],
  ["atan2(1, 0)", Math.PI / 2],
  ["bitand(13, 5)", 5],
  ["bitor(8, 5)", 13],
  ["bitxor(13, 5)", 8],
  ["bitnot(13)", -14],
  ["ceil(1.2)", 2],
  ["floor(-1.2)", -2],
  ["chr(65)", "A"],
  ["chr(49)", "1"],
  ["chr(65.9)", "A"],
  ["chr(300)", none],
  ["cosh(2.3)", 5.037220649268761],
  ["sinh(2.3)", 4.936961805545957],
  ["tanh(2.3)", 0.9800963962661914],
  ["tan(3)", -0.1425465430742778],
  ["acos(0)", 1.5707963267948966],
  ["ceil(-1.2)", -1],
  ["sign(0)", 0],
  ["round(1.7)", 2],
  ["round(-1.1)", -1],
  ["exp('1')", Math.E],
  ["ln(-5)", none],
  ["log(100)", 2],
  ["mod(8, 3)", 2],
  ["remainder('8', 3)", 2],
  ["nanvl('x', 7)", "x"],
  ["nanvl(missing, 7)", 7],
  ["nanvl(NULL, 7)", 7],
  ["nanvl(8, 7)", 8],
  ["power(2, 5)", 32],
  ["round(123.45678)", 123],
  ["round(1.5)", 2],
  ["round(-1.5)", -2],
  ["sign(-7)", -1],
  ["sqrt(9)", 3],
  ["trunc(2.316, 2)", 2.31],
  ["trunc(2.31000, 34)", 2.31],
  ["trunc('2.3', -1)", 2],
  ["trunc(2.3123, 2.9)", 2.31],
  ["trunc(1.5, 99)", 1.5],
  ["rand()", 0.5],
  // Texts
  ["concat()", none],
  ["concat(1)", 1],
  ["concat('he', 'llo')", "hello"],
  ["concat('abc', true, 1)", "abctrue1"],
  ["concat(1, 2)", none],
  ["concat(1, 'hello')", "1hello"],
  ["concat([1, 2, 3], 'hello', [4, 5, 6])", [1, 2, 3, "hello", 4, 5, 6]],
  ["concat([1], 2, [3, [4]])", [1, 2, 3, [4]]],
  ["endswith('cat', 'at')", true],
  ["startswith('ranger', 'ran')", true],
  ["startswith(NULL, 'a')", none],
  ["indexof('abcd', 'bc')", 1],
  ["length('hé😀')", 3],
  ["numbytes('hé')", 3],
  ["lower('HELLO')", "hello"],
  ["upper('hello')", "HELLO"],
  ["lpad('hello', 2)", "  hello"],
  ["lpad('a', '2.9')", "  a"],
  ["lpad('a', -3)", "a"],
  ["rpad(1, 3)", "1   "],
  ["ltrim(' h i ')", "h i "],
  ["rtrim(' h i ')", " h i"],
  ["trim(' h i ')", "h i"],
  ["regexp_matches('aaaa', 'a{2,}')", true],
  ["regexp_matches('aaaa', 'b')", false],
  ["regexp_replace('abcd', 'bc', 'x')", "axd"],
  ["regexp_replace('abcd', 'b(.*)d', '$1')", "ac"],
  ["regexp_substr('hihihello', '(hi)*')", "hihi"],
  ["regexp_substr('hihihello', 'x')", none],
  ["regexp_matches('a', '(')", none],
  ["regexp_replace('a', '[', 'x')", none],
  ["regexp_substr('a', '*')", none],
  ["replace('abcdabcd', 'b', 'x')", "axcdaxcd"],
  ["regexp_matches('a-1', '\\\\p{Alpha}-[\\\\p{Digit}]')", true],
  ["replace('abcd', 'bc', 'x')", "axd"],
  ["substring('012345', 0)", "012345"],
  ["substring('012345', 2.745)", "2345"],
  ["substring(123, 2)", "3"],
  ["substring(true, 1.2)", "rue"],
  ["substring(false, -2.411E247)", "false"],
  ["substring('012345', -50, 50)", "012345"],
  ["substring('012345', 2, 4)", "23"],
  ["substring('012345', -1)", "012345"],
  ["substring('012345', 6)", ""],
  ["substring('012345', 4, 2)", ""],
  // Hashes
  ["sha1('hello')", "aaf4c61ddcc5e8a2dabede0f3b482cd9aea9434d"],
  ["md5('hello')", "5d41402abc4b2a76b9719d911017c592"],
  ["sha256(missing)", none],
  // Objects and lists
  ["get([7, 8], 1)", 8],
  ["get([7], 5)", none],
  ["get({'a':'b'}, 'a')", "b"],
  ["get('abc', 0)", "a"],
  ["isNull(NULL)", true],
  ["isNull(missing)", false],
  ["isUndefined(missing)", true],
  ["isUndefined(floor([1,2,3]))", true],
  ["length(false)", 5],
  ["numbytes('€')", 3],
  ["lower(['HELLO'])", '["hello"]'],
  ["decode('eyAidGVtcGVyYXR1cmUiOiAzMyB9Cg==', 'base64').temperature", 33],
  ["encode('{\"a\":1}', 'base64')", "eyJhIjoxfQ=="],
  ["decode('eyJhIjoxfQ==', 'base64')", { a: 1 }],
  ["decode('////', 'base64')", null],
  ["decode('aGk=', 'base64')", "hi"],
  ["transform('enrichArray', {'d': {'x': 1}}, [{'a': 'v1'}, 2])", [{ a: "v1", d: { x: 1 } }, 2]],
  // The message
  ["topic()", "a/b"],
  ["topic(1)", "a"],
  ["topic(3)", none],
  ["CLIENTID()", "client-1"],
  ["accountid()", "123456789012"],
  ["sql_version()", "2016-03-23"],
  ["timestamp()", 1_700_000_000_123],
  ["get_mqtt_property('format_indicator')", "UNSPECIFIED_BYTES"],
  ["get_mqtt_property('content_type')", none],
  ["get_user_properties('a')", none],
  // Times
  ['parse_time("yyyy.MM.dd G \'at\' HH:mm:ss z", 100000000, "America/Belize")', "1970.01.01 AD at 21:46:40 CST"],
  ["parse_time('E MMM dd HH:mm:ss yyyy', 100000000)", "Fri Jan 02 03:46:40 1970"],
  ["parse_time('y-D w hh a', 100000000)", "1970-2 1 03 AM"],
  ["time_to_epoch('2020-04-03 09:45:18 UTC+01:00', 'yyyy-MM-dd HH:mm:ss VV')", 1_585_903_518_000],
  ["time_to_epoch('18 December 2015', 'dd MMMM yyyy')", 1_450_396_800_000],
  ["time_to_epoch('2007-12-03 10:15:30.592 America/Los_Angeles', 'yyyy-MM-dd HH:mm:ss.SSS z')", 1_196_705_730_592],
  ["time_to_epoch('2015-02-30', 'yyyy-MM-dd')", none],
  ["time_to_epoch('x', 'yyyy')", none],
  // What may fail
  ["get_or_default(missing, 5)", 5],
  ["get_or_default(NULL, 5)", 5],
  ["get_or_default(regexp_matches('a', '('), 'no pattern')", "no pattern"],
];

test("functions and operators give what the guide says", () => {
  for (const [expression, expected] of results) {
    assert.deepEqual(valueOf(expression), expected, expression);
  }
});

test("every function is known by its name in upper and lower case, and says how many arguments it takes", () => {
  for (const name of sqlFunctions) {
    const many = Array.from({ length: 300 }, () => "1").join(", ");
    for (const word of [name.toUpperCase(), name.toLowerCase()]) {
      assert.throws(
        () => select(`SELECT ${word}(${many}) FROM 'a'`),
        (error) => isThinglineError(error, "RULE_SQL_INVALID") && error.message.includes(`${name}() takes`),
      );
    }
  }
});

test("properties of MQTT 5 are there", () => {
  const properties = {
    contentType: "text/plain",
    responseTopic: "r/t",
    payloadFormatIndicator: 1 as const,
    correlationData: Uint8Array.of(1, 2),
    userProperties: [
      ["k", "1"],
      ["k", "2"],
      ["l", "3"],
    ] as [string, string][],
  };
  const of = (expression: string) => valueOf(expression, {}, { properties });
  assert.deepEqual(of("get_user_properties('k')"), ["1", "2"]);
  assert.deepEqual(of("get_user_properties()"), [{ k: "1" }, { k: "2" }, { l: "3" }]);
  const names = ["content_type", "format_indicator", "response_topic", "correlation_data"];
  assert.deepEqual(
    names.map((name) => of(`get_mqtt_property('${name}')`)),
    ["text/plain", "UTF8_DATA", "r/t", "AQI="],
  );
});

test("what leaves the statement is asked for with its arguments, and ends it when it fails", () => {
  const sql = "SELECT get_thing_shadow(concat('thing-', id), 'arn:aws:iam::1:role/r').state.reported.x FROM 'a'";
  assert.throws(
    () => select(sql, { id: 1 }),
    (error) => error instanceof ExternalNeeded && error.call.args[0] === "thing-1",
  );
  const answer = JSON.parse('{"state":{"reported":{"x":7}}}') as never;
  assert.equal(select(sql, { id: 1 }, {}, { external: () => answer }), '{"x":7}');
});

test("what a statement makes is bounded, and says so", () => {
  const doubled = Array.from({ length: 9 }, (_, at) => `@v${at + 1} = @v${at} + @v${at}`).join(", ");
  const payload = { text: "x".repeat(10_000) };
  assert.throws(
    () => select(`SET @v0 = text, ${doubled} SELECT @v9 FROM 'a'`, payload),
    (error) => isThinglineError(error, "RULE_SQL_FAILED") && /262144 characters/.test(error.message),
  );
  for (const pattern of ["''", "'x'"]) {
    assert.throws(
      () => select(`SELECT regexp_replace(text, ${pattern}, '${"y".repeat(2_000)}') FROM 'a'`, payload),
      (error) => isThinglineError(error, "RULE_SQL_FAILED"),
    );
  }
  assert.equal(valueOf("mod(1e999, 7)"), 6);
  assert.equal(valueOf("1e999 * 10"), none);
});

test("a statement ends that takes too many steps for one message, however it takes them", () => {
  const refused = (says: RegExp) => (error: unknown) =>
    isThinglineError(error, "RULE_SQL_FAILED") && says.test(error.message);
  const many = (count: number, value: unknown) => Array.from({ length: count }, () => value);
  const nested = Array.from({ length: 9 }, (_, at) => `@v${at + 1} = [${many(10, `@v${at}`).join()}]`).join(", ");
  const set = `SET @v0 = [1], ${nested}`;
  const attacks: [sql: string, payload: object, says: RegExp][] = [
    [
      "SET @l = l SELECT (SELECT VALUE @l FROM @l) AS x FROM 'a'",
      { l: many(2_000, 1) },
      new RegExp(`JSON of more than ${sqlResultCharactersMax} characters`),
    ],
    [`${set} SELECT @v9 FROM 'a'`, {}, new RegExp(`JSON of more than ${sqlResultCharactersMax} characters`)],
    [`${set} SELECT length(@v9) AS n FROM 'a'`, {}, /JSON of more than 262144/],
    [
      "SET @l = l, @m = m SELECT (SELECT VALUE @l = @m FROM o) AS x FROM 'a'",
      { l: many(9_000, 1), m: many(9_000, 1), o: many(1_000, 1) },
      new RegExp(`more than ${sqlStepsMax} steps`),
    ],
    [
      "SET @t = t SELECT (SELECT VALUE length(@t) FROM l) AS n FROM 'a'",
      { t: "x".repeat(100_000), l: many(1_000, 1) },
      new RegExp(`more than ${sqlStepsMax} steps`),
    ],
    [
      "SELECT transform('enrichArray', o, l) AS n FROM 'a'",
      { o: Object.fromEntries(Array.from({ length: 1_000 }, (_, at) => [at, 1])), l: many(1_000, {}) },
      /transform\(\) makes objects of more than 100000 members/,
    ],
  ];
  for (const [sql, payload, says] of attacks) assert.throws(() => select(sql, payload), refused(says), sql);
});
