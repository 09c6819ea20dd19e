import assert from "node:assert/strict";
import { test } from "node:test";
import { certificateLives, certPageSize } from "./read.js";
import type { CertPlace } from "./place.js";

/** An account whose list never ends. */
function endless() {
  const asked: string[] = [];
  class Command {
    readonly name: string;
    readonly input: Record<string, unknown>;
    constructor(name: string, input: Record<string, unknown>) {
      this.name = name;
      this.input = input;
    }
  }
  const commandOf = (name: string) =>
    class extends Command {
      constructor(input: Record<string, unknown>) {
        super(name, input);
      }
    };
  let page = 0;
  const send = async ({ name, input }: Command): Promise<object> => {
    asked.push(name);
    if (name !== "list") return name === "describe" ? { certificateDescription: { status: "ACTIVE" } } : {};
    page += 1;
    const size = Number(input["pageSize"]);
    const certificates = Array.from({ length: size }, (_, at) => ({ certificateId: `${page}-${at}` }));
    return { certificates, nextMarker: `${page}` };
  };
  const place = {
    client: { send },
    sdk: {
      ListCertificatesCommand: commandOf("list"),
      DescribeCertificateCommand: commandOf("describe"),
      ListPrincipalThingsCommand: commandOf("things"),
      ListAttachedPoliciesCommand: commandOf("policies"),
    },
    send: {},
    dataDir: undefined,
  } as unknown as CertPlace;
  return { place, countOf: (name: string) => asked.filter((one) => one === name).length };
}

test("of a fleet's certificates no more than a page is read ahead and held", async () => {
  const { place, countOf } = endless();
  const ids: string[] = [];
  for await (const { certificateId } of certificateLives(place)) {
    ids.push(certificateId);
    if (ids.length > certPageSize) break;
  }
  assert.equal(countOf("list"), 2);
  assert.equal(countOf("describe"), 2 * certPageSize);
  assert.deepEqual([ids[0], ids[certPageSize - 1], ids[certPageSize]], ["1-0", `1-${certPageSize - 1}`, "2-0"]);
});
