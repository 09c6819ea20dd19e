// The cloud half for an AWS account as it is deployed: both templates with their code, held against what CloudFormation takes, against the
// policies that the local cloud makes, and against what the code asks for.
import assert from "node:assert/strict";
import { createRequire, Module } from "node:module";
import { before, describe, test } from "node:test";
import {
  account,
  region,
  resolveStack,
  stackFaults,
  type Resolved,
  type Template,
} from "./cloudformation.test.support.js";

interface Bundle {
  name: string;
  code: string;
  text: string;
}

interface Bundler {
  bundleVending(): Promise<Bundle[]>;
  templateBytesMax: number;
}

const script = new URL("../../../scripts/vending-bundle.mjs", import.meta.url).href;
const variants: Record<string, Record<string, string>[]> = {
  vending: [
    {},
    { Keys: "device", Clients: "any", HookFunctionArn: `arn:aws:lambda:${region}:${account}:function:mine` },
    { Concurrency: "0" },
  ],
  fleet: [{}, { Keys: "any", Concurrency: "0", TemplateName: "other" }],
};

let bundles: Map<string, Bundle>;
const templateOf = (name: string) => JSON.parse(bundles.get(name)!.text) as Template;
const propertiesOf = (stack: Resolved, name: string) => stack.resources[name]!.Properties as Record<string, unknown>;

before(async () => {
  const bundler = (await import(script)) as Bundler;
  bundles = new Map((await bundler.bundleVending()).map((bundle) => [bundle.name, bundle]));
});

/** Runs the code of a function as Lambda does: a CommonJS module with an environment. */
function load(
  name: string,
  environment: Record<string, string>,
  stubs: Record<string, object> = {},
): { handler: (event: unknown) => Promise<unknown> } {
  const module = new Module("index.js") as Module & { _compile(code: string, file: string): void };
  const before = { ...process.env };
  // The SDK is where the tests are.
  const fromHere = createRequire(import.meta.url);
  module.require = ((id: string): unknown => stubs[id] ?? fromHere(id)) as NodeJS.Require;
  Object.assign(
    process.env,
    { AWS_REGION: region, AWS_ACCESS_KEY_ID: "test", AWS_SECRET_ACCESS_KEY: "test" },
    environment,
  );
  try {
    module._compile(bundles.get(name)!.code, "index.js");
  } finally {
    process.env = before;
  }
  return module.exports as ReturnType<typeof load>;
}

