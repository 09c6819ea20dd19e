import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { isThinglineError, type ErrorCode } from "@thingline/protocol";
import type { JobContent } from "../jobs/index.js";
import { answer } from "../operation.js";
import { openServiceWorld } from "../world.test.support.js";
import { createJobTemplateService } from "./index.js";

const fails = (code: ErrorCode, message?: RegExp) => (error: unknown) =>
  isThinglineError(error, code) && (message === undefined || message.test(error.message));

const document = '{"operation":"app_fw_update","size":181124}';
const description = "an update";
const settings = {
  presignedUrlConfig: { roleArn: "arn:aws:iam::123456789012:role/jobs", expiresInSec: 600 },
  jobExecutionsRolloutConfig: { maximumPerMinute: 50 },
  abortConfig: {
    criteriaList: [
      { failureType: "FAILED", action: "CANCEL", thresholdPercentage: 20.5, minNumberOfExecutedThings: 10 },
    ],
  },
  timeoutConfig: { inProgressTimeoutInMinutes: 30 },
  jobExecutionsRetryConfig: { criteriaList: [{ failureType: "TIMED_OUT", numberOfRetries: 2 }] },
  maintenanceWindows: [{ startTime: "cron(0 2 * * ? *)", durationInMinutes: 60 }],
} as const;
const arn = (id: string) => `arn:aws:iot:us-east-1:123456789012:jobtemplate/${id}`;
const managedArn = (name: string) => `arn:aws:iot:us-east-1::jobtemplate/${name}`;

async function openWorld(job: JobContent = {}) {
  const world = await openServiceWorld();
  const { operations: templates, findJobTemplate } = createJobTemplateService({
    findJobContent: async (_context, { jobArn }) => answer({ ...job, description: job.description ?? jobArn }),
  });
  return { ...world, templates, findJobTemplate };
}

