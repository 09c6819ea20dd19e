// AWS's named policies for TLS: which versions a domain speaks, and with which ciphers.
// @see AWS IoT developer guide, "Transport security", "Configuring TLS settings in domain configurations"

export interface SecurityPolicy {
  readonly minVersion: "TLSv1.2" | "TLSv1.3";
  readonly maxVersion: "TLSv1.2" | "TLSv1.3";
  /** OpenSSL's names, those of TLS 1.3 too. */
  readonly ciphers: readonly string[];
}

const suites13 = ["TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"] as const;

const suites12 = [
  "ECDHE-ECDSA-AES128-GCM-SHA256",
  "ECDHE-RSA-AES128-GCM-SHA256",
  "ECDHE-ECDSA-AES128-SHA256",
  "ECDHE-RSA-AES128-SHA256",
  "ECDHE-ECDSA-AES128-SHA",
  "ECDHE-RSA-AES128-SHA",
  "ECDHE-ECDSA-AES256-GCM-SHA384",
  "ECDHE-RSA-AES256-GCM-SHA384",
  "ECDHE-ECDSA-AES256-SHA384",
  "ECDHE-RSA-AES256-SHA384",
  "ECDHE-ECDSA-AES256-SHA",
  "ECDHE-RSA-AES256-SHA",
  "AES128-GCM-SHA256",
  "AES128-SHA256",
  "AES128-SHA",
  "AES256-GCM-SHA384",
  "AES256-SHA256",
  "AES256-SHA",
] as const;

const only12 = { minVersion: "TLSv1.2", maxVersion: "TLSv1.2" } as const;

/** The older two also speak TLS 1.0 and 1.1 somewhere in AWS; the documents of today list them for 1.2. */
export const securityPolicies = {
  IoTSecurityPolicy_TLS13_1_3_2022_10: { minVersion: "TLSv1.3", maxVersion: "TLSv1.3", ciphers: suites13 },
  IoTSecurityPolicy_TLS13_1_2_2022_10: {
    ...{ minVersion: "TLSv1.2", maxVersion: "TLSv1.3" },
    ciphers: [...suites13, ...suites12],
  },
  IoTSecurityPolicy_TLS12_1_2_2022_10: { ...only12, ciphers: suites12 },
  IoTSecurityPolicy_TLS12_1_0_2016_01: { ...only12, ciphers: suites12 },
  IoTSecurityPolicy_TLS12_1_0_2015_01: { ...only12, ciphers: [...suites12, "DHE-RSA-AES256-SHA"] },
} as const satisfies Readonly<Record<string, SecurityPolicy>>;

export type SecurityPolicyName = keyof typeof securityPolicies;

/** Of configurations that name none. */
export const defaultSecurityPolicy = "IoTSecurityPolicy_TLS13_1_2_2022_10" satisfies SecurityPolicyName;

export const isSecurityPolicy = (name: string): name is SecurityPolicyName => Object.hasOwn(securityPolicies, name);
