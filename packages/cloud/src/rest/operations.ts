import { matchPath, parsePathTemplate, type Labels, type PathTemplate } from "@thingline/protocol/restjson";
import type { RestApiName, RestOperation } from "../services/rest-operation.js";

/** Names in the credential scope of a signature, by API. The first is what today's clients use. */
export const signingNames: Readonly<Record<RestApiName, readonly string[]>> = {
  iot: ["iot", "execute-api"],
  "iot-data": ["iotdata", "iotdevicegateway"],
  "iot-jobs-data": ["iot-jobs-data"],
};

export interface Route {
  operation: RestOperation;
  labels: Labels;
}

export interface OperationTable {
  /**
   * The operation for a request. Where paths of two APIs overlap, the one that was signed for; for an unsigned request
   * the control plane first.
   */
  find(method: string, rawPath: string, signingName: string | undefined): Route | undefined;
  /** Methods that exist at a path, for the answer to a wrong one. */
  methodsAt(rawPath: string): string[];
  readonly names: readonly string[];
}

/** Literal segments come before labels: `/thing-groups/addThingToThingGroup` is not a group of that name. */
export function createOperationTable(operations: readonly RestOperation[]): OperationTable {
  const rows = operations
    .map((operation) => ({ operation, template: parsePathTemplate(operation.path) }))
    .sort((left, right) => labelCount(left.template) - labelCount(right.template));

  const routesAt = (rawPath: string): Route[] =>
    rows.flatMap(({ operation, template }) => {
      const labels = matchPath(template, rawPath);
      return labels === undefined ? [] : [{ operation, labels }];
    });

  return {
    names: operations.map(({ name }) => name),
    find(method, rawPath, signingName) {
      const routes = routesAt(rawPath).filter(({ operation }) => operation.method === method);
      const isSignedFor = ({ operation }: Route) =>
        signingName !== undefined && signingNames[operation.api].includes(signingName);
      return routes.find(isSignedFor) ?? routes.find(({ operation }) => operation.api === "iot") ?? routes[0];
    },
    methodsAt: (rawPath) => [...new Set(routesAt(rawPath).map(({ operation }) => operation.method))],
  };
}

const labelCount = ({ segments }: PathTemplate) => segments.filter((segment) => "label" in segment).length;