describe("templates of the account", () => {
  test("a template is made once, described whole, listed and deleted", async () => {
    const { run, templates, clock } = await openWorld();
    const made = await run(templates.createJobTemplate, {
      jobTemplateId: "update",
      description,
      document,
      ...settings,
    });
    assert.deepEqual(made, { jobTemplateArn: arn("update"), jobTemplateId: "update" });
    assert.deepEqual(await run(templates.describeJobTemplate, { jobTemplateId: "update" }), {
      ...{ jobTemplateArn: arn("update"), jobTemplateId: "update", description, document },
      createdAt: clock.unixMs() / 1000,
      ...settings,
    });
    await assert.rejects(
      run(templates.createJobTemplate, { jobTemplateId: "update", description, document }),
      fails("RESOURCE_CONFLICT", /update already exists/),
    );
    await run(templates.createJobTemplate, {
      jobTemplateId: "other",
      description,
      documentSource: "https://s3.amazonaws.com/b/k",
    });
    const first = await run(templates.listJobTemplates, { maxResults: 1 });
    assert.deepEqual(
      first.jobTemplates?.map(({ jobTemplateId }) => jobTemplateId),
      ["other"],
    );
    const second = await run(templates.listJobTemplates, { maxResults: 1, nextToken: first.nextToken });
    assert.deepEqual(second, {
      jobTemplates: [
        { jobTemplateArn: arn("update"), jobTemplateId: "update", description, createdAt: clock.unixMs() / 1000 },
      ],
    });
    await run(templates.deleteJobTemplate, { jobTemplateId: "update" });
    for (const operation of [templates.describeJobTemplate, templates.deleteJobTemplate] as const) {
      await assert.rejects(
        run<{ jobTemplateId: string }, object>(operation, { jobTemplateId: "update" }),
        fails("RESOURCE_NOT_FOUND"),
      );
    }
  });

  test("what no job could be made of is refused", async () => {
    const { run, templates } = await openWorld();
    const refused: [input: object, why: RegExp][] = [
      [{}, /One of jobArn, document and documentSource/],
      [{ document, documentSource: "https://s3.amazonaws.com/b/k" }, /Only one of document and documentSource/],
      [{ document: "{" }, /not valid JSON/],
      [{ document, timeoutConfig: { inProgressTimeoutInMinutes: 0 } }, /1 to 10080/],
      [
        { document, maintenanceWindows: [{ startTime: "daily", durationInMinutes: 5 }] },
        /Invalid cron expression 'daily'/,
      ],
      [
        { document, maintenanceWindows: [{ startTime: "cron(0 2 * * ? 1999)", durationInMinutes: 5 }] },
        /maintenanceWindows\[0\]\.startTime: the maintenance window never opens/,
      ],
      [{ document, maintenanceWindows: [{ startTime: "cron(0 2 * * ? *)", durationInMinutes: 1431 }] }, /1430/],
      [{ document, tags: [{ Key: "aws:a", Value: "b" }] }, /'aws:a' begins with aws:/],
    ];
    for (const [input, why] of refused) {
      await assert.rejects(
        run(templates.createJobTemplate, { jobTemplateId: "t", description, ...input }),
        fails("REQUEST_INVALID", why),
      );
    }
    assert.deepEqual((await run(templates.listJobTemplates, {})).jobTemplates, []);
  });

  test("a template of a job takes what the job has, and what is given goes before it", async () => {
    const { run, templates } = await openWorld({ document, ...settings });
    const jobArn = "arn:aws:iot:us-east-1:123456789012:job/update";
    await run(templates.createJobTemplate, { jobTemplateId: "same", description, jobArn });
    const same = await run(templates.describeJobTemplate, { jobTemplateId: "same" });
    assert.deepEqual(
      [same.document, same.description, same.abortConfig],
      [document, description, settings.abortConfig],
    );
    const documentSource = "https://s3.amazonaws.com/b/k";
    const timeoutConfig = { inProgressTimeoutInMinutes: 5 };
    await run(templates.createJobTemplate, {
      jobTemplateId: "other",
      description,
      jobArn,
      documentSource,
      timeoutConfig,
    });
    const other = await run(templates.describeJobTemplate, { jobTemplateId: "other" });
    assert.deepEqual(
      [other.document, other.documentSource, other.timeoutConfig, other.jobExecutionsRolloutConfig],
      [undefined, documentSource, timeoutConfig, settings.jobExecutionsRolloutConfig],
    );
  });

  test("a job gets the content of the template that its ARN names", async () => {
    const { run, templates, findJobTemplate } = await openWorld();
    await run(templates.createJobTemplate, { jobTemplateId: "update", description, document, ...settings });
    assert.deepEqual(await run(findJobTemplate, { jobTemplateArn: arn("update") }), {
      description,
      document,
      ...settings,
    });
    await assert.rejects(run(findJobTemplate, { jobTemplateArn: arn("none") }), fails("RESOURCE_NOT_FOUND"));
    const others = [
      arn("update:1.0"),
      arn("up/date"),
      arn("update").replace("us-east-1", "eu-west-1"),
      arn("update").replace("123456789012", "210987654321"),
      arn("update").replace("jobtemplate", "job"),
    ];
    for (const jobTemplateArn of others) {
      await assert.rejects(
        run(findJobTemplate, { jobTemplateArn }),
        fails("REQUEST_INVALID", /Invalid job template ARN/),
      );
    }
    await assert.rejects(
      run(findJobTemplate, { jobTemplateArn: arn("update"), documentParameters: { a: "b" } }),
      fails("REQUEST_INVALID", /only be used with managed/),
    );
  });
});

