// Templates from chance: of the grammar, and spoiled ones.
import type { Random } from "@thingline/transport";

export type Json = null | boolean | number | string | Json[] | { [name: string]: Json };

const parameters = ["SerialNumber", "Location", "Empty", "__proto__"] as const;
export const parameterValues: Readonly<Record<string, string>> = Object.fromEntries([
  ["SerialNumber", "a,b,1"],
  ["Location", "Seattle"],
  ["Empty", ""],
  ["__proto__", "1"],
]);
export const mappings = {
  Table: { Seattle: { Url: "x", "1": "2" }, "1": { Url: "y" } },
  constructor: { a: { b: "c" } },
};
const words = ["", "a", ",", "1", "0", "Seattle", "Url", "Table", "-", "a,b", "${!x}"];

export class Generator {
  readonly #random: Random;

  constructor(random: Random) {
    this.#random = random;
  }

  pick<Value>(values: readonly Value[]): Value {
    return values[this.#random.integer(values.length)] as Value;
  }

  chance(fraction: number): boolean {
    return this.#random.fraction() < fraction;
  }

  /** Of the grammar; its values may still be such that it is refused. */
  text(depth = 0): Json {
    const kind = depth > 5 ? this.#random.integer(2) : this.#random.integer(7);
    if (kind === 0) return this.pick(words.filter((word) => !word.includes("$")));
    if (kind === 1) return { Ref: this.pick(parameters) };
    if (kind === 2) return { "Fn::Join": [this.text(depth + 1), this.list(depth + 1)] };
    if (kind === 3) return { "Fn::Select": [this.#index(depth), this.list(depth + 1)] };
    if (kind === 4) {
      const map = this.chance(0.8) ? this.pick(["Table", "constructor"]) : { Ref: "Location" };
      return { "Fn::FindInMap": [map, this.text(depth + 1), this.text(depth + 1)] };
    }
    const text = Array.from({ length: this.#random.integer(4) }, () => this.#subPart()).join("");
    if (kind === 5) return { "Fn::Sub": text.replaceAll("${own}", "") };
    return { "Fn::Sub": [text, { own: this.text(depth + 1) }] };
  }

  list(depth = 0): Json {
    if (this.chance(0.4)) return { "Fn::Split": [this.chance(0.9) ? "," : { Ref: "Empty" }, this.text(depth + 1)] };
    return Array.from({ length: this.#random.integer(4) }, () => (this.chance(0.1) ? null : this.text(depth + 1)));
  }

  document(depth = 0): Json {
    const kind = depth > 3 ? 0 : this.#random.integer(6);
    if (kind <= 1) return this.text(depth);
    if (kind === 2) return this.pick<Json>([null, true, 1.5, 0]);
    if (kind === 3) return Array.from({ length: this.#random.integer(3) }, () => this.document(depth + 1));
    const names = ["Version", "Statement", "__proto__", "Action"].filter(() => this.chance(0.5));
    return Object.fromEntries(names.map((name) => [name, this.document(depth + 1)]));
  }

  template(): { [name: string]: Json } {
    const policy: Json = this.chance(0.5)
      ? { PolicyName: this.#name() }
      : { PolicyDocument: { Statement: this.document(1), Version: "2012-10-17" } };
    return {
      Parameters: Object.fromEntries(parameters.map((name) => [name, { Type: "String" }])),
      Mappings: mappings,
      Resources: {
        thing: {
          Type: "AWS::IoT::Thing",
          Properties: {
            ThingName: this.#name(),
            AttributePayload: Object.fromEntries([
              ["__proto__", this.#name()],
              ["a", this.#name()],
            ]),
            ThingGroups: this.chance(0.7) ? [this.#name(), this.#name()] : this.list(3),
          },
          OverrideSettings: { [this.pick(["ThingGroups", "THING_GROUPS"])]: this.pick(["MERGE", "FAIL", "REPLACE"]) },
        },
        certificate: {
          Type: "AWS::IoT::Certificate",
          Properties: {
            CertificateId: { Ref: "AWS::IoT::Certificate::Id" },
            Status: this.pick(["Active", "INACTIVE"]),
          },
        },
        policy: { Type: "AWS::IoT::Policy", Properties: policy },
      },
      DeviceConfiguration: { value: this.text() },
    };
  }

  /** Something of the value is something else then, or is gone, or is there twice. */
  spoil(value: Json): Json {
    if (this.chance(0.15))
      return this.pick<Json>([null, true, -1, 1.5, "", "x", [], {}, [null], { Ref: 1 }, { "Fn::No": [] }]);
    if (Array.isArray(value)) {
      if (value.length === 0 || this.chance(0.2)) return [...value, this.pick<Json>([null, "x", {}])];
      const at = this.#random.integer(value.length);
      return value.map((item, index) => (index === at ? this.spoil(item) : item));
    }
    if (typeof value !== "object" || value === null) return this.pick<Json>([null, 7, "y", { Ref: "Nobody" }, ["y"]]);
    const members = Object.entries(value);
    const at = this.#random.integer(members.length + 1);
    const how = this.#random.integer(6);
    if (members[at] === undefined || how === 0)
      return Object.fromEntries([...members, [this.#memberName(), this.pick<Json>(["x", null, {}])]]);
    if (how === 1) return Object.fromEntries(members.filter((_member, index) => index !== at));
    if (how === 2)
      return Object.fromEntries(
        members.map(([name, member], index) => [index === at ? this.#memberName() : name, member]),
      );
    return Object.fromEntries(
      members.map(([name, member], index) => [name, index === at ? this.spoil(member) : member]),
    );
  }

  /** Mostly legal as the name of a thing. */
  #name(): Json {
    return this.chance(0.8)
      ? this.pick<Json>(["a", { Ref: "Location" }, { "Fn::Join": ["-", ["b", "1"]] }])
      : this.text(2);
  }

  #memberName(): string {
    return this.pick(["Extra", "", "__proto__", "Ref", "Fn::Join", "Fn:Join", "Status", "x".repeat(300), "PolicyName"]);
  }

  #index(depth: number): Json {
    if (this.chance(0.5)) return this.pick<Json>([0, 1, 2, "0", "1", "x"]);
    return this.text(depth + 1);
  }

  #subPart(): string {
    if (this.chance(0.3)) return this.pick(words);
    return this.pick(["${SerialNumber}", "${ Location }", "${own}", "${!SerialNumber}", "${__proto__}"]);
  }
}
