// As much of CloudFormation as two templates need: what its intrinsic functions give, and what its resource types take. The table is made of
// facts of the published resource schemas (us-east-1, as cfn-lint 1.51 has them): names, types, bounds.

type Json = string | number | boolean | null | Json[] | { [name: string]: Json };
type JsonObject = { [name: string]: Json };

export interface Template {
  Parameters: Record<string, JsonObject>;
  Conditions: Record<string, Json>;
  Resources: Record<string, { Type: string; Condition?: string; DependsOn?: string; Properties: JsonObject }>;
  Outputs: Record<string, { Value: Json }>;
}

export interface Resolved {
  /** Resources whose condition holds, with what intrinsic functions give in their place. */
  resources: Record<string, { Type: string; Properties: JsonObject }>;
  outputs: Record<string, Json>;
}

export const account = "123456789012";
export const region = "us-east-1";
const pseudo: Readonly<Record<string, string>> = {
  "AWS::AccountId": account,
  "AWS::Region": region,
  "AWS::Partition": "aws",
};

/** What `Ref` and `Fn::GetAtt` of a resource give: names and ARNs of the right form. */
const references: Readonly<Record<string, { ref: string; arn: string }>> = {
  "AWS::IoT::Policy": { ref: "", arn: `arn:aws:iot:${region}:${account}:policy/NAME` },
  "AWS::IoT::TopicRule": { ref: "NAME", arn: `arn:aws:iot:${region}:${account}:rule/NAME` },
  "AWS::IoT::ProvisioningTemplate": { ref: "", arn: `arn:aws:iot:${region}:${account}:provisioningtemplate/NAME` },
  "AWS::Lambda::Function": { ref: "NAME", arn: `arn:aws:lambda:${region}:${account}:function:NAME` },
  "AWS::Lambda::Permission": { ref: "NAME", arn: "" },
  "AWS::Lambda::EventInvokeConfig": { ref: "NAME", arn: "" },
  "AWS::IAM::Role": { ref: "NAME", arn: `arn:aws:iam::${account}:role/NAME` },
  "AWS::Logs::LogGroup": { ref: "NAME", arn: `arn:aws:logs:${region}:${account}:log-group:NAME:*` },
  "AWS::SQS::Queue": { ref: "https://NAME", arn: `arn:aws:sqs:${region}:${account}:NAME` },
};

const textOf = (value: Json | undefined): string => (typeof value === "string" ? value : JSON.stringify(value));

/** Fills in a template as a stack of these parameters would be. @throws Error for whatever names nothing. */
export function resolveStack(
  template: Template,
  parameters: Record<string, string> = {},
  stackName = "thingline",
): Resolved {
  const used = new Set<string>();
  const parameter = (name: string): Json => {
    used.add(name);
    const {
      Default: fallback,
      Type: type,
      AllowedValues: allowed,
      AllowedPattern: pattern,
    } = template.Parameters[name]!;
    const value = parameters[name] ?? fallback;
    if (value === undefined) throw new Error(`the parameter ${name} has no value`);
    if (Array.isArray(allowed) && !allowed.map(textOf).includes(textOf(value)))
      throw new Error(`${name}: ${textOf(value)}`);
    if (typeof pattern === "string" && !new RegExp(pattern).test(textOf(value)))
      throw new Error(`${name}: ${textOf(value)}`);
    return type === "Number" ? Number(value) : value;
  };
  const isTrue = (name: string): boolean => {
    const condition = template.Conditions[name];
    if (condition === undefined) throw new Error(`there is no condition ${name}`);
    return resolve(condition) === true;
  };
  const isMade = (name: string) => {
    const resource = template.Resources[name];
    if (resource === undefined) throw new Error(`there is no resource ${name}`);
    const { Condition: condition } = resource;
    return condition === undefined || isTrue(condition);
  };
  const reference = (name: string): Json => {
    if (name in template.Parameters) return parameter(name);
    if (name === "AWS::StackName") return stackName;
    if (name in pseudo) return pseudo[name]!;
    if (!(name in template.Resources) || !isMade(name)) throw new Error(`${name} is neither parameter nor resource`);
    const { Type: type, Properties: properties } = template.Resources[name]!;
    const own = properties["PolicyName"] ?? properties["TemplateName"];
    return own === undefined ? references[type]!.ref.replace("NAME", `${stackName}-${name}`) : resolve(own)!;
  };
  const resolve = (value: Json): Json | undefined => {
    if (Array.isArray(value)) return value.flatMap((each) => resolve(each) ?? []);
    if (typeof value !== "object" || value === null) return value;
    const [[name, argument] = ["", null], ...more] = Object.entries(value);
    if (more.length > 0 || !/^(?:Ref|Fn::.*)$/.test(name)) {
      const entries = Object.entries(value).map(([key, each]) => [key, resolve(each)] as const);
      return Object.fromEntries(entries.filter((entry): entry is [string, Json] => entry[1] !== undefined));
    }
    const list = Array.isArray(argument) ? argument : [];
    switch (name) {
      case "Ref":
        return argument === "AWS::NoValue" ? undefined : reference(textOf(argument));
      case "Fn::GetAtt": {
        const [of, attribute] = list.map(textOf) as [string, string];
        if (attribute !== "Arn" || !isMade(of)) throw new Error(`${of}.${attribute}`);
        return references[template.Resources[of]!.Type]!.arn.replace("NAME", `${stackName}-${of}`);
      }
      case "Fn::Sub":
        return textOf(argument).replace(/\$\{(!?)([^}]*)\}/g, (_all, isLiteral: string, word: string) =>
          isLiteral ? `\${${word}}` : textOf(reference(word)),
        );
      case "Fn::If":
        return resolve(list[isTrue(textOf(list[0])) ? 1 : 2]!);
      case "Fn::Equals":
        return textOf(resolve(list[0]!)) === textOf(resolve(list[1]!));
      case "Fn::Not":
        return resolve(list[0]!) !== true;
      default:
        throw new Error(`${name} is not known here`);
    }
  };
  const resources: Resolved["resources"] = {};
  for (const [name, { Type, Properties, DependsOn }] of Object.entries(template.Resources)) {
    if (DependsOn !== undefined && !(DependsOn in template.Resources))
      throw new Error(`${name} depends on ${DependsOn}`);
    if (isMade(name)) resources[name] = { Type, Properties: resolve(Properties) as JsonObject };
  }
  const outputs = Object.fromEntries(
    Object.entries(template.Outputs).map(([name, { Value }]) => [name, resolve(Value)!]),
  );
  const unused = Object.keys(template.Parameters).filter((name) => !used.has(name));
  if (unused.length > 0) throw new Error(`nothing uses the parameters ${unused.join(", ")}`);
  return { resources, outputs };
}

