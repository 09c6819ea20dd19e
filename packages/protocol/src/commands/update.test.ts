import assert from "node:assert/strict";
import { test } from "node:test";
import { encodeCbor, type CborValue } from "../cbor/index.js";
import {
  commandClientTokenCharactersMax,
  commandReasonCodeCharactersMax,
  commandReasonDescriptionCharactersMax,
  commandResultEntriesMax,
  commandResultKeyCharactersMax,
  decodeCommandAnswer,
  decodeCommandUpdate,
  encodeCommandAccepted,
  encodeCommandRejected,
  encodeCommandUpdate,
  type CommandUpdate,
} from "./index.js";

const formats = ["json", "cbor"] as const;
const json = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));

test("an update is read as it was written, in either format", () => {
  const updates: CommandUpdate[] = [
    { status: "IN_PROGRESS" },
    { status: "TIMED_OUT", clientToken: "t".repeat(commandClientTokenCharactersMax) },
    { status: "REJECTED", statusReason: { reasonCode: "A-1_2" } },
    {
      status: "FAILED",
      statusReason: {
        reasonCode: "X".repeat(commandReasonCodeCharactersMax),
        reasonDescription: "ü".repeat(commandReasonDescriptionCharactersMax),
      },
    },
    {
      status: "SUCCEEDED",
      result: new Map<string, string | boolean | Uint8Array>([
        ["text", "a"],
        ["yes", true],
        ["no", false],
        ["bytes", Uint8Array.of(0, 255)],
        ["__proto__", "own"],
        ["k".repeat(commandResultKeyCharactersMax), "last"],
      ]),
    },
    {
      status: "SUCCEEDED",
      result: new Map(Array.from({ length: commandResultEntriesMax }, (_, at) => [`k${at}`, true] as const)),
    },
  ];
  for (const update of updates) {
    for (const format of formats) {
      assert.deepEqual(decodeCommandUpdate(encodeCommandUpdate(update, format), format), { update }, format);
    }
  }
});

test("members that are null or that nobody knows are passed over", () => {
  const members = { deviceId: "d", executionId: "e", later: 1.5, status: "SUCCEEDED", statusReason: null };
  const more = { result: { a: { s: "x", b: null, bin: null } } };
  const result = new Map([["a", "x"]]);
  for (const payload of [json({ ...members, ...more }), json({ ...more, ...members })]) {
    assert.deepEqual(decodeCommandUpdate(payload, "json"), { update: { status: "SUCCEEDED", result } });
  }
  const cbor = encodeCbor({ ...members, ...more });
  assert.deepEqual(decodeCommandUpdate(cbor, "cbor"), { update: { status: "SUCCEEDED", result } });
});

