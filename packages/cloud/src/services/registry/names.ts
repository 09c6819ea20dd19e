import { oneOf, string } from "../shape.js";

/** The constraints of AWS IoT on names and ids. */
export const thingName = string({ pattern: /[a-zA-Z0-9:_-]+/, min: 1, max: 128 });
export const thingTypeName = string({ pattern: /[a-zA-Z0-9:_-]+/, min: 1, max: 128 });
export const billingGroupName = string({ pattern: /[a-zA-Z0-9:_-]+/, min: 1, max: 128 });
export const attributeName = string({ pattern: /[a-zA-Z0-9_.,@/:#-]+/, max: 128 });
export const attributeValue = string({ pattern: /[a-zA-Z0-9_.,@/:#=[\]-]*/, max: 800 });
export const policyName = string({ pattern: /[\w+=,.@-]+/, min: 1, max: 128 });
export const policyVersionId = string({ pattern: /[0-9]+/, max: 15 });
export const policyDocument = string({ max: 404_600 });
export const policyTarget = string({ min: 1, max: 2_048 });
export const certificateId = string({ pattern: /(0x)?[a-fA-F0-9]+/, min: 64, max: 64 });
export const certificatePem = string({ pattern: /[\s\S]*/, min: 1, max: 65_536 });
export const principal = string({ min: 1, max: 2_048 });
export const certificateStatus = oneOf([
  "ACTIVE",
  "INACTIVE",
  "REVOKED",
  "PENDING_TRANSFER",
  "REGISTER_INACTIVE",
  "PENDING_ACTIVATION",
]);
export const thingPrincipalType = oneOf(["EXCLUSIVE_THING", "NON_EXCLUSIVE_THING"]);
