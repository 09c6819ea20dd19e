import type { ServiceTopics } from "../operation.js";
import type { Samples } from "./service.test.support.js";

/** `samples/<name>/get` with a byte to begin at. */
export function createSampleTopics({ sendPart }: Samples): ServiceTopics {
  return {
    filters: ["samples/+/get"],
    handle({ scope, topic, clientId, payload }, runner, done) {
      const name = topic.split("/")[1] ?? "";
      const start = Number(new TextDecoder().decode(payload));
      runner.submit(scope, sendPart, { name, clientId, start }, (error) => done(error));
    },
  };
}