test("a wrong update is refused by the name of the member, with its token", () => {
  const tooMany = Object.fromEntries(
    Array.from({ length: commandResultEntriesMax + 1 }, (_, at) => [`k${at}`, { b: true }]),
  );
  const status = "SUCCEEDED";
  const cases: [CborValue, RegExp][] = [
    [{}, /status/],
    [{ status: "CREATED" }, /CREATED.*status/],
    [{ status: 7 }, /status/],
    [{ status, statusReason: "x" }, /statusReason/],
    [{ status, statusReason: {} }, /reasonCode/],
    [{ status, statusReason: { reasonCode: "" } }, /reasonCode/],
    [{ status, statusReason: { reasonCode: "low" } }, /reasonCode/],
    [{ status, statusReason: { reasonCode: "X".repeat(commandReasonCodeCharactersMax + 1) } }, /reasonCode/],
    [{ status, statusReason: { reasonCode: "X", reasonDescription: 1 } }, /reasonDescription/],
    [{ status, statusReason: { reasonCode: "X", reasonDescription: "a\nb" } }, /reasonDescription/],
    [
      {
        status,
        statusReason: { reasonCode: "X", reasonDescription: "x".repeat(commandReasonDescriptionCharactersMax + 1) },
      },
      /reasonDescription/,
    ],
    [{ status, result: [] }, /result/],
    [{ status, result: {} }, /result.*0$/],
    [{ status, result: tooMany }, new RegExp(`result.*${commandResultEntriesMax + 1}$`)],
    [{ status, result: { "a b": { s: "x" } } }, /result has a key/],
    [{ status, result: { ["k".repeat(commandResultKeyCharactersMax + 1)]: { s: "x" } } }, /result has a key/],
    [{ status, result: { a: "x" } }, /result\.a/],
    [{ status, result: { a: {} } }, /result\.a/],
    [{ status, result: { a: { S: "x" } } }, /result\.a/],
    [{ status, result: { a: { s: "" } } }, /result\.a/],
    [{ status, result: { a: { s: "x", b: true } } }, /result\.a/],
    [{ status, result: { a: { b: "true" } } }, /result\.a/],
    [{ status, result: { a: { bin: "?" } } }, /result\.a/],
    [{ status, result: { a: { bin: "" } } }, /result\.a/],
  ];
  for (const [members, message] of cases) {
    const withToken = { ...(members as object), clientToken: "t" };
    // The decoder of CBOR takes no more members of one map than a result may have.
    const isForJson = JSON.stringify(members).includes(`"k${commandResultEntriesMax}"`);
    for (const format of isForJson ? (["json"] as const) : formats) {
      const payload = format === "json" ? json(withToken) : encodeCbor(withToken);
      const read = decodeCommandUpdate(payload, format);
      assert.ok("rejection" in read, JSON.stringify(members).slice(0, 80));
      assert.equal(read.rejection.error, "InvalidRequest");
      assert.equal(read.rejection.clientToken, "t");
      assert.match(read.rejection.errorMessage, message);
    }
  }
});

test("what is no object, and a token that cannot be echoed, are refused", () => {
  const text = (payload: string | Uint8Array, format: "json" | "cbor") => {
    const bytes = typeof payload === "string" ? new TextEncoder().encode(payload) : payload;
    const read = decodeCommandUpdate(bytes, format);
    return "rejection" in read ? [read.rejection.error, read.rejection.clientToken] : read;
  };
  for (const bad of ["", "{", "[]", "null", '"SUCCEEDED"'])
    assert.deepEqual(text(bad, "json"), ["InvalidJson", undefined]);
  assert.deepEqual(text(Uint8Array.of(0xff), "json"), ["InvalidJson", undefined]);
  assert.deepEqual(text(Uint8Array.of(0xbf), "cbor"), ["InvalidRequest", undefined]);
  const token = (clientToken: unknown) => text(JSON.stringify({ status: "FAILED", clientToken }), "json");
  assert.deepEqual(token("x".repeat(commandClientTokenCharactersMax + 1)), ["InvalidRequest", undefined]);
  assert.deepEqual(token(7), ["InvalidRequest", undefined]);
});

test("an answer is read as it was written; one that is none is undefined", () => {
  for (const format of formats) {
    const accepted = encodeCommandAccepted({ executionId: "e", clientToken: "t" }, format);
    assert.deepEqual(decodeCommandAnswer(accepted, { format, isRejected: false }), {
      ...{ executionId: "e", clientToken: "t", rejected: undefined },
    });
    const why = { error: "DataConflict", errorMessage: "why" } as const;
    const rejected = encodeCommandRejected({ executionId: "e", ...why }, format);
    assert.deepEqual(decodeCommandAnswer(rejected, { format, isRejected: true }), {
      ...{ executionId: "e", clientToken: undefined, rejected: why },
    });
    assert.equal(decodeCommandAnswer(accepted, { format, isRejected: true }), undefined);
    assert.equal(decodeCommandAnswer(Uint8Array.of(0x5b), { format, isRejected: false }), undefined);
  }
});