describe("AWS's managed templates", () => {
  const names = [
    "AWS-Download-File",
    "AWS-Install-Application",
    "AWS-Reboot",
    "AWS-Remove-Application",
    "AWS-Restart-Application",
    "AWS-Run-Command",
    "AWS-Start-Application",
    "AWS-Stop-Application",
  ];

  test("are listed by pages, and by name", async () => {
    const { run, templates } = await openWorld();
    const seen: (string | undefined)[] = [];
    let nextToken: string | undefined;
    do {
      const page = await run(templates.listManagedJobTemplates, { maxResults: 3, nextToken });
      assert.ok((page.managedJobTemplates ?? []).length <= 3);
      seen.push(...(page.managedJobTemplates ?? []).map(({ templateName }) => templateName));
      nextToken = page.nextToken;
    } while (nextToken !== undefined);
    assert.deepEqual(seen, names);
    const { managedJobTemplates } = await run(templates.listManagedJobTemplates, { templateName: "AWS-Reboot" });
    assert.deepEqual(managedJobTemplates, [
      {
        templateArn: managedArn("AWS-Reboot:1.0"),
        templateName: "AWS-Reboot",
        description: "Reboots the device.",
        environments: ["LINUX"],
        templateVersion: "1.0",
      },
    ]);
    await assert.rejects(
      run(templates.listManagedJobTemplates, { templateName: "AWS-Nothing" }),
      fails("RESOURCE_NOT_FOUND"),
    );
    await assert.rejects(
      run(templates.listManagedJobTemplates, { nextToken: "x" }),
      fails("REQUEST_INVALID", /nextToken/),
    );
  });

  test("have the document that handlers on devices read, with a placeholder for each parameter", async () => {
    const { run, templates } = await openWorld();
    const templateName = "AWS-Download-File";
    const file = await run(templates.describeManagedJobTemplate, { templateName, templateVersion: "1.0" });
    assert.equal(file.templateArn, managedArn("AWS-Download-File:1.0"));
    assert.deepEqual(
      file.documentParameters?.map(({ key, optional }) => [key, optional]),
      [
        ["downloadUrl", false],
        ["filePath", false],
        ["runAsUser", true],
        ["pathToHandler", true],
      ],
    );
    assert.deepEqual(JSON.parse(file.document ?? ""), {
      version: "1.0",
      steps: [
        {
          action: {
            name: "Download-File",
            type: "runHandler",
            input: {
              handler: "download-file.sh",
              args: ["${aws:iot:parameter:downloadUrl}", "${aws:iot:parameter:filePath}"],
              path: "${aws:iot:parameter:pathToHandler}",
            },
            runAsUser: "${aws:iot:parameter:runAsUser}",
          },
        },
      ],
    });
    for (const name of names) {
      const { document: text = "", documentParameters = [] } = await run(templates.describeManagedJobTemplate, {
        templateName: name,
      });
      const used = [...text.matchAll(/\$\{aws:iot:parameter:(\w+)\}/g)].map(([, key]) => key).sort();
      assert.deepEqual(used, documentParameters.map(({ key }) => key).sort(), name);
      for (const { regex = "", example = "" } of documentParameters)
        assert.match(example, new RegExp(`^(?:${regex})$`));
    }
    await assert.rejects(
      run(templates.describeManagedJobTemplate, { templateName, templateVersion: "2.0" }),
      fails("RESOURCE_NOT_FOUND", /AWS-Download-File:2\.0 not found/),
    );
  });

  test("become a document with the parameters of the job", async () => {
    const { run, findJobTemplate } = await openWorld();
    const run2 = (jobTemplateArn: string, documentParameters?: Record<string, string>) =>
      run(findJobTemplate, { jobTemplateArn, ...(documentParameters && { documentParameters }) });
    const made = await run2(managedArn("AWS-Run-Command:1.0"), { command: 'echo,"hello"' });
    assert.deepEqual(JSON.parse(made.document ?? ""), {
      version: "1.0",
      steps: [
        { action: { name: "Run-Command", type: "runCommand", input: { command: 'echo,"hello"' }, runAsUser: "" } },
      ],
    });
    assert.ok((await run2(managedArn("AWS-Reboot"))).document?.includes('"path":""'));
    const refused: [name: string, parameters: Record<string, string> | undefined, why: RegExp][] = [
      ["AWS-Run-Command:1.0", undefined, /needs the document parameter 'command'/],
      ["AWS-Run-Command:1.0", { command: "ls", packages: "x" }, /no document parameter 'packages'/],
      ["AWS-Reboot:1.0", { runAsUser: "x".repeat(257) }, /'runAsUser' of AWS-Reboot must match/],
      ["AWS-Reboot:1.0", { toString: "x" }, /no document parameter 'toString'/],
    ];
    for (const [name, parameters, why] of refused) {
      await assert.rejects(run2(managedArn(name), parameters), fails("REQUEST_INVALID", why));
    }
    for (const name of ["AWS-Reboot:9.9", "Own"]) {
      await assert.rejects(run2(managedArn(name)), fails("RESOURCE_NOT_FOUND"));
    }
  });
});
