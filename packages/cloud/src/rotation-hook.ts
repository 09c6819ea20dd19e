import type { CloudFunction } from "./functions/index.js";

/** The name of the hook that every local cloud has, for templates of certificate rotation. */
export const rotationHookName = "thingline-rotation";

/** The parameter by which a template of certificate rotation names its thing. */
export const rotationThingParameter = "ThingName";

/**
 * A template takes the name of the thing from whoever asks. For a rotation that would let one thing's device have a certificate of another
 * thing. So whoever asks is named by what it is connected as, and only if the certificate that it is connected with is that thing's.
 *
 * @param isOfThing whether a certificate is attached to a thing
 * @see docs/rotation.md, which has the same as a Lambda function
 */
export function rotationHook(
  isOfThing: (input: { certificateId: string; thingName: string }) => Promise<boolean>,
): CloudFunction {
  return async ({ clientId: thingName, claimCertificateId: certificateId }) => {
    if (typeof thingName !== "string" || typeof certificateId !== "string") return { allowProvisioning: false };
    const isAllowed = await isOfThing({ certificateId, thingName });
    return isAllowed
      ? { allowProvisioning: true, parameterOverrides: { [rotationThingParameter]: thingName } }
      : { allowProvisioning: false };
  };
}
