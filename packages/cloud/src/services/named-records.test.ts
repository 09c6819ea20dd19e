// A record that names another one of another service, and the deletion of that other one, in one moment.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Store } from "../store/store.js";
import { createAuthorizers } from "./authorizers/service.js";
import { claimAuthorizer } from "./authorizers/index.js";
import {
  jitpTemplate,
  openAuthoritiesWorld,
  roleArn,
} from "./certificate-authorities/authorities-world.test.support.js";
import { findCaOfTemplate } from "./certificate-authorities/index.js";
import { createAuthorities } from "./certificate-authorities/service.js";
import { findDomainOfAuthorizer } from "./domain-configurations/index.js";
import { createDomainConfigurations } from "./domain-configurations/service.js";
import { claimProvisioningTemplate } from "./fleet-provisioning/index.js";
import { createTemplateOperations } from "./fleet-provisioning/templates.js";
import { openServiceWorld } from "./world.test.support.js";

/** Runs `late` up to its commit, then the whole of `early`, then the rest of `late`. @returns whether both were done */
async function bothDone(store: Store, late: () => Promise<unknown>, early: () => Promise<unknown>): Promise<boolean> {
  const commit = store.commit.bind(store);
  let isEarlyDone = false;
  store.commit = async (operations) => {
    store.commit = commit;
    isEarlyDone = await early().then(
      () => true,
      () => false,
    );
    return commit(operations);
  };
  const isLateDone = await late().then(
    () => true,
    () => false,
  );
  return isLateDone && isEarlyDone;
}

const functions = { has: () => false, invoke: () => Promise.reject(new Error("nobody asks")) };

test("an authorizer that somebody names is not deleted or set INACTIVE in that moment, whoever is first", async () => {
  for (const isNamedFirst of [true, false]) {
    const { run, store } = await openServiceWorld();
    const authorizers = createAuthorizers({ functions, findDomainOfAuthorizer });
    const domains = createDomainConfigurations({ claimAuthorizer, endpointHost: () => "localhost" });
    const atOnce = async (names: () => Promise<unknown>, ends: () => Promise<unknown>) =>
      assert.equal(await (isNamedFirst ? bothDone(store, ends, names) : bothDone(store, names, ends)), false);
    const create = (authorizerName: string, status: "ACTIVE" | "INACTIVE") =>
      run(authorizers.createAuthorizer, { authorizerName, authorizerFunctionArn: "f", signingDisabled: true, status });
    const named = (defaultAuthorizerName: string) => ({ authorizerConfig: { defaultAuthorizerName } });

    await create("of-new", "INACTIVE");
    await atOnce(
      () => run(domains.createDomainConfiguration, { domainConfigurationName: "d", ...named("of-new") }),
      () => run(authorizers.deleteAuthorizer, { authorizerName: "of-new" }),
    );
    await create("of-changed", "INACTIVE");
    await atOnce(
      () => run(domains.updateDomainConfiguration, { domainConfigurationName: "iot:Data-ATS", ...named("of-changed") }),
      () => run(authorizers.deleteAuthorizer, { authorizerName: "of-changed" }),
    );
    await create("default", "ACTIVE");
    await atOnce(
      () => run(authorizers.setDefaultAuthorizer, { authorizerName: "default" }),
      () => run(authorizers.updateAuthorizer, { authorizerName: "default", status: "INACTIVE" }),
    );
  }
});

test("a template that a CA names is not deleted in that moment, whoever is first", async () => {
  const world = await openAuthoritiesWorld();
  const { run, store } = world;
  const templates = createTemplateOperations({ isLimited: true, findCaOfTemplate });
  const { updateCACertificate } = createAuthorities({ claimTemplate: claimProvisioningTemplate });
  const certificateId = await world.register(await world.makeCa());
  for (const isNamedFirst of [true, false]) {
    const templateName = `t-${isNamedFirst}`;
    const template = { templateName, type: "JITP", templateBody: jitpTemplate, provisioningRoleArn: roleArn } as const;
    await run(templates.createProvisioningTemplate, template);
    const names = () => run(updateCACertificate, { certificateId, registrationConfig: { templateName } });
    const ends = () => run(templates.deleteProvisioningTemplate, { templateName });
    assert.equal(await (isNamedFirst ? bothDone(store, ends, names) : bothDone(store, names, ends)), false);
  }
});
