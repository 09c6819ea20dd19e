import type { Registry } from "../registry/index.js";
import type { CloudService } from "../service.js";
import { servedSampleOperations } from "./rest.test.support.js";
import { createSamples, sampleServiceName, type Samples } from "./service.test.support.js";
import { createSampleTopics } from "./topics.test.support.js";

/** @param onClose so that a test sees that it was closed */
export function createSampleService(registry: Registry, onClose: () => void): CloudService<Samples> {
  const operations = createSamples(registry);
  return {
    name: sampleServiceName,
    operations,
    rest: servedSampleOperations(operations),
    topics: createSampleTopics(operations),
    wake: (scope, name, runner) => runner.run(scope, operations.forgetSample, { name }),
    onLifecycle: ({ scope, clientId, eventType }, runner) =>
      runner.run(scope, operations.noteClient, { clientId, word: eventType }),
    close: onClose,
  };
}