// ---- what resource types take

type Check = (value: Json, at: string) => string[];
const wrong = (at: string, what: string) => [`${at}: ${what}`];

const text =
  (pattern: RegExp, charactersMax: number): Check =>
  (value, at) =>
    typeof value === "string" && pattern.test(value) && value.length <= charactersMax
      ? []
      : wrong(at, `${JSON.stringify(value)?.slice(0, 80)} is no text of ${pattern} and at most ${charactersMax}`);
const integer =
  (min: number, max: number): Check =>
  (value, at) =>
    Number.isInteger(value) && (value as number) >= min && (value as number) <= max
      ? []
      : wrong(at, `${JSON.stringify(value)} is no whole number from ${min} to ${max}`);
const oneOf =
  (...values: Json[]): Check =>
  (value, at) =>
    values.includes(value) ? [] : wrong(at, `${JSON.stringify(value)} is none of ${JSON.stringify(values)}`);
const flag = oneOf(true, false);
const list =
  (each: Check, itemsMax: number): Check =>
  (value, at) =>
    Array.isArray(value) && value.length <= itemsMax
      ? value.flatMap((item, index) => each(item, `${at}[${index}]`))
      : wrong(at, `no list of at most ${itemsMax}`);
const object =
  (members: Readonly<Record<string, Check>>, ...required: string[]): Check =>
  (value, at) => {
    if (typeof value !== "object" || value === null || Array.isArray(value)) return wrong(at, "no object");
    const missing = required.filter((name) => !(name in value)).flatMap((name) => wrong(at, `lacks ${name}`));
    const faults = Object.entries(value).flatMap(([name, member]) =>
      name in members ? members[name]!(member, `${at}.${name}`) : wrong(at, `has no member ${name}`),
    );
    return [...missing, ...faults];
  };
const words =
  (each: Check): Check =>
  (value, at) =>
    typeof value === "object" && value !== null && !Array.isArray(value)
      ? Object.entries(value).flatMap(([name, member]) =>
          /^[a-zA-Z][a-zA-Z0-9_]+$/.test(name) ? each(member, `${at}.${name}`) : wrong(at, `the name ${name}`),
        )
      : wrong(at, "no object");

const any = text(/^[^]*$/, Infinity);
const arn = text(/^arn:aws[a-z-]*:[a-z0-9-]+:[a-z0-9-]*:\d{0,12}:.+$/, 2048);
const functionName = text(/^(?:arn:aws:lambda:[a-z0-9-]+:\d{12}:function:)?[a-zA-Z0-9-_]+$/, 140);
const scalar: Check = (value, at) =>
  ["string", "number"].includes(typeof value) ? [] : wrong(at, "no text or number");

