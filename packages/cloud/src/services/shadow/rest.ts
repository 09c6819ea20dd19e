import type { RestOperation } from "../rest-operation.js";
import type { Shadows } from "./service.js";

/** The HTTP face of the Device Shadow service: part of the data plane. */
export function shadowRestOperations(shadows: Shadows): readonly RestOperation[] {
  const api = "iot-data";
  const path = "/things/{thingName}/shadow";
  const query = { shadowName: { name: "name" } };
  const thing = "RESOURCE_NOT_FOUND";
  const missing = ["SHADOW_NOT_FOUND", thing] as const;
  return [
    { name: "GetThingShadow", api, method: "GET", path, query, errors: missing, run: shadows.getThingShadow },
    {
      name: "UpdateThingShadow",
      api,
      method: "POST",
      path,
      query,
      payload: "payload",
      errors: [
        "SHADOW_DOCUMENT_INVALID",
        "SHADOW_ENCODING_UNSUPPORTED",
        "SHADOW_TOO_LARGE",
        "SHADOW_VERSION_CONFLICT",
        thing,
      ],
      run: shadows.updateThingShadow,
    },
    { name: "DeleteThingShadow", api, method: "DELETE", path, query, errors: missing, run: shadows.deleteThingShadow },
    {
      name: "ListNamedShadowsForThing",
      api,
      method: "GET",
      path: "/api/things/shadow/ListNamedShadowsForThing/{thingName}",
      query: { nextToken: { name: "nextToken" }, pageSize: { name: "pageSize", type: "integer" } },
      errors: [thing],
      run: shadows.listNamedShadowsForThing,
    },
  ];
}
