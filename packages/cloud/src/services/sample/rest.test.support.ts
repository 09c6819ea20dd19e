import type { RestOperation } from "../rest-operation.js";
import type { Samples } from "./service.test.support.js";

export function sampleRestOperations({ createSample, findSample }: Samples): readonly RestOperation[] {
  const path = "/samples/{sampleName}";
  return [
    {
      name: "CreateSample",
      api: "iot",
      method: "PUT",
      path,
      payload: "content",
      errors: ["RESOURCE_EXISTS"],
      run: createSample,
    },
    { name: "FindSample", api: "iot", method: "GET", path, errors: ["RESOURCE_NOT_FOUND"], run: findSample },
  ];
}