describe("the templates of an AWS account", () => {
  test("fit into one request, hold the bundled code, and are valid with every choice of parameters", async () => {
    const { templateBytesMax } = (await import(script)) as Bundler;
    for (const [name, choices] of Object.entries(variants)) {
      const { text, code } = bundles.get(name)!;
      assert.ok(Buffer.byteLength(text) <= templateBytesMax);
      assert.ok(!text.includes("{{") && text.includes(JSON.stringify(code).slice(1, 200)));
      for (const parameters of choices)
        assert.deepEqual(stackFaults(resolveStack(templateOf(name), parameters)), [], name);
    }
  });

  test("a template with a fault is seen: in a property, a name, a value, a parameter", () => {
    const faults = (change: (template: Template) => void): string => {
      const template = templateOf("vending");
      change(template);
      return stackFaults(resolveStack(template)).join("\n");
    };
    const of = (template: Template, name: string) => template.Resources[name]!.Properties as Record<string, unknown>;
    assert.match(
      faults((template) => (of(template, "Vending")["TimeOut"] = 3)),
      /Vending: has no member TimeOut/,
    );
    assert.match(
      faults((template) => (of(template, "Vending")["Timeout"] = 901)),
      /Vending.Timeout: 901/,
    );
    assert.match(
      faults((template) => delete of(template, "VendingOnce")["Qualifier"]),
      /lacks Qualifier/,
    );
    assert.throws(() => faults((template) => delete template.Resources["Failures"]), /Failures/);
    assert.throws(
      () => faults((template) => (template.Parameters["Spare"] = { Type: "String", Default: "" })),
      /Spare/,
    );
  });

  test("the rules are the original's and one for keys of the device's own; an event is tried once, and not for ever", () => {
    const stack = resolveStack(templateOf("vending"));
    const payloadOf = (name: string) => propertiesOf(stack, name)["TopicRulePayload"] as Record<string, unknown>;
    assert.equal(payloadOf("KeysRule")["Sql"], "SELECT clientid() as deviceId FROM 'certificate/+/create'");
    assert.equal(
      payloadOf("CsrRule")["Sql"],
      "SELECT encode(*, 'base64') AS csr, clientid() AS deviceId FROM 'certificate/+/create-from-csr'",
    );
    for (const rule of ["KeysRule", "CsrRule"]) assert.ok(payloadOf(rule)["ErrorAction"]);
    const { MaximumRetryAttempts: retries, MaximumEventAgeInSeconds: age } = propertiesOf(stack, "VendingOnce");
    assert.deepEqual([retries, age], [0, 60]);
    const onlyCsr = resolveStack(templateOf("vending"), { Keys: "device" });
    assert.ok(!("KeysRule" in onlyCsr.resources));
    const allowed = JSON.stringify([propertiesOf(onlyCsr, "ClaimPolicy"), propertiesOf(onlyCsr, "VendingRole")]);
    assert.doesNotMatch(allowed, /CreateKeysAndCertificate|\/create"/);
  });

  test("a role names no action that its function does not call, and no function calls one that its role lacks", () => {
    const called = (name: string) => {
      const commands = [...bundles.get(name)!.code.matchAll(/import_client_iot\w*\.(\w+)Command\b/g)];
      return new Set(commands.map(([, command]) => `iot:${command}`));
    };
    const allowed = (name: string, stack: Resolved) => {
      const [policy] = propertiesOf(stack, name)["Policies"] as {
        PolicyDocument: { Statement: { Action: string | string[] }[] };
      }[];
      return new Set(
        policy!.PolicyDocument.Statement.flatMap(({ Action }) => Action).filter((each) => each.startsWith("iot:")),
      );
    };
    assert.deepEqual(
      [...allowed("VendingRole", resolveStack(templateOf("vending")))].sort(),
      [...called("vending")].sort(),
    );
    const hook = allowed("HookRole", resolveStack(templateOf("fleet")));
    assert.deepEqual([...hook].sort(), ["iot:DescribeCertificate", "iot:DescribeThing", "iot:ListThingPrincipals"]);
  });

  test("the bundled code runs as Lambda runs it, with the variables that its template sets", async () => {
    for (const [name, resource] of [
      ["vending", "Vending"],
      ["fleet", "Hook"],
    ] as const) {
      const stack = resolveStack(templateOf(name));
      const { Variables } = propertiesOf(stack, resource)["Environment"] as {
        Variables: Record<string, string | number>;
      };
      const environment = Object.fromEntries(Object.entries(Variables).map(([key, value]) => [key, String(value)]));
      const { handler } = load(name, environment);
      if (name === "vending") await assert.rejects(handler({ deviceId: "a/b" }), { code: "REQUEST_INVALID" });
      else
        assert.deepEqual(await handler({ clientId: "claim-a", parameters: { SerialNumber: "b" } }), {
          allowProvisioning: false,
        });
      const wrong = { ...environment, THINGS: "none" };
      assert.throws(() => load(name, wrong), { code: "OPTION_INVALID" });
    }
  });

  test("the bundled function asks a hook by its ARN, and makes nothing without its word", async () => {
    const sent: [name: string, input: object][] = [];
    let answer: object = {};
    const command = (name: string) =>
      class {
        constructor(input: object) {
          sent.push([name, input]);
        }
      };
    class Client {
      send(): Promise<object> {
        return sent.at(-1)?.[0] === "InvokeCommand" ? Promise.resolve(answer) : Promise.reject(notFound);
      }
    }
    const notFound = Object.assign(new Error("none"), {
      ...{ name: "ResourceNotFoundException", $metadata: { httpStatusCode: 404 } },
    });
    /** A module of the SDK in which every command is one of ours. */
    const sdk = (client: string) =>
      new Proxy<Record<string, unknown>>(
        { __esModule: true, [client]: Client },
        { get: (own, name) => (own[String(name)] ??= command(String(name))) },
      );
    const hookArn = `arn:aws:lambda:${region}:${account}:function:mine`;
    const stubs = {
      "@aws-sdk/client-iot": sdk("IoTClient"),
      "@aws-sdk/client-iot-data-plane": sdk("IoTDataPlaneClient"),
      // Imported as a whole, and so copied by its names.
      "@aws-sdk/client-lambda": { __esModule: true, LambdaClient: Client, InvokeCommand: command("InvokeCommand") },
    };
    const { handler } = load("vending", { POLICY_NAME: "devices", HOOK_FUNCTION_ARN: hookArn }, stubs);
    const payload = (value: unknown) => ({ Payload: new TextEncoder().encode(JSON.stringify(value)) });
    for (const [given, code] of [
      [payload({ allowProvisioning: false }), "REQUEST_FORBIDDEN"],
      [payload({ allowed: true }), "INTERNAL_FAILURE"],
      [{ ...payload({ errorMessage: "no" }), FunctionError: "Unhandled" }, "INTERNAL_FAILURE"],
      [{}, "INTERNAL_FAILURE"],
    ] as const) {
      answer = given;
      sent.length = 0;
      await assert.rejects(handler({ deviceId: "claim-pump-7" }), { code });
      assert.deepEqual(
        sent.map(([name]) => name),
        ["DescribeThingCommand", "InvokeCommand", "PublishCommand"],
      );
      const { FunctionName, Payload } = sent[1]![1] as { FunctionName: string; Payload: string };
      assert.equal(FunctionName, hookArn);
      assert.deepEqual(JSON.parse(Payload), {
        clientId: "claim-pump-7",
        parameters: { SerialNumber: "pump-7", ThingName: "pump-7" },
      });
    }
    answer = payload({ allowProvisioning: true });
    sent.length = 0;
    await assert.rejects(handler({ deviceId: "claim-pump-7" }));
    assert.ok(sent.some(([name]) => name === "CreateThingCommand"));
  });
});