/** Of IAM: what a statement of a role's policy has. */
const statement: Check = object(
  {
    Sid: text(/^[A-Za-z0-9]+$/, 100),
    Effect: oneOf("Allow", "Deny"),
    Principal: object({ Service: text(/^[a-z]+\.amazonaws\.com$/, 100) }),
    Action: (value, at) => [value].flat().flatMap((action) => text(/^[a-z0-9]+:[A-Za-z*]+$/, 100)(action, at)),
    Resource: (value, at) => [value].flat().flatMap((resource) => (resource === "*" ? [] : arn(resource, at))),
    Condition: words(words(scalar)),
  },
  "Effect",
  "Action",
);
const condition: Check = (value, at) => (typeof value === "object" && value !== null ? [] : wrong(at, "no condition"));
const iamDocument = object(
  {
    Version: oneOf("2012-10-17"),
    Statement: list((value, at) => {
      const { Condition, ...rest } = value as JsonObject;
      return [...statement(rest, at), ...(Condition === undefined ? [] : condition(Condition, at))];
    }, 50),
  },
  "Version",
  "Statement",
);
const action = object({
  Lambda: object({ FunctionArn: arn }, "FunctionArn"),
  Republish: object({ Topic: any, RoleArn: arn, Qos: integer(0, 1) }, "Topic", "RoleArn"),
});

const resourceTypes: Readonly<Record<string, Check>> = {
  "AWS::IoT::Policy": object(
    {
      PolicyName: text(/^[\w+=,.@-]+$/, 128),
      PolicyDocument: object({ Version: any, Statement: list(condition, 50) }),
    },
    "PolicyDocument",
  ),
  "AWS::IoT::TopicRule": object(
    {
      RuleName: text(/^[a-zA-Z0-9_]+$/, 128),
      TopicRulePayload: object(
        {
          Description: any,
          AwsIotSqlVersion: oneOf("2016-03-23"),
          Sql: any,
          RuleDisabled: flag,
          Actions: list(action, 10),
          ErrorAction: action,
        },
        "Actions",
        "Sql",
      ),
    },
    "TopicRulePayload",
  ),
  "AWS::IoT::ProvisioningTemplate": object(
    {
      TemplateName: text(/^[0-9A-Za-z_-]+$/, 36),
      TemplateType: oneOf("FLEET_PROVISIONING", "JITP"),
      TemplateBody: any,
      Description: text(/^[^\p{C}]*$/u, 500),
      Enabled: flag,
      ProvisioningRoleArn: arn,
      PreProvisioningHook: object({ PayloadVersion: text(/^[0-9-]{10,}$/, 32), TargetArn: arn }, "TargetArn"),
    },
    "ProvisioningRoleArn",
    "TemplateBody",
  ),
  "AWS::Lambda::Function": object(
    {
      Description: text(/^[^]*$/, 256),
      Runtime: oneOf("nodejs22.x", "nodejs24.x"),
      Architectures: list(oneOf("x86_64", "arm64"), 1),
      Handler: text(/^[^\s]+$/, 128),
      Code: object({ ZipFile: text(/^[^]+$/, 4_000_000) }, "ZipFile"),
      MemorySize: integer(128, 32_768),
      Timeout: integer(1, 900),
      ReservedConcurrentExecutions: integer(0, Infinity),
      Role: arn,
      LoggingConfig: object({ LogGroup: text(/^[.\-_/#A-Za-z0-9]+$/, 512) }),
      Environment: object({ Variables: words(scalar) }),
    },
    "Code",
    "Role",
  ),
  "AWS::Lambda::Permission": object(
    {
      FunctionName: functionName,
      Action: text(/^lambda:[a-zA-Z]+$/, 256),
      Principal: any,
      SourceAccount: text(/^\d{12}$/, 12),
      SourceArn: arn,
    },
    "FunctionName",
    "Action",
    "Principal",
  ),
  "AWS::Lambda::EventInvokeConfig": object(
    {
      FunctionName: functionName,
      Qualifier: oneOf("$LATEST"),
      MaximumEventAgeInSeconds: integer(60, 21_600),
      MaximumRetryAttempts: integer(0, 2),
      DestinationConfig: object({ OnFailure: object({ Destination: arn }, "Destination") }),
    },
    "FunctionName",
    "Qualifier",
  ),
  "AWS::IAM::Role": object(
    {
      Description: text(/^[\x20-\x7E]*$/, 1000),
      AssumeRolePolicyDocument: iamDocument,
      Policies: list(object({ PolicyName: any, PolicyDocument: iamDocument }, "PolicyName", "PolicyDocument"), 20),
    },
    "AssumeRolePolicyDocument",
  ),
  "AWS::Logs::LogGroup": object({
    RetentionInDays: oneOf(1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 3653),
  }),
  "AWS::SQS::Queue": object({ MessageRetentionPeriod: integer(60, 1_209_600), SqsManagedSseEnabled: flag }),
};

/** @returns a line for each fault */
export function stackFaults({ resources }: Resolved): string[] {
  return Object.entries(resources).flatMap(([name, { Type: type, Properties: properties }]) =>
    type in resourceTypes ? resourceTypes[type]!(properties, name) : wrong(name, `no resource type ${type}`),
  );
}
