import { ThinglineError } from "@thingline/protocol";

export const defaultAccount = "123456789012";
export const defaultRegion = "us-east-1";
const regionCharactersMax = 32;

/**
 * Both stand in every key of the store and in every ARN, so they have AWS's form.
 *
 * @throws {ThinglineError} OPTION_INVALID
 */
export function checkAccountAndRegion({ account, region }: { account?: string; region?: string }): void {
  if (account !== undefined && !/^\d{12}$/.test(account)) throw invalid("account", "twelve digits", account);
  if (region === undefined) return;
  const isRegion = region.length <= regionCharactersMax && /^[a-z]{2}(?:-[a-z]+)+-\d{1,2}$/.test(region);
  if (!isRegion) throw invalid("region", "a name like us-east-1", region);
}

const invalid = (option: string, expected: string, got: string) =>
  new ThinglineError("OPTION_INVALID", `${option} must be ${expected}, got ${JSON.stringify(got)}`, {
    details: { option },
  });
