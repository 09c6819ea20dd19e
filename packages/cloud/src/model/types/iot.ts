// Written by `npm run model` from the table of iot: what the operations that are built take and give. Times are Unix seconds.

export interface AbortConfig {
  criteriaList: readonly AbortCriteria[];
}

export interface AbortCriteria {
  failureType: "FAILED" | "REJECTED" | "TIMED_OUT" | "ALL";
  action: "CANCEL";
  thresholdPercentage: number;
  minNumberOfExecutedThings: number;
}

export interface AcceptCertificateTransferRequest {
  certificateId: string;
  setAsActive?: boolean | undefined;
}

export interface Action {
  dynamoDB?: DynamoDBAction | undefined;
  dynamoDBv2?: DynamoDBv2Action | undefined;
  lambda?: LambdaAction | undefined;
  sns?: SnsAction | undefined;
  sqs?: SqsAction | undefined;
  kinesis?: KinesisAction | undefined;
  republish?: RepublishAction | undefined;
  s3?: S3Action | undefined;
  firehose?: FirehoseAction | undefined;
  cloudwatchMetric?: CloudwatchMetricAction | undefined;
  cloudwatchAlarm?: CloudwatchAlarmAction | undefined;
  cloudwatchLogs?: CloudwatchLogsAction | undefined;
  elasticsearch?: ElasticsearchAction | undefined;
  salesforce?: SalesforceAction | undefined;
  iotAnalytics?: IotAnalyticsAction | undefined;
  iotEvents?: IotEventsAction | undefined;
  iotSiteWise?: IotSiteWiseAction | undefined;
  stepFunctions?: StepFunctionsAction | undefined;
  timestream?: TimestreamAction | undefined;
  http?: HttpAction | undefined;
  kafka?: KafkaAction | undefined;
  openSearch?: OpenSearchAction | undefined;
  location?: LocationAction | undefined;
}

export interface AddThingToBillingGroupRequest {
  billingGroupName?: string | undefined;
  billingGroupArn?: string | undefined;
  thingName?: string | undefined;
  thingArn?: string | undefined;
}

export type AddThingToBillingGroupResponse = Readonly<Record<never, never>>;

export interface AddThingToThingGroupRequest {
  thingGroupName?: string | undefined;
  thingGroupArn?: string | undefined;
  thingName?: string | undefined;
  thingArn?: string | undefined;
  overrideDynamicGroups?: boolean | undefined;
}

export type AddThingToThingGroupResponse = Readonly<Record<never, never>>;

export interface AggregationType {
  name: "Statistics" | "Percentiles" | "Cardinality";
  values?: readonly string[] | undefined;
}

export interface Allowed {
  policies?: readonly Policy[] | undefined;
}

export interface AssetPropertyTimestamp {
  timeInSeconds: string;
  offsetInNanos?: string | undefined;
}

export interface AssetPropertyValue {
  value: AssetPropertyVariant;
  timestamp: AssetPropertyTimestamp;
  quality?: string | undefined;
}

export interface AssetPropertyVariant {
  stringValue?: string | undefined;
  integerValue?: string | undefined;
  doubleValue?: string | undefined;
  booleanValue?: string | undefined;
}

export interface AssociateSbomWithPackageVersionRequest {
  packageName: string;
  versionName: string;
  sbom: Sbom;
  clientToken?: string | undefined;
}

export interface AssociateSbomWithPackageVersionResponse {
  packageName?: string | undefined;
  versionName?: string | undefined;
  sbom?: Sbom | undefined;
  sbomValidationStatus?: "IN_PROGRESS" | "FAILED" | "SUCCEEDED" | undefined;
}

export interface AssociateTargetsWithJobRequest {
  targets: readonly string[];
  jobId: string;
  comment?: string | undefined;
  namespaceId?: string | undefined;
}

export interface AssociateTargetsWithJobResponse {
  jobArn?: string | undefined;
  jobId?: string | undefined;
  description?: string | undefined;
}

export interface AttachPolicyRequest {
  policyName: string;
  target: string;
}

export interface AttachPrincipalPolicyRequest {
  policyName: string;
  principal: string;
}

export interface AttachThingPrincipalRequest {
  thingName: string;
  principal: string;
  thingPrincipalType?: "EXCLUSIVE_THING" | "NON_EXCLUSIVE_THING" | undefined;
}

export type AttachThingPrincipalResponse = Readonly<Record<never, never>>;

export interface AttributePayload {
  attributes?: Readonly<Record<string, string>> | undefined;
  merge?: boolean | undefined;
}

export interface AuthInfo {
  actionType?: "PUBLISH" | "SUBSCRIBE" | "RECEIVE" | "CONNECT" | undefined;
  resources: readonly string[];
}

export interface AuthResult {
  authInfo?: AuthInfo | undefined;
  allowed?: Allowed | undefined;
  denied?: Denied | undefined;
  authDecision?: "ALLOWED" | "EXPLICIT_DENY" | "IMPLICIT_DENY" | undefined;
  missingContextValues?: readonly string[] | undefined;
}

export interface AuthorizerConfig {
  defaultAuthorizerName?: string | undefined;
  allowAuthorizerOverride?: boolean | undefined;
}

export interface AuthorizerDescription {
  authorizerName?: string | undefined;
  authorizerArn?: string | undefined;
  authorizerFunctionArn?: string | undefined;
  tokenKeyName?: string | undefined;
  tokenSigningPublicKeys?: Readonly<Record<string, string>> | undefined;
  status?: "ACTIVE" | "INACTIVE" | undefined;
  creationDate?: number | undefined;
  lastModifiedDate?: number | undefined;
  signingDisabled?: boolean | undefined;
  enableCachingForHttp?: boolean | undefined;
}

export interface AuthorizerSummary {
  authorizerName?: string | undefined;
  authorizerArn?: string | undefined;
}

export interface AwsJobAbortConfig {
  abortCriteriaList: readonly AwsJobAbortCriteria[];
}

export interface AwsJobAbortCriteria {
  failureType: "FAILED" | "REJECTED" | "TIMED_OUT" | "ALL";
  action: "CANCEL";
  thresholdPercentage: number;
  minNumberOfExecutedThings: number;
}

export interface AwsJobExecutionsRolloutConfig {
  maximumPerMinute?: number | undefined;
  exponentialRate?: AwsJobExponentialRolloutRate | undefined;
}

export interface AwsJobExponentialRolloutRate {
  baseRatePerMinute: number;
  incrementFactor: number;
  rateIncreaseCriteria: AwsJobRateIncreaseCriteria;
}

export interface AwsJobPresignedUrlConfig {
  expiresInSec?: number | undefined;
}

export interface AwsJobRateIncreaseCriteria {
  numberOfNotifiedThings?: number | undefined;
  numberOfSucceededThings?: number | undefined;
}

export interface AwsJobTimeoutConfig {
  inProgressTimeoutInMinutes?: number | undefined;
}

export interface AwsJsonSubstitutionCommandPreprocessorConfig {
  outputFormat: "JSON" | "CBOR";
}

export interface BatchConfig {
  maxBatchOpenMs?: number | undefined;
  maxBatchSize?: number | undefined;
  maxBatchSizeBytes?: number | undefined;
  batchAcrossTopics?: boolean | undefined;
}

export interface BillingGroupMetadata {
  creationDate?: number | undefined;
}

export interface BillingGroupProperties {
  billingGroupDescription?: string | undefined;
}

export interface Bucket {
  keyValue?: string | undefined;
  count?: number | undefined;
}

export interface BucketsAggregationType {
  termsAggregation?: TermsAggregation | undefined;
}

export interface CACertificate {
  certificateArn?: string | undefined;
  certificateId?: string | undefined;
  status?: "ACTIVE" | "INACTIVE" | undefined;
  creationDate?: number | undefined;
}

export interface CACertificateDescription {
  certificateArn?: string | undefined;
  certificateId?: string | undefined;
  status?: "ACTIVE" | "INACTIVE" | undefined;
  certificatePem?: string | undefined;
  ownedBy?: string | undefined;
  creationDate?: number | undefined;
  autoRegistrationStatus?: "ENABLE" | "DISABLE" | undefined;
  lastModifiedDate?: number | undefined;
  customerVersion?: number | undefined;
  generationId?: string | undefined;
  validity?: CertificateValidity | undefined;
  certificateMode?: "DEFAULT" | "SNI_ONLY" | undefined;
}

export interface CancelCertificateTransferRequest {
  certificateId: string;
}

export interface CancelJobExecutionRequest {
  jobId: string;
  thingName: string;
  force?: boolean | undefined;
  expectedVersion?: number | undefined;
  statusDetails?: Readonly<Record<string, string>> | undefined;
}

export interface CancelJobRequest {
  jobId: string;
  reasonCode?: string | undefined;
  comment?: string | undefined;
  force?: boolean | undefined;
}

export interface CancelJobResponse {
  jobArn?: string | undefined;
  jobId?: string | undefined;
  description?: string | undefined;
}

export interface Certificate {
  certificateArn?: string | undefined;
  certificateId?: string | undefined;
  status?: "ACTIVE" | "INACTIVE" | "REVOKED" | "PENDING_TRANSFER" | "REGISTER_INACTIVE" | "PENDING_ACTIVATION" | undefined;
  certificateMode?: "DEFAULT" | "SNI_ONLY" | undefined;
  creationDate?: number | undefined;
}

export interface CertificateDescription {
  certificateArn?: string | undefined;
  certificateId?: string | undefined;
  caCertificateId?: string | undefined;
  status?: "ACTIVE" | "INACTIVE" | "REVOKED" | "PENDING_TRANSFER" | "REGISTER_INACTIVE" | "PENDING_ACTIVATION" | undefined;
  certificatePem?: string | undefined;
  ownedBy?: string | undefined;
  previousOwnedBy?: string | undefined;
  creationDate?: number | undefined;
  lastModifiedDate?: number | undefined;
  customerVersion?: number | undefined;
  transferData?: TransferData | undefined;
  generationId?: string | undefined;
  validity?: CertificateValidity | undefined;
  certificateMode?: "DEFAULT" | "SNI_ONLY" | undefined;
}

export interface CertificateProviderSummary {
  certificateProviderName?: string | undefined;
  certificateProviderArn?: string | undefined;
}

export interface CertificateValidity {
  notBefore?: number | undefined;
  notAfter?: number | undefined;
}

export type ClearDefaultAuthorizerRequest = Readonly<Record<never, never>>;

export type ClearDefaultAuthorizerResponse = Readonly<Record<never, never>>;

export interface ClientCertificateConfig {
  clientCertificateCallbackArn?: string | undefined;
}

export interface CloudwatchAlarmAction {
  roleArn: string;
  alarmName: string;
  stateReason: string;
  stateValue: string;
}

export interface CloudwatchLogsAction {
  roleArn: string;
  logGroupName: string;
  batchMode?: boolean | undefined;
}

export interface CloudwatchMetricAction {
  roleArn: string;
  metricNamespace: string;
  metricName: string;
  metricValue: string;
  metricUnit: string;
  metricTimestamp?: string | undefined;
}

export interface CodeSigning {
  awsSignerJobId?: string | undefined;
  startSigningJobParameter?: StartSigningJobParameter | undefined;
  customCodeSigning?: CustomCodeSigning | undefined;
}

export interface CodeSigningCertificateChain {
  certificateName?: string | undefined;
  inlineDocument?: string | undefined;
}

export interface CodeSigningSignature {
  inlineDocument?: Uint8Array | undefined;
}

export interface CommandExecutionResult {
  S?: string | undefined;
  B?: boolean | undefined;
  BIN?: Uint8Array | undefined;
}

export interface CommandExecutionSummary {
  commandArn?: string | undefined;
  executionId?: string | undefined;
  targetArn?: string | undefined;
  status?: "CREATED" | "IN_PROGRESS" | "SUCCEEDED" | "FAILED" | "REJECTED" | "TIMED_OUT" | undefined;
  createdAt?: number | undefined;
  startedAt?: number | undefined;
  completedAt?: number | undefined;
}

export interface CommandParameter {
  name: string;
  type?: "STRING" | "INTEGER" | "DOUBLE" | "LONG" | "UNSIGNEDLONG" | "BOOLEAN" | "BINARY" | undefined;
  value?: CommandParameterValue | undefined;
  defaultValue?: CommandParameterValue | undefined;
  valueConditions?: readonly CommandParameterValueCondition[] | undefined;
  description?: string | undefined;
}

export interface CommandParameterValue {
  S?: string | undefined;
  B?: boolean | undefined;
  I?: number | undefined;
  L?: number | undefined;
  D?: number | undefined;
  BIN?: Uint8Array | undefined;
  UL?: string | undefined;
}

export interface CommandParameterValueComparisonOperand {
  number?: string | undefined;
  numbers?: readonly string[] | undefined;
  string?: string | undefined;
  strings?: readonly string[] | undefined;
  numberRange?: CommandParameterValueNumberRange | undefined;
}

export interface CommandParameterValueCondition {
  comparisonOperator: "EQUALS" | "NOT_EQUALS" | "LESS_THAN" | "LESS_THAN_EQUALS" | "GREATER_THAN" | "GREATER_THAN_EQUALS" | "IN_SET" | "NOT_IN_SET" | "IN_RANGE" | "NOT_IN_RANGE";
  operand: CommandParameterValueComparisonOperand;
}

export interface CommandParameterValueNumberRange {
  min: string;
  max: string;
}

export interface CommandPayload {
  content?: Uint8Array | undefined;
  contentType?: string | undefined;
}

export interface CommandPreprocessor {
  awsJsonSubstitution?: AwsJsonSubstitutionCommandPreprocessorConfig | undefined;
}

export interface CommandSummary {
  commandArn?: string | undefined;
  commandId?: string | undefined;
  displayName?: string | undefined;
  deprecated?: boolean | undefined;
  createdAt?: number | undefined;
  lastUpdatedAt?: number | undefined;
  pendingDeletion?: boolean | undefined;
}

export interface Configuration {
  Enabled?: boolean | undefined;
}

export interface ConfigurationDetails {
  configurationStatus?: "HEALTHY" | "UNHEALTHY" | undefined;
  errorCode?: string | undefined;
  errorMessage?: string | undefined;
}

export interface ConfirmTopicRuleDestinationRequest {
  confirmationToken: string;
}

export type ConfirmTopicRuleDestinationResponse = Readonly<Record<never, never>>;

export interface ConnectivityFilter {
  includeSocketInformation?: readonly "GET_THING_CONNECTIVITY_DATA"[] | undefined;
}

export interface CreateAuthorizerRequest {
  authorizerName: string;
  authorizerFunctionArn: string;
  tokenKeyName?: string | undefined;
  tokenSigningPublicKeys?: Readonly<Record<string, string>> | undefined;
  status?: "ACTIVE" | "INACTIVE" | undefined;
  tags?: readonly Tag[] | undefined;
  signingDisabled?: boolean | undefined;
  enableCachingForHttp?: boolean | undefined;
}

export interface CreateAuthorizerResponse {
  authorizerName?: string | undefined;
  authorizerArn?: string | undefined;
}

export interface CreateBillingGroupRequest {
  billingGroupName: string;
  billingGroupProperties?: BillingGroupProperties | undefined;
  tags?: readonly Tag[] | undefined;
}

export interface CreateBillingGroupResponse {
  billingGroupName?: string | undefined;
  billingGroupArn?: string | undefined;
  billingGroupId?: string | undefined;
}

export interface CreateCertificateFromCsrRequest {
  certificateSigningRequest: string;
  setAsActive?: boolean | undefined;
}

export interface CreateCertificateFromCsrResponse {
  certificateArn?: string | undefined;
  certificateId?: string | undefined;
  certificatePem?: string | undefined;
}

export interface CreateCertificateProviderRequest {
  certificateProviderName: string;
  lambdaFunctionArn: string;
  accountDefaultForOperations: readonly "CreateCertificateFromCsr"[];
  clientToken?: string | undefined;
  tags?: readonly Tag[] | undefined;
}

export interface CreateCertificateProviderResponse {
  certificateProviderName?: string | undefined;
  certificateProviderArn?: string | undefined;
}

export interface CreateCommandRequest {
  commandId: string;
  namespace?: "AWS-IoT" | "AWS-IoT-FleetWise" | undefined;
  displayName?: string | undefined;
  description?: string | undefined;
  payload?: CommandPayload | undefined;
  payloadTemplate?: string | undefined;
  preprocessor?: CommandPreprocessor | undefined;
  mandatoryParameters?: readonly CommandParameter[] | undefined;
  roleArn?: string | undefined;
  tags?: readonly Tag[] | undefined;
}

export interface CreateCommandResponse {
  commandId?: string | undefined;
  commandArn?: string | undefined;
}

export interface CreateDomainConfigurationRequest {
  domainConfigurationName: string;
  domainName?: string | undefined;
  serverCertificateArns?: readonly string[] | undefined;
  validationCertificateArn?: string | undefined;
  authorizerConfig?: AuthorizerConfig | undefined;
  serviceType?: "DATA" | "CREDENTIAL_PROVIDER" | "JOBS" | undefined;
  tags?: readonly Tag[] | undefined;
  tlsConfig?: TlsConfig | undefined;
  serverCertificateConfig?: ServerCertificateConfig | undefined;
  authenticationType?: "CUSTOM_AUTH_X509" | "CUSTOM_AUTH" | "AWS_X509" | "AWS_SIGV4" | "DEFAULT" | undefined;
  applicationProtocol?: "SECURE_MQTT" | "MQTT_WSS" | "HTTPS" | "DEFAULT" | undefined;
  clientCertificateConfig?: ClientCertificateConfig | undefined;
}

export interface CreateDomainConfigurationResponse {
  domainConfigurationName?: string | undefined;
  domainConfigurationArn?: string | undefined;
}

export interface CreateDynamicThingGroupRequest {
  thingGroupName: string;
  thingGroupProperties?: ThingGroupProperties | undefined;
  indexName?: string | undefined;
  queryString: string;
  queryVersion?: string | undefined;
  tags?: readonly Tag[] | undefined;
}

export interface CreateDynamicThingGroupResponse {
  thingGroupName?: string | undefined;
  thingGroupArn?: string | undefined;
  thingGroupId?: string | undefined;
  indexName?: string | undefined;
  queryString?: string | undefined;
  queryVersion?: string | undefined;
}

export interface CreateFleetMetricRequest {
  metricName: string;
  queryString: string;
  aggregationType: AggregationType;
  period: number;
  aggregationField: string;
  description?: string | undefined;
  queryVersion?: string | undefined;
  indexName?: string | undefined;
  unit?: "Seconds" | "Microseconds" | "Milliseconds" | "Bytes" | "Kilobytes" | "Megabytes" | "Gigabytes" | "Terabytes" | "Bits" | "Kilobits" | "Megabits" | "Gigabits" | "Terabits" | "Percent" | "Count" | "Bytes/Second" | "Kilobytes/Second" | "Megabytes/Second" | "Gigabytes/Second" | "Terabytes/Second" | "Bits/Second" | "Kilobits/Second" | "Megabits/Second" | "Gigabits/Second" | "Terabits/Second" | "Count/Second" | "None" | undefined;
  tags?: readonly Tag[] | undefined;
}

export interface CreateFleetMetricResponse {
  metricName?: string | undefined;
  metricArn?: string | undefined;
}

export interface CreateJobRequest {
  jobId: string;
  targets: readonly string[];
  documentSource?: string | undefined;
  document?: string | undefined;
  description?: string | undefined;
  presignedUrlConfig?: PresignedUrlConfig | undefined;
  targetSelection?: "CONTINUOUS" | "SNAPSHOT" | undefined;
  jobExecutionsRolloutConfig?: JobExecutionsRolloutConfig | undefined;
  abortConfig?: AbortConfig | undefined;
  timeoutConfig?: TimeoutConfig | undefined;
  tags?: readonly Tag[] | undefined;
  namespaceId?: string | undefined;
  jobTemplateArn?: string | undefined;
  jobExecutionsRetryConfig?: JobExecutionsRetryConfig | undefined;
  documentParameters?: Readonly<Record<string, string>> | undefined;
  schedulingConfig?: SchedulingConfig | undefined;
  destinationPackageVersions?: readonly string[] | undefined;
}

export interface CreateJobResponse {
  jobArn?: string | undefined;
  jobId?: string | undefined;
  description?: string | undefined;
}

export interface CreateJobTemplateRequest {
  jobTemplateId: string;
  jobArn?: string | undefined;
  documentSource?: string | undefined;
  document?: string | undefined;
  description: string;
  presignedUrlConfig?: PresignedUrlConfig | undefined;
  jobExecutionsRolloutConfig?: JobExecutionsRolloutConfig | undefined;
  abortConfig?: AbortConfig | undefined;
  timeoutConfig?: TimeoutConfig | undefined;
  tags?: readonly Tag[] | undefined;
  jobExecutionsRetryConfig?: JobExecutionsRetryConfig | undefined;
  maintenanceWindows?: readonly MaintenanceWindow[] | undefined;
  destinationPackageVersions?: readonly string[] | undefined;
}

export interface CreateJobTemplateResponse {
  jobTemplateArn?: string | undefined;
  jobTemplateId?: string | undefined;
}

export interface CreateKeysAndCertificateRequest {
  setAsActive?: boolean | undefined;
}

export interface CreateKeysAndCertificateResponse {
  certificateArn?: string | undefined;
  certificateId?: string | undefined;
  certificatePem?: string | undefined;
  keyPair?: KeyPair | undefined;
}

export interface CreateOTAUpdateRequest {
  otaUpdateId: string;
  description?: string | undefined;
  targets: readonly string[];
  protocols?: readonly ("MQTT" | "HTTP")[] | undefined;
  targetSelection?: "CONTINUOUS" | "SNAPSHOT" | undefined;
  awsJobExecutionsRolloutConfig?: AwsJobExecutionsRolloutConfig | undefined;
  awsJobPresignedUrlConfig?: AwsJobPresignedUrlConfig | undefined;
  awsJobAbortConfig?: AwsJobAbortConfig | undefined;
  awsJobTimeoutConfig?: AwsJobTimeoutConfig | undefined;
  files: readonly OTAUpdateFile[];
  roleArn: string;
  additionalParameters?: Readonly<Record<string, string>> | undefined;
  tags?: readonly Tag[] | undefined;
}

export interface CreateOTAUpdateResponse {
  otaUpdateId?: string | undefined;
  awsIotJobId?: string | undefined;
  otaUpdateArn?: string | undefined;
  awsIotJobArn?: string | undefined;
  otaUpdateStatus?: "CREATE_PENDING" | "CREATE_IN_PROGRESS" | "CREATE_COMPLETE" | "CREATE_FAILED" | "DELETE_IN_PROGRESS" | "DELETE_FAILED" | undefined;
}

export interface CreatePackageRequest {
  packageName: string;
  description?: string | undefined;
  tags?: Readonly<Record<string, string>> | undefined;
  clientToken?: string | undefined;
}

export interface CreatePackageResponse {
  packageName?: string | undefined;
  packageArn?: string | undefined;
  description?: string | undefined;
}

export interface CreatePackageVersionRequest {
  packageName: string;
  versionName: string;
  description?: string | undefined;
  attributes?: Readonly<Record<string, string>> | undefined;
  artifact?: PackageVersionArtifact | undefined;
  recipe?: string | undefined;
  tags?: Readonly<Record<string, string>> | undefined;
  clientToken?: string | undefined;
}

export interface CreatePackageVersionResponse {
  packageVersionArn?: string | undefined;
  packageName?: string | undefined;
  versionName?: string | undefined;
  description?: string | undefined;
  attributes?: Readonly<Record<string, string>> | undefined;
  status?: "DRAFT" | "PUBLISHED" | "DEPRECATED" | undefined;
  errorReason?: string | undefined;
}

export interface CreatePolicyRequest {
  policyName: string;
  policyDocument: string;
  tags?: readonly Tag[] | undefined;
}

export interface CreatePolicyResponse {
  policyName?: string | undefined;
  policyArn?: string | undefined;
  policyDocument?: string | undefined;
  policyVersionId?: string | undefined;
}

export interface CreatePolicyVersionRequest {
  policyName: string;
  policyDocument: string;
  setAsDefault?: boolean | undefined;
}

export interface CreatePolicyVersionResponse {
  policyArn?: string | undefined;
  policyDocument?: string | undefined;
  policyVersionId?: string | undefined;
  isDefaultVersion?: boolean | undefined;
}

export interface CreateProvisioningClaimRequest {
  templateName: string;
}

export interface CreateProvisioningClaimResponse {
  certificateId?: string | undefined;
  certificatePem?: string | undefined;
  keyPair?: KeyPair | undefined;
  expiration?: number | undefined;
}

export interface CreateProvisioningTemplateRequest {
  templateName: string;
  description?: string | undefined;
  templateBody: string;
  enabled?: boolean | undefined;
  provisioningRoleArn: string;
  preProvisioningHook?: ProvisioningHook | undefined;
  tags?: readonly Tag[] | undefined;
  type?: "FLEET_PROVISIONING" | "JITP" | undefined;
}

export interface CreateProvisioningTemplateResponse {
  templateArn?: string | undefined;
  templateName?: string | undefined;
  defaultVersionId?: number | undefined;
}

export interface CreateProvisioningTemplateVersionRequest {
  templateName: string;
  templateBody: string;
  setAsDefault?: boolean | undefined;
}

export interface CreateProvisioningTemplateVersionResponse {
  templateArn?: string | undefined;
  templateName?: string | undefined;
  versionId?: number | undefined;
  isDefaultVersion?: boolean | undefined;
}

export interface CreateRoleAliasRequest {
  roleAlias: string;
  roleArn: string;
  credentialDurationSeconds?: number | undefined;
  tags?: readonly Tag[] | undefined;
}

export interface CreateRoleAliasResponse {
  roleAlias?: string | undefined;
  roleAliasArn?: string | undefined;
}

export interface CreateStreamRequest {
  streamId: string;
  description?: string | undefined;
  files: readonly StreamFile[];
  roleArn: string;
  tags?: readonly Tag[] | undefined;
}

export interface CreateStreamResponse {
  streamId?: string | undefined;
  streamArn?: string | undefined;
  description?: string | undefined;
  streamVersion?: number | undefined;
}

export interface CreateThingGroupRequest {
  thingGroupName: string;
  parentGroupName?: string | undefined;
  thingGroupProperties?: ThingGroupProperties | undefined;
  tags?: readonly Tag[] | undefined;
}

export interface CreateThingGroupResponse {
  thingGroupName?: string | undefined;
  thingGroupArn?: string | undefined;
  thingGroupId?: string | undefined;
}

export interface CreateThingRequest {
  thingName: string;
  thingTypeName?: string | undefined;
  attributePayload?: AttributePayload | undefined;
  billingGroupName?: string | undefined;
}

export interface CreateThingResponse {
  thingName?: string | undefined;
  thingArn?: string | undefined;
  thingId?: string | undefined;
}

export interface CreateThingTypeRequest {
  thingTypeName: string;
  thingTypeProperties?: ThingTypeProperties | undefined;
  tags?: readonly Tag[] | undefined;
}

export interface CreateThingTypeResponse {
  thingTypeName?: string | undefined;
  thingTypeArn?: string | undefined;
  thingTypeId?: string | undefined;
}

export interface CreateTopicRuleDestinationRequest {
  destinationConfiguration: TopicRuleDestinationConfiguration;
}

export interface CreateTopicRuleDestinationResponse {
  topicRuleDestination?: TopicRuleDestination | undefined;
}

export interface CreateTopicRuleRequest {
  ruleName: string;
  topicRulePayload: TopicRulePayload;
  tags?: string | undefined;
}

export interface CustomCodeSigning {
  signature?: CodeSigningSignature | undefined;
  certificateChain?: CodeSigningCertificateChain | undefined;
  hashAlgorithm?: string | undefined;
  signatureAlgorithm?: string | undefined;
}

export interface DeleteAuthorizerRequest {
  authorizerName: string;
}

export type DeleteAuthorizerResponse = Readonly<Record<never, never>>;

export interface DeleteBillingGroupRequest {
  billingGroupName: string;
  expectedVersion?: number | undefined;
}

export type DeleteBillingGroupResponse = Readonly<Record<never, never>>;

export interface DeleteCACertificateRequest {
  certificateId: string;
}

export type DeleteCACertificateResponse = Readonly<Record<never, never>>;

export interface DeleteCertificateProviderRequest {
  certificateProviderName: string;
}

export type DeleteCertificateProviderResponse = Readonly<Record<never, never>>;

export interface DeleteCertificateRequest {
  certificateId: string;
  forceDelete?: boolean | undefined;
}

export interface DeleteCommandExecutionRequest {
  executionId: string;
  targetArn: string;
}

export type DeleteCommandExecutionResponse = Readonly<Record<never, never>>;

export interface DeleteCommandRequest {
  commandId: string;
}

export interface DeleteCommandResponse {
  statusCode?: number | undefined;
}

export interface DeleteDomainConfigurationRequest {
  domainConfigurationName: string;
}

export type DeleteDomainConfigurationResponse = Readonly<Record<never, never>>;

export interface DeleteDynamicThingGroupRequest {
  thingGroupName: string;
  expectedVersion?: number | undefined;
}

export type DeleteDynamicThingGroupResponse = Readonly<Record<never, never>>;

export interface DeleteFleetMetricRequest {
  metricName: string;
  expectedVersion?: number | undefined;
}

export interface DeleteJobExecutionRequest {
  jobId: string;
  thingName: string;
  executionNumber: number;
  force?: boolean | undefined;
  namespaceId?: string | undefined;
}

export interface DeleteJobRequest {
  jobId: string;
  force?: boolean | undefined;
  namespaceId?: string | undefined;
}

export interface DeleteJobTemplateRequest {
  jobTemplateId: string;
}

export interface DeleteOTAUpdateRequest {
  otaUpdateId: string;
  deleteStream?: boolean | undefined;
  forceDeleteAWSJob?: boolean | undefined;
}

export type DeleteOTAUpdateResponse = Readonly<Record<never, never>>;

export interface DeletePackageRequest {
  packageName: string;
  clientToken?: string | undefined;
}

export type DeletePackageResponse = Readonly<Record<never, never>>;

export interface DeletePackageVersionRequest {
  packageName: string;
  versionName: string;
  clientToken?: string | undefined;
}

export type DeletePackageVersionResponse = Readonly<Record<never, never>>;

export interface DeletePolicyRequest {
  policyName: string;
}

export interface DeletePolicyVersionRequest {
  policyName: string;
  policyVersionId: string;
}

export interface DeleteProvisioningTemplateRequest {
  templateName: string;
}

export type DeleteProvisioningTemplateResponse = Readonly<Record<never, never>>;

export interface DeleteProvisioningTemplateVersionRequest {
  templateName: string;
  versionId: number;
}

export type DeleteProvisioningTemplateVersionResponse = Readonly<Record<never, never>>;

export type DeleteRegistrationCodeRequest = Readonly<Record<never, never>>;

export type DeleteRegistrationCodeResponse = Readonly<Record<never, never>>;

export interface DeleteRoleAliasRequest {
  roleAlias: string;
}

export type DeleteRoleAliasResponse = Readonly<Record<never, never>>;

export interface DeleteStreamRequest {
  streamId: string;
}

export type DeleteStreamResponse = Readonly<Record<never, never>>;

export interface DeleteThingGroupRequest {
  thingGroupName: string;
  expectedVersion?: number | undefined;
}

export type DeleteThingGroupResponse = Readonly<Record<never, never>>;

export interface DeleteThingRequest {
  thingName: string;
  expectedVersion?: number | undefined;
}

export type DeleteThingResponse = Readonly<Record<never, never>>;

export interface DeleteThingTypeRequest {
  thingTypeName: string;
}

export type DeleteThingTypeResponse = Readonly<Record<never, never>>;

export interface DeleteTopicRuleDestinationRequest {
  arn: string;
}

export type DeleteTopicRuleDestinationResponse = Readonly<Record<never, never>>;

export interface DeleteTopicRuleRequest {
  ruleName: string;
}

export interface DeleteV2LoggingLevelRequest {
  targetType: "DEFAULT" | "THING_GROUP" | "CLIENT_ID" | "SOURCE_IP" | "PRINCIPAL_ID";
  targetName: string;
}

export interface Denied {
  implicitDeny?: ImplicitDeny | undefined;
  explicitDeny?: ExplicitDeny | undefined;
}

export interface DeprecateThingTypeRequest {
  thingTypeName: string;
  undoDeprecate?: boolean | undefined;
}

export type DeprecateThingTypeResponse = Readonly<Record<never, never>>;

export interface DescribeAuthorizerRequest {
  authorizerName: string;
}

export interface DescribeAuthorizerResponse {
  authorizerDescription?: AuthorizerDescription | undefined;
}

export interface DescribeBillingGroupRequest {
  billingGroupName: string;
}

export interface DescribeBillingGroupResponse {
  billingGroupName?: string | undefined;
  billingGroupId?: string | undefined;
  billingGroupArn?: string | undefined;
  version?: number | undefined;
  billingGroupProperties?: BillingGroupProperties | undefined;
  billingGroupMetadata?: BillingGroupMetadata | undefined;
}

export interface DescribeCACertificateRequest {
  certificateId: string;
}

export interface DescribeCACertificateResponse {
  certificateDescription?: CACertificateDescription | undefined;
  registrationConfig?: RegistrationConfig | undefined;
}

export interface DescribeCertificateProviderRequest {
  certificateProviderName: string;
}

export interface DescribeCertificateProviderResponse {
  certificateProviderName?: string | undefined;
  certificateProviderArn?: string | undefined;
  lambdaFunctionArn?: string | undefined;
  accountDefaultForOperations?: readonly "CreateCertificateFromCsr"[] | undefined;
  creationDate?: number | undefined;
  lastModifiedDate?: number | undefined;
}

export interface DescribeCertificateRequest {
  certificateId: string;
}

export interface DescribeCertificateResponse {
  certificateDescription?: CertificateDescription | undefined;
}

export type DescribeDefaultAuthorizerRequest = Readonly<Record<never, never>>;

export interface DescribeDefaultAuthorizerResponse {
  authorizerDescription?: AuthorizerDescription | undefined;
}

export interface DescribeDomainConfigurationRequest {
  domainConfigurationName: string;
}

export interface DescribeDomainConfigurationResponse {
  domainConfigurationName?: string | undefined;
  domainConfigurationArn?: string | undefined;
  domainName?: string | undefined;
  serverCertificates?: readonly ServerCertificateSummary[] | undefined;
  authorizerConfig?: AuthorizerConfig | undefined;
  domainConfigurationStatus?: "ENABLED" | "DISABLED" | undefined;
  serviceType?: "DATA" | "CREDENTIAL_PROVIDER" | "JOBS" | undefined;
  domainType?: "ENDPOINT" | "AWS_MANAGED" | "CUSTOMER_MANAGED" | undefined;
  lastStatusChangeDate?: number | undefined;
  tlsConfig?: TlsConfig | undefined;
  serverCertificateConfig?: ServerCertificateConfig | undefined;
  authenticationType?: "CUSTOM_AUTH_X509" | "CUSTOM_AUTH" | "AWS_X509" | "AWS_SIGV4" | "DEFAULT" | undefined;
  applicationProtocol?: "SECURE_MQTT" | "MQTT_WSS" | "HTTPS" | "DEFAULT" | undefined;
  clientCertificateConfig?: ClientCertificateConfig | undefined;
}

export type DescribeEncryptionConfigurationRequest = Readonly<Record<never, never>>;

export interface DescribeEncryptionConfigurationResponse {
  encryptionType?: "CUSTOMER_MANAGED_KMS_KEY" | "AWS_OWNED_KMS_KEY" | undefined;
  kmsKeyArn?: string | undefined;
  kmsAccessRoleArn?: string | undefined;
  configurationDetails?: ConfigurationDetails | undefined;
  lastModifiedDate?: number | undefined;
}

export interface DescribeEndpointRequest {
  endpointType?: string | undefined;
}

export interface DescribeEndpointResponse {
  endpointAddress?: string | undefined;
}

export type DescribeEventConfigurationsRequest = Readonly<Record<never, never>>;

export interface DescribeEventConfigurationsResponse {
  eventConfigurations?: Readonly<Record<string, Configuration>> | undefined;
  creationDate?: number | undefined;
  lastModifiedDate?: number | undefined;
}

export interface DescribeFleetMetricRequest {
  metricName: string;
}

export interface DescribeFleetMetricResponse {
  metricName?: string | undefined;
  queryString?: string | undefined;
  aggregationType?: AggregationType | undefined;
  period?: number | undefined;
  aggregationField?: string | undefined;
  description?: string | undefined;
  queryVersion?: string | undefined;
  indexName?: string | undefined;
  creationDate?: number | undefined;
  lastModifiedDate?: number | undefined;
  unit?: "Seconds" | "Microseconds" | "Milliseconds" | "Bytes" | "Kilobytes" | "Megabytes" | "Gigabytes" | "Terabytes" | "Bits" | "Kilobits" | "Megabits" | "Gigabits" | "Terabits" | "Percent" | "Count" | "Bytes/Second" | "Kilobytes/Second" | "Megabytes/Second" | "Gigabytes/Second" | "Terabytes/Second" | "Bits/Second" | "Kilobits/Second" | "Megabits/Second" | "Gigabits/Second" | "Terabits/Second" | "Count/Second" | "None" | undefined;
  version?: number | undefined;
  metricArn?: string | undefined;
}

export interface DescribeIndexRequest {
  indexName: string;
}

export interface DescribeIndexResponse {
  indexName?: string | undefined;
  indexStatus?: "ACTIVE" | "BUILDING" | "REBUILDING" | undefined;
  schema?: string | undefined;
}

export interface DescribeJobExecutionRequest {
  jobId: string;
  thingName: string;
  executionNumber?: number | undefined;
}

export interface DescribeJobExecutionResponse {
  execution?: JobExecution | undefined;
}

export interface DescribeJobRequest {
  jobId: string;
  beforeSubstitution?: boolean | undefined;
}

export interface DescribeJobResponse {
  documentSource?: string | undefined;
  job?: Job | undefined;
}

export interface DescribeJobTemplateRequest {
  jobTemplateId: string;
}

export interface DescribeJobTemplateResponse {
  jobTemplateArn?: string | undefined;
  jobTemplateId?: string | undefined;
  description?: string | undefined;
  documentSource?: string | undefined;
  document?: string | undefined;
  createdAt?: number | undefined;
  presignedUrlConfig?: PresignedUrlConfig | undefined;
  jobExecutionsRolloutConfig?: JobExecutionsRolloutConfig | undefined;
  abortConfig?: AbortConfig | undefined;
  timeoutConfig?: TimeoutConfig | undefined;
  jobExecutionsRetryConfig?: JobExecutionsRetryConfig | undefined;
  maintenanceWindows?: readonly MaintenanceWindow[] | undefined;
  destinationPackageVersions?: readonly string[] | undefined;
}

export interface DescribeManagedJobTemplateRequest {
  templateName: string;
  templateVersion?: string | undefined;
}

export interface DescribeManagedJobTemplateResponse {
  templateName?: string | undefined;
  templateArn?: string | undefined;
  description?: string | undefined;
  templateVersion?: string | undefined;
  environments?: readonly string[] | undefined;
  documentParameters?: readonly DocumentParameter[] | undefined;
  document?: string | undefined;
}

export interface DescribeProvisioningTemplateRequest {
  templateName: string;
}

export interface DescribeProvisioningTemplateResponse {
  templateArn?: string | undefined;
  templateName?: string | undefined;
  description?: string | undefined;
  creationDate?: number | undefined;
  lastModifiedDate?: number | undefined;
  defaultVersionId?: number | undefined;
  templateBody?: string | undefined;
  enabled?: boolean | undefined;
  provisioningRoleArn?: string | undefined;
  preProvisioningHook?: ProvisioningHook | undefined;
  type?: "FLEET_PROVISIONING" | "JITP" | undefined;
}

export interface DescribeProvisioningTemplateVersionRequest {
  templateName: string;
  versionId: number;
}

export interface DescribeProvisioningTemplateVersionResponse {
  versionId?: number | undefined;
  creationDate?: number | undefined;
  templateBody?: string | undefined;
  isDefaultVersion?: boolean | undefined;
}

export interface DescribeRoleAliasRequest {
  roleAlias: string;
}

export interface DescribeRoleAliasResponse {
  roleAliasDescription?: RoleAliasDescription | undefined;
}

export interface DescribeStreamRequest {
  streamId: string;
}

export interface DescribeStreamResponse {
  streamInfo?: StreamInfo | undefined;
}

export interface DescribeThingGroupRequest {
  thingGroupName: string;
}

export interface DescribeThingGroupResponse {
  thingGroupName?: string | undefined;
  thingGroupId?: string | undefined;
  thingGroupArn?: string | undefined;
  version?: number | undefined;
  thingGroupProperties?: ThingGroupProperties | undefined;
  thingGroupMetadata?: ThingGroupMetadata | undefined;
  indexName?: string | undefined;
  queryString?: string | undefined;
  queryVersion?: string | undefined;
  status?: "ACTIVE" | "BUILDING" | "REBUILDING" | undefined;
}

export interface DescribeThingRegistrationTaskRequest {
  taskId: string;
}

export interface DescribeThingRegistrationTaskResponse {
  taskId?: string | undefined;
  creationDate?: number | undefined;
  lastModifiedDate?: number | undefined;
  templateBody?: string | undefined;
  inputFileBucket?: string | undefined;
  inputFileKey?: string | undefined;
  roleArn?: string | undefined;
  status?: "InProgress" | "Completed" | "Failed" | "Cancelled" | "Cancelling" | undefined;
  message?: string | undefined;
  successCount?: number | undefined;
  failureCount?: number | undefined;
  percentageProgress?: number | undefined;
}

export interface DescribeThingRequest {
  thingName: string;
}

export interface DescribeThingResponse {
  defaultClientId?: string | undefined;
  thingName?: string | undefined;
  thingId?: string | undefined;
  thingArn?: string | undefined;
  thingTypeName?: string | undefined;
  attributes?: Readonly<Record<string, string>> | undefined;
  version?: number | undefined;
  billingGroupName?: string | undefined;
}

export interface DescribeThingTypeRequest {
  thingTypeName: string;
}

export interface DescribeThingTypeResponse {
  thingTypeName?: string | undefined;
  thingTypeId?: string | undefined;
  thingTypeArn?: string | undefined;
  thingTypeProperties?: ThingTypeProperties | undefined;
  thingTypeMetadata?: ThingTypeMetadata | undefined;
}

export interface Destination {
  s3Destination?: S3Destination | undefined;
}

export interface DetachPolicyRequest {
  policyName: string;
  target: string;
}

export interface DetachPrincipalPolicyRequest {
  policyName: string;
  principal: string;
}

export interface DetachThingPrincipalRequest {
  thingName: string;
  principal: string;
}

export type DetachThingPrincipalResponse = Readonly<Record<never, never>>;

export interface DisableTopicRuleRequest {
  ruleName: string;
}

export interface DisassociateSbomFromPackageVersionRequest {
  packageName: string;
  versionName: string;
  clientToken?: string | undefined;
}

export type DisassociateSbomFromPackageVersionResponse = Readonly<Record<never, never>>;

export interface DocumentParameter {
  key?: string | undefined;
  description?: string | undefined;
  regex?: string | undefined;
  example?: string | undefined;
  optional?: boolean | undefined;
}

export interface DomainConfigurationSummary {
  domainConfigurationName?: string | undefined;
  domainConfigurationArn?: string | undefined;
  serviceType?: "DATA" | "CREDENTIAL_PROVIDER" | "JOBS" | undefined;
}

export interface DynamoDBAction {
  tableName: string;
  roleArn: string;
  operation?: string | undefined;
  hashKeyField: string;
  hashKeyValue: string;
  hashKeyType?: "STRING" | "NUMBER" | undefined;
  rangeKeyField?: string | undefined;
  rangeKeyValue?: string | undefined;
  rangeKeyType?: "STRING" | "NUMBER" | undefined;
  payloadField?: string | undefined;
}

export interface DynamoDBv2Action {
  roleArn: string;
  putItem: PutItemInput;
}

export interface EffectivePolicy {
  policyName?: string | undefined;
  policyArn?: string | undefined;
  policyDocument?: string | undefined;
}

export interface ElasticsearchAction {
  roleArn: string;
  endpoint: string;
  index: string;
  type: string;
  id: string;
}

export interface EnableTopicRuleRequest {
  ruleName: string;
}

export interface ErrorInfo {
  code?: string | undefined;
  message?: string | undefined;
}

export interface ExplicitDeny {
  policies?: readonly Policy[] | undefined;
}

export interface ExponentialRolloutRate {
  baseRatePerMinute: number;
  incrementFactor: number;
  rateIncreaseCriteria: RateIncreaseCriteria;
}

export interface Field {
  name?: string | undefined;
  type?: "Number" | "String" | "Boolean" | undefined;
}

export interface FileLocation {
  stream?: Stream | undefined;
  s3Location?: S3Location | undefined;
}

export interface FirehoseAction {
  roleArn: string;
  deliveryStreamName: string;
  separator?: string | undefined;
  batchMode?: boolean | undefined;
}

export interface FleetMetricNameAndArn {
  metricName?: string | undefined;
  metricArn?: string | undefined;
}

export interface GeoLocationTarget {
  name?: string | undefined;
  order?: "LatLon" | "LonLat" | undefined;
}

export interface GetBucketsAggregationRequest {
  indexName?: string | undefined;
  queryString: string;
  aggregationField: string;
  queryVersion?: string | undefined;
  bucketsAggregationType: BucketsAggregationType;
}

export interface GetBucketsAggregationResponse {
  totalCount?: number | undefined;
  buckets?: readonly Bucket[] | undefined;
}

export interface GetCardinalityRequest {
  indexName?: string | undefined;
  queryString: string;
  aggregationField?: string | undefined;
  queryVersion?: string | undefined;
}

export interface GetCardinalityResponse {
  cardinality?: number | undefined;
}

export interface GetCommandExecutionRequest {
  executionId: string;
  targetArn: string;
  includeResult?: boolean | undefined;
}

export interface GetCommandExecutionResponse {
  executionId?: string | undefined;
  commandArn?: string | undefined;
  targetArn?: string | undefined;
  status?: "CREATED" | "IN_PROGRESS" | "SUCCEEDED" | "FAILED" | "REJECTED" | "TIMED_OUT" | undefined;
  statusReason?: StatusReason | undefined;
  result?: Readonly<Record<string, CommandExecutionResult>> | undefined;
  parameters?: Readonly<Record<string, CommandParameterValue>> | undefined;
  executionTimeoutSeconds?: number | undefined;
  createdAt?: number | undefined;
  lastUpdatedAt?: number | undefined;
  startedAt?: number | undefined;
  completedAt?: number | undefined;
  timeToLive?: number | undefined;
}

export interface GetCommandRequest {
  commandId: string;
}

export interface GetCommandResponse {
  commandId?: string | undefined;
  commandArn?: string | undefined;
  namespace?: "AWS-IoT" | "AWS-IoT-FleetWise" | undefined;
  displayName?: string | undefined;
  description?: string | undefined;
  mandatoryParameters?: readonly CommandParameter[] | undefined;
  payload?: CommandPayload | undefined;
  payloadTemplate?: string | undefined;
  preprocessor?: CommandPreprocessor | undefined;
  roleArn?: string | undefined;
  createdAt?: number | undefined;
  lastUpdatedAt?: number | undefined;
  deprecated?: boolean | undefined;
  pendingDeletion?: boolean | undefined;
}

export interface GetEffectivePoliciesRequest {
  principal?: string | undefined;
  cognitoIdentityPoolId?: string | undefined;
  thingName?: string | undefined;
}

export interface GetEffectivePoliciesResponse {
  effectivePolicies?: readonly EffectivePolicy[] | undefined;
}

export type GetIndexingConfigurationRequest = Readonly<Record<never, never>>;

export interface GetIndexingConfigurationResponse {
  thingIndexingConfiguration?: ThingIndexingConfiguration | undefined;
  thingGroupIndexingConfiguration?: ThingGroupIndexingConfiguration | undefined;
}

export interface GetJobDocumentRequest {
  jobId: string;
  beforeSubstitution?: boolean | undefined;
}

export interface GetJobDocumentResponse {
  document?: string | undefined;
}

export type GetLoggingOptionsRequest = Readonly<Record<never, never>>;

export interface GetLoggingOptionsResponse {
  roleArn?: string | undefined;
  logLevel?: "DEBUG" | "INFO" | "ERROR" | "WARN" | "DISABLED" | undefined;
}

export interface GetOTAUpdateRequest {
  otaUpdateId: string;
}

export interface GetOTAUpdateResponse {
  otaUpdateInfo?: OTAUpdateInfo | undefined;
}

export type GetPackageConfigurationRequest = Readonly<Record<never, never>>;

export interface GetPackageConfigurationResponse {
  versionUpdateByJobsConfig?: VersionUpdateByJobsConfig | undefined;
}

export interface GetPackageRequest {
  packageName: string;
}

export interface GetPackageResponse {
  packageName?: string | undefined;
  packageArn?: string | undefined;
  description?: string | undefined;
  defaultVersionName?: string | undefined;
  creationDate?: number | undefined;
  lastModifiedDate?: number | undefined;
}

export interface GetPackageVersionRequest {
  packageName: string;
  versionName: string;
}

export interface GetPackageVersionResponse {
  packageVersionArn?: string | undefined;
  packageName?: string | undefined;
  versionName?: string | undefined;
  description?: string | undefined;
  attributes?: Readonly<Record<string, string>> | undefined;
  artifact?: PackageVersionArtifact | undefined;
  status?: "DRAFT" | "PUBLISHED" | "DEPRECATED" | undefined;
  errorReason?: string | undefined;
  creationDate?: number | undefined;
  lastModifiedDate?: number | undefined;
  sbom?: Sbom | undefined;
  sbomValidationStatus?: "IN_PROGRESS" | "FAILED" | "SUCCEEDED" | undefined;
  recipe?: string | undefined;
}

export interface GetPercentilesRequest {
  indexName?: string | undefined;
  queryString: string;
  aggregationField?: string | undefined;
  queryVersion?: string | undefined;
  percents?: readonly number[] | undefined;
}

export interface GetPercentilesResponse {
  percentiles?: readonly PercentPair[] | undefined;
}

export interface GetPolicyRequest {
  policyName: string;
}

export interface GetPolicyResponse {
  policyName?: string | undefined;
  policyArn?: string | undefined;
  policyDocument?: string | undefined;
  defaultVersionId?: string | undefined;
  creationDate?: number | undefined;
  lastModifiedDate?: number | undefined;
  generationId?: string | undefined;
}

export interface GetPolicyVersionRequest {
  policyName: string;
  policyVersionId: string;
}

export interface GetPolicyVersionResponse {
  policyArn?: string | undefined;
  policyName?: string | undefined;
  policyDocument?: string | undefined;
  policyVersionId?: string | undefined;
  isDefaultVersion?: boolean | undefined;
  creationDate?: number | undefined;
  lastModifiedDate?: number | undefined;
  generationId?: string | undefined;
}

export type GetRegistrationCodeRequest = Readonly<Record<never, never>>;

export interface GetRegistrationCodeResponse {
  registrationCode?: string | undefined;
}

export interface GetStatisticsRequest {
  indexName?: string | undefined;
  queryString: string;
  aggregationField?: string | undefined;
  queryVersion?: string | undefined;
}

export interface GetStatisticsResponse {
  statistics?: Statistics | undefined;
}

export interface GetThingConnectivityDataRequest {
  thingName: string;
  includeSocketInformation?: boolean | undefined;
}

export interface GetThingConnectivityDataResponse {
  thingName?: string | undefined;
  connected?: boolean | undefined;
  timestamp?: number | undefined;
  disconnectReason?: "AUTH_ERROR" | "CLIENT_INITIATED_DISCONNECT" | "CLIENT_ERROR" | "CONNECTION_LOST" | "DUPLICATE_CLIENTID" | "FORBIDDEN_ACCESS" | "MQTT_KEEP_ALIVE_TIMEOUT" | "SERVER_ERROR" | "SERVER_INITIATED_DISCONNECT" | "API_INITIATED_DISCONNECT" | "THROTTLED" | "WEBSOCKET_TTL_EXPIRATION" | "CUSTOMAUTH_TTL_EXPIRATION" | "UNKNOWN" | "NONE" | undefined;
  sourceIp?: string | undefined;
  sourcePort?: number | undefined;
  targetIp?: string | undefined;
  targetPort?: number | undefined;
  vpcEndpointId?: string | undefined;
  keepAliveDuration?: number | undefined;
  cleanSession?: boolean | undefined;
  sessionExpiry?: number | undefined;
  clientId?: string | undefined;
}

export interface GetTopicRuleDestinationRequest {
  arn: string;
}

export interface GetTopicRuleDestinationResponse {
  topicRuleDestination?: TopicRuleDestination | undefined;
}

export interface GetTopicRuleRequest {
  ruleName: string;
}

export interface GetTopicRuleResponse {
  ruleArn?: string | undefined;
  rule?: TopicRule | undefined;
}

export interface GetV2LoggingOptionsRequest {
  verbose?: boolean | undefined;
}

export interface GetV2LoggingOptionsResponse {
  roleArn?: string | undefined;
  defaultLogLevel?: "DEBUG" | "INFO" | "ERROR" | "WARN" | "DISABLED" | undefined;
  disableAllLogs?: boolean | undefined;
  eventConfigurations?: readonly LogEventConfiguration[] | undefined;
}

export interface GroupNameAndArn {
  groupName?: string | undefined;
  groupArn?: string | undefined;
}

export interface HttpAction {
  url: string;
  confirmationUrl?: string | undefined;
  headers?: readonly HttpActionHeader[] | undefined;
  auth?: HttpAuthorization | undefined;
  enableBatching?: boolean | undefined;
  batchConfig?: BatchConfig | undefined;
}

export interface HttpActionHeader {
  key: string;
  value: string;
}

export interface HttpAuthorization {
  sigv4?: SigV4Authorization | undefined;
}

export interface HttpContext {
  headers?: Readonly<Record<string, string>> | undefined;
  queryString?: string | undefined;
}

export interface HttpUrlDestinationConfiguration {
  confirmationUrl: string;
}

export interface HttpUrlDestinationProperties {
  confirmationUrl?: string | undefined;
}

export interface HttpUrlDestinationSummary {
  confirmationUrl?: string | undefined;
}

export interface ImplicitDeny {
  policies?: readonly Policy[] | undefined;
}

export interface IndexingFilter {
  namedShadowNames?: readonly string[] | undefined;
  geoLocations?: readonly GeoLocationTarget[] | undefined;
  connectivity?: ConnectivityFilter | undefined;
}

export interface IotAnalyticsAction {
  channelArn?: string | undefined;
  channelName?: string | undefined;
  batchMode?: boolean | undefined;
  roleArn?: string | undefined;
}

export interface IotEventsAction {
  inputName: string;
  messageId?: string | undefined;
  batchMode?: boolean | undefined;
  roleArn: string;
}

export interface IotSiteWiseAction {
  putAssetPropertyValueEntries: readonly PutAssetPropertyValueEntry[];
  roleArn: string;
}

export interface Job {
  jobArn?: string | undefined;
  jobId?: string | undefined;
  targetSelection?: "CONTINUOUS" | "SNAPSHOT" | undefined;
  status?: "IN_PROGRESS" | "CANCELED" | "COMPLETED" | "DELETION_IN_PROGRESS" | "SCHEDULED" | undefined;
  forceCanceled?: boolean | undefined;
  reasonCode?: string | undefined;
  comment?: string | undefined;
  targets?: readonly string[] | undefined;
  description?: string | undefined;
  presignedUrlConfig?: PresignedUrlConfig | undefined;
  jobExecutionsRolloutConfig?: JobExecutionsRolloutConfig | undefined;
  abortConfig?: AbortConfig | undefined;
  createdAt?: number | undefined;
  lastUpdatedAt?: number | undefined;
  completedAt?: number | undefined;
  jobProcessDetails?: JobProcessDetails | undefined;
  timeoutConfig?: TimeoutConfig | undefined;
  namespaceId?: string | undefined;
  jobTemplateArn?: string | undefined;
  jobExecutionsRetryConfig?: JobExecutionsRetryConfig | undefined;
  documentParameters?: Readonly<Record<string, string>> | undefined;
  isConcurrent?: boolean | undefined;
  schedulingConfig?: SchedulingConfig | undefined;
  scheduledJobRollouts?: readonly ScheduledJobRollout[] | undefined;
  destinationPackageVersions?: readonly string[] | undefined;
}

export interface JobExecution {
  jobId?: string | undefined;
  status?: "QUEUED" | "IN_PROGRESS" | "SUCCEEDED" | "FAILED" | "TIMED_OUT" | "REJECTED" | "REMOVED" | "CANCELED" | undefined;
  forceCanceled?: boolean | undefined;
  statusDetails?: JobExecutionStatusDetails | undefined;
  thingArn?: string | undefined;
  queuedAt?: number | undefined;
  startedAt?: number | undefined;
  lastUpdatedAt?: number | undefined;
  executionNumber?: number | undefined;
  versionNumber?: number | undefined;
  approximateSecondsBeforeTimedOut?: number | undefined;
}

export interface JobExecutionStatusDetails {
  detailsMap?: Readonly<Record<string, string>> | undefined;
}

export interface JobExecutionSummary {
  status?: "QUEUED" | "IN_PROGRESS" | "SUCCEEDED" | "FAILED" | "TIMED_OUT" | "REJECTED" | "REMOVED" | "CANCELED" | undefined;
  queuedAt?: number | undefined;
  startedAt?: number | undefined;
  lastUpdatedAt?: number | undefined;
  executionNumber?: number | undefined;
  retryAttempt?: number | undefined;
}

export interface JobExecutionSummaryForJob {
  thingArn?: string | undefined;
  jobExecutionSummary?: JobExecutionSummary | undefined;
}

export interface JobExecutionSummaryForThing {
  jobId?: string | undefined;
  jobExecutionSummary?: JobExecutionSummary | undefined;
}

export interface JobExecutionsRetryConfig {
  criteriaList: readonly RetryCriteria[];
}

export interface JobExecutionsRolloutConfig {
  maximumPerMinute?: number | undefined;
  exponentialRate?: ExponentialRolloutRate | undefined;
}

export interface JobProcessDetails {
  processingTargets?: readonly string[] | undefined;
  numberOfCanceledThings?: number | undefined;
  numberOfSucceededThings?: number | undefined;
  numberOfFailedThings?: number | undefined;
  numberOfRejectedThings?: number | undefined;
  numberOfQueuedThings?: number | undefined;
  numberOfInProgressThings?: number | undefined;
  numberOfRemovedThings?: number | undefined;
  numberOfTimedOutThings?: number | undefined;
}

export interface JobSummary {
  jobArn?: string | undefined;
  jobId?: string | undefined;
  thingGroupId?: string | undefined;
  targetSelection?: "CONTINUOUS" | "SNAPSHOT" | undefined;
  status?: "IN_PROGRESS" | "CANCELED" | "COMPLETED" | "DELETION_IN_PROGRESS" | "SCHEDULED" | undefined;
  createdAt?: number | undefined;
  lastUpdatedAt?: number | undefined;
  completedAt?: number | undefined;
  isConcurrent?: boolean | undefined;
}

export interface JobTemplateSummary {
  jobTemplateArn?: string | undefined;
  jobTemplateId?: string | undefined;
  description?: string | undefined;
  createdAt?: number | undefined;
}

export interface KafkaAction {
  destinationArn: string;
  topic: string;
  key?: string | undefined;
  partition?: string | undefined;
  clientProperties: Readonly<Record<string, string>>;
  headers?: readonly KafkaActionHeader[] | undefined;
}

export interface KafkaActionHeader {
  key: string;
  value: string;
}

export interface KeyPair {
  PublicKey?: string | undefined;
  PrivateKey?: string | undefined;
}

export interface KinesisAction {
  roleArn: string;
  streamName: string;
  partitionKey?: string | undefined;
}

export interface LambdaAction {
  functionArn: string;
}

export interface ListAttachedPoliciesRequest {
  target: string;
  recursive?: boolean | undefined;
  marker?: string | undefined;
  pageSize?: number | undefined;
}

export interface ListAttachedPoliciesResponse {
  policies?: readonly Policy[] | undefined;
  nextMarker?: string | undefined;
}

export interface ListAuthorizersRequest {
  pageSize?: number | undefined;
  marker?: string | undefined;
  ascendingOrder?: boolean | undefined;
  status?: "ACTIVE" | "INACTIVE" | undefined;
}

export interface ListAuthorizersResponse {
  authorizers?: readonly AuthorizerSummary[] | undefined;
  nextMarker?: string | undefined;
}

export interface ListBillingGroupsRequest {
  nextToken?: string | undefined;
  maxResults?: number | undefined;
  namePrefixFilter?: string | undefined;
}

export interface ListBillingGroupsResponse {
  billingGroups?: readonly GroupNameAndArn[] | undefined;
  nextToken?: string | undefined;
}

export interface ListCACertificatesRequest {
  pageSize?: number | undefined;
  marker?: string | undefined;
  ascendingOrder?: boolean | undefined;
  templateName?: string | undefined;
}

export interface ListCACertificatesResponse {
  certificates?: readonly CACertificate[] | undefined;
  nextMarker?: string | undefined;
}

export interface ListCertificateProvidersRequest {
  nextToken?: string | undefined;
  ascendingOrder?: boolean | undefined;
}

export interface ListCertificateProvidersResponse {
  certificateProviders?: readonly CertificateProviderSummary[] | undefined;
  nextToken?: string | undefined;
}

export interface ListCertificatesByCARequest {
  caCertificateId: string;
  pageSize?: number | undefined;
  marker?: string | undefined;
  ascendingOrder?: boolean | undefined;
}

export interface ListCertificatesByCAResponse {
  certificates?: readonly Certificate[] | undefined;
  nextMarker?: string | undefined;
}

export interface ListCertificatesRequest {
  pageSize?: number | undefined;
  marker?: string | undefined;
  ascendingOrder?: boolean | undefined;
}

export interface ListCertificatesResponse {
  certificates?: readonly Certificate[] | undefined;
  nextMarker?: string | undefined;
}

export interface ListCommandExecutionsRequest {
  maxResults?: number | undefined;
  nextToken?: string | undefined;
  namespace?: "AWS-IoT" | "AWS-IoT-FleetWise" | undefined;
  status?: "CREATED" | "IN_PROGRESS" | "SUCCEEDED" | "FAILED" | "REJECTED" | "TIMED_OUT" | undefined;
  sortOrder?: "ASCENDING" | "DESCENDING" | undefined;
  startedTimeFilter?: TimeFilter | undefined;
  completedTimeFilter?: TimeFilter | undefined;
  targetArn?: string | undefined;
  commandArn?: string | undefined;
}

export interface ListCommandExecutionsResponse {
  commandExecutions?: readonly CommandExecutionSummary[] | undefined;
  nextToken?: string | undefined;
}

export interface ListCommandsRequest {
  maxResults?: number | undefined;
  nextToken?: string | undefined;
  namespace?: "AWS-IoT" | "AWS-IoT-FleetWise" | undefined;
  commandParameterName?: string | undefined;
  sortOrder?: "ASCENDING" | "DESCENDING" | undefined;
}

export interface ListCommandsResponse {
  commands?: readonly CommandSummary[] | undefined;
  nextToken?: string | undefined;
}

export interface ListDomainConfigurationsRequest {
  marker?: string | undefined;
  pageSize?: number | undefined;
  serviceType?: "DATA" | "CREDENTIAL_PROVIDER" | "JOBS" | undefined;
}

export interface ListDomainConfigurationsResponse {
  domainConfigurations?: readonly DomainConfigurationSummary[] | undefined;
  nextMarker?: string | undefined;
}

export interface ListFleetMetricsRequest {
  nextToken?: string | undefined;
  maxResults?: number | undefined;
}

export interface ListFleetMetricsResponse {
  fleetMetrics?: readonly FleetMetricNameAndArn[] | undefined;
  nextToken?: string | undefined;
}

export interface ListIndicesRequest {
  nextToken?: string | undefined;
  maxResults?: number | undefined;
}

export interface ListIndicesResponse {
  indexNames?: readonly string[] | undefined;
  nextToken?: string | undefined;
}

export interface ListJobExecutionsForJobRequest {
  jobId: string;
  status?: "QUEUED" | "IN_PROGRESS" | "SUCCEEDED" | "FAILED" | "TIMED_OUT" | "REJECTED" | "REMOVED" | "CANCELED" | undefined;
  maxResults?: number | undefined;
  nextToken?: string | undefined;
}

export interface ListJobExecutionsForJobResponse {
  executionSummaries?: readonly JobExecutionSummaryForJob[] | undefined;
  nextToken?: string | undefined;
}

export interface ListJobExecutionsForThingRequest {
  thingName: string;
  status?: "QUEUED" | "IN_PROGRESS" | "SUCCEEDED" | "FAILED" | "TIMED_OUT" | "REJECTED" | "REMOVED" | "CANCELED" | undefined;
  namespaceId?: string | undefined;
  maxResults?: number | undefined;
  nextToken?: string | undefined;
  jobId?: string | undefined;
}

export interface ListJobExecutionsForThingResponse {
  executionSummaries?: readonly JobExecutionSummaryForThing[] | undefined;
  nextToken?: string | undefined;
}

export interface ListJobTemplatesRequest {
  maxResults?: number | undefined;
  nextToken?: string | undefined;
}

export interface ListJobTemplatesResponse {
  jobTemplates?: readonly JobTemplateSummary[] | undefined;
  nextToken?: string | undefined;
}

export interface ListJobsRequest {
  status?: "IN_PROGRESS" | "CANCELED" | "COMPLETED" | "DELETION_IN_PROGRESS" | "SCHEDULED" | undefined;
  targetSelection?: "CONTINUOUS" | "SNAPSHOT" | undefined;
  maxResults?: number | undefined;
  nextToken?: string | undefined;
  thingGroupName?: string | undefined;
  thingGroupId?: string | undefined;
  namespaceId?: string | undefined;
}

export interface ListJobsResponse {
  jobs?: readonly JobSummary[] | undefined;
  nextToken?: string | undefined;
}

export interface ListManagedJobTemplatesRequest {
  templateName?: string | undefined;
  maxResults?: number | undefined;
  nextToken?: string | undefined;
}

export interface ListManagedJobTemplatesResponse {
  managedJobTemplates?: readonly ManagedJobTemplateSummary[] | undefined;
  nextToken?: string | undefined;
}

export interface ListOTAUpdatesRequest {
  maxResults?: number | undefined;
  nextToken?: string | undefined;
  otaUpdateStatus?: "CREATE_PENDING" | "CREATE_IN_PROGRESS" | "CREATE_COMPLETE" | "CREATE_FAILED" | "DELETE_IN_PROGRESS" | "DELETE_FAILED" | undefined;
}

export interface ListOTAUpdatesResponse {
  otaUpdates?: readonly OTAUpdateSummary[] | undefined;
  nextToken?: string | undefined;
}

export interface ListOutgoingCertificatesRequest {
  pageSize?: number | undefined;
  marker?: string | undefined;
  ascendingOrder?: boolean | undefined;
}

export interface ListOutgoingCertificatesResponse {
  outgoingCertificates?: readonly OutgoingCertificate[] | undefined;
  nextMarker?: string | undefined;
}

export interface ListPackageVersionsRequest {
  packageName: string;
  status?: "DRAFT" | "PUBLISHED" | "DEPRECATED" | undefined;
  maxResults?: number | undefined;
  nextToken?: string | undefined;
}

export interface ListPackageVersionsResponse {
  packageVersionSummaries?: readonly PackageVersionSummary[] | undefined;
  nextToken?: string | undefined;
}

export interface ListPackagesRequest {
  maxResults?: number | undefined;
  nextToken?: string | undefined;
}

export interface ListPackagesResponse {
  packageSummaries?: readonly PackageSummary[] | undefined;
  nextToken?: string | undefined;
}

export interface ListPoliciesRequest {
  marker?: string | undefined;
  pageSize?: number | undefined;
  ascendingOrder?: boolean | undefined;
}

export interface ListPoliciesResponse {
  policies?: readonly Policy[] | undefined;
  nextMarker?: string | undefined;
}

export interface ListPolicyPrincipalsRequest {
  policyName: string;
  marker?: string | undefined;
  pageSize?: number | undefined;
  ascendingOrder?: boolean | undefined;
}

export interface ListPolicyPrincipalsResponse {
  principals?: readonly string[] | undefined;
  nextMarker?: string | undefined;
}

export interface ListPolicyVersionsRequest {
  policyName: string;
}

export interface ListPolicyVersionsResponse {
  policyVersions?: readonly PolicyVersion[] | undefined;
}

export interface ListPrincipalPoliciesRequest {
  principal: string;
  marker?: string | undefined;
  pageSize?: number | undefined;
  ascendingOrder?: boolean | undefined;
}

export interface ListPrincipalPoliciesResponse {
  policies?: readonly Policy[] | undefined;
  nextMarker?: string | undefined;
}

export interface ListPrincipalThingsRequest {
  nextToken?: string | undefined;
  maxResults?: number | undefined;
  principal: string;
}

export interface ListPrincipalThingsResponse {
  things?: readonly string[] | undefined;
  nextToken?: string | undefined;
}

export interface ListPrincipalThingsV2Request {
  nextToken?: string | undefined;
  maxResults?: number | undefined;
  principal: string;
  thingPrincipalType?: "EXCLUSIVE_THING" | "NON_EXCLUSIVE_THING" | undefined;
}

export interface ListPrincipalThingsV2Response {
  principalThingObjects?: readonly PrincipalThingObject[] | undefined;
  nextToken?: string | undefined;
}

export interface ListProvisioningTemplateVersionsRequest {
  templateName: string;
  maxResults?: number | undefined;
  nextToken?: string | undefined;
}

export interface ListProvisioningTemplateVersionsResponse {
  versions?: readonly ProvisioningTemplateVersionSummary[] | undefined;
  nextToken?: string | undefined;
}

export interface ListProvisioningTemplatesRequest {
  maxResults?: number | undefined;
  nextToken?: string | undefined;
}

export interface ListProvisioningTemplatesResponse {
  templates?: readonly ProvisioningTemplateSummary[] | undefined;
  nextToken?: string | undefined;
}

export interface ListRoleAliasesRequest {
  pageSize?: number | undefined;
  marker?: string | undefined;
  ascendingOrder?: boolean | undefined;
}

export interface ListRoleAliasesResponse {
  roleAliases?: readonly string[] | undefined;
  nextMarker?: string | undefined;
}

export interface ListSbomValidationResultsRequest {
  packageName: string;
  versionName: string;
  validationResult?: "FAILED" | "SUCCEEDED" | undefined;
  maxResults?: number | undefined;
  nextToken?: string | undefined;
}

export interface ListSbomValidationResultsResponse {
  validationResultSummaries?: readonly SbomValidationResultSummary[] | undefined;
  nextToken?: string | undefined;
}

export interface ListStreamsRequest {
  maxResults?: number | undefined;
  nextToken?: string | undefined;
  ascendingOrder?: boolean | undefined;
}

export interface ListStreamsResponse {
  streams?: readonly StreamSummary[] | undefined;
  nextToken?: string | undefined;
}

export interface ListTagsForResourceRequest {
  resourceArn: string;
  nextToken?: string | undefined;
}

export interface ListTagsForResourceResponse {
  tags?: readonly Tag[] | undefined;
  nextToken?: string | undefined;
}

export interface ListTargetsForPolicyRequest {
  policyName: string;
  marker?: string | undefined;
  pageSize?: number | undefined;
}

export interface ListTargetsForPolicyResponse {
  targets?: readonly string[] | undefined;
  nextMarker?: string | undefined;
}

export interface ListThingGroupsForThingRequest {
  thingName: string;
  nextToken?: string | undefined;
  maxResults?: number | undefined;
}

export interface ListThingGroupsForThingResponse {
  thingGroups?: readonly GroupNameAndArn[] | undefined;
  nextToken?: string | undefined;
}

export interface ListThingGroupsRequest {
  nextToken?: string | undefined;
  maxResults?: number | undefined;
  parentGroup?: string | undefined;
  namePrefixFilter?: string | undefined;
  recursive?: boolean | undefined;
}

export interface ListThingGroupsResponse {
  thingGroups?: readonly GroupNameAndArn[] | undefined;
  nextToken?: string | undefined;
}

export interface ListThingPrincipalsRequest {
  nextToken?: string | undefined;
  maxResults?: number | undefined;
  thingName: string;
}

export interface ListThingPrincipalsResponse {
  principals?: readonly string[] | undefined;
  nextToken?: string | undefined;
}

export interface ListThingPrincipalsV2Request {
  nextToken?: string | undefined;
  maxResults?: number | undefined;
  thingName: string;
  thingPrincipalType?: "EXCLUSIVE_THING" | "NON_EXCLUSIVE_THING" | undefined;
}

export interface ListThingPrincipalsV2Response {
  thingPrincipalObjects?: readonly ThingPrincipalObject[] | undefined;
  nextToken?: string | undefined;
}

export interface ListThingRegistrationTaskReportsRequest {
  taskId: string;
  reportType: "ERRORS" | "RESULTS";
  nextToken?: string | undefined;
  maxResults?: number | undefined;
}

export interface ListThingRegistrationTaskReportsResponse {
  resourceLinks?: readonly string[] | undefined;
  reportType?: "ERRORS" | "RESULTS" | undefined;
  nextToken?: string | undefined;
}

export interface ListThingRegistrationTasksRequest {
  nextToken?: string | undefined;
  maxResults?: number | undefined;
  status?: "InProgress" | "Completed" | "Failed" | "Cancelled" | "Cancelling" | undefined;
}

export interface ListThingRegistrationTasksResponse {
  taskIds?: readonly string[] | undefined;
  nextToken?: string | undefined;
}

export interface ListThingTypesRequest {
  nextToken?: string | undefined;
  maxResults?: number | undefined;
  thingTypeName?: string | undefined;
}

export interface ListThingTypesResponse {
  thingTypes?: readonly ThingTypeDefinition[] | undefined;
  nextToken?: string | undefined;
}

export interface ListThingsInBillingGroupRequest {
  billingGroupName: string;
  nextToken?: string | undefined;
  maxResults?: number | undefined;
}

export interface ListThingsInBillingGroupResponse {
  things?: readonly string[] | undefined;
  nextToken?: string | undefined;
}

export interface ListThingsInThingGroupRequest {
  thingGroupName: string;
  recursive?: boolean | undefined;
  nextToken?: string | undefined;
  maxResults?: number | undefined;
}

export interface ListThingsInThingGroupResponse {
  things?: readonly string[] | undefined;
  nextToken?: string | undefined;
}

export interface ListThingsRequest {
  nextToken?: string | undefined;
  maxResults?: number | undefined;
  attributeName?: string | undefined;
  attributeValue?: string | undefined;
  thingTypeName?: string | undefined;
  usePrefixAttributeValue?: boolean | undefined;
}

export interface ListThingsResponse {
  things?: readonly ThingAttribute[] | undefined;
  nextToken?: string | undefined;
}

export interface ListTopicRuleDestinationsRequest {
  maxResults?: number | undefined;
  nextToken?: string | undefined;
}

export interface ListTopicRuleDestinationsResponse {
  destinationSummaries?: readonly TopicRuleDestinationSummary[] | undefined;
  nextToken?: string | undefined;
}

export interface ListTopicRulesRequest {
  topic?: string | undefined;
  maxResults?: number | undefined;
  nextToken?: string | undefined;
  ruleDisabled?: boolean | undefined;
}

export interface ListTopicRulesResponse {
  rules?: readonly TopicRuleListItem[] | undefined;
  nextToken?: string | undefined;
}

export interface ListV2LoggingLevelsRequest {
  targetType?: "DEFAULT" | "THING_GROUP" | "CLIENT_ID" | "SOURCE_IP" | "PRINCIPAL_ID" | undefined;
  nextToken?: string | undefined;
  maxResults?: number | undefined;
}

export interface ListV2LoggingLevelsResponse {
  logTargetConfigurations?: readonly LogTargetConfiguration[] | undefined;
  nextToken?: string | undefined;
}

export interface LocationAction {
  roleArn: string;
  trackerName: string;
  deviceId: string;
  timestamp?: LocationTimestamp | undefined;
  latitude: string;
  longitude: string;
}

export interface LocationTimestamp {
  value: string;
  unit?: string | undefined;
}

export interface LogEventConfiguration {
  eventType: string;
  logLevel?: "DEBUG" | "INFO" | "ERROR" | "WARN" | "DISABLED" | undefined;
  logDestination?: string | undefined;
}

export interface LogTarget {
  targetType: "DEFAULT" | "THING_GROUP" | "CLIENT_ID" | "SOURCE_IP" | "PRINCIPAL_ID";
  targetName?: string | undefined;
}

export interface LogTargetConfiguration {
  logTarget?: LogTarget | undefined;
  logLevel?: "DEBUG" | "INFO" | "ERROR" | "WARN" | "DISABLED" | undefined;
}

export interface LoggingOptionsPayload {
  roleArn: string;
  logLevel?: "DEBUG" | "INFO" | "ERROR" | "WARN" | "DISABLED" | undefined;
}

export interface MaintenanceWindow {
  startTime: string;
  durationInMinutes: number;
}

export interface ManagedJobTemplateSummary {
  templateArn?: string | undefined;
  templateName?: string | undefined;
  description?: string | undefined;
  environments?: readonly string[] | undefined;
  templateVersion?: string | undefined;
}

export interface Mqtt5Configuration {
  propagatingAttributes?: readonly PropagatingAttribute[] | undefined;
}

export interface MqttContext {
  username?: string | undefined;
  password?: Uint8Array | undefined;
  clientId?: string | undefined;
}

export interface MqttHeaders {
  payloadFormatIndicator?: string | undefined;
  contentType?: string | undefined;
  responseTopic?: string | undefined;
  correlationData?: string | undefined;
  messageExpiry?: string | undefined;
  userProperties?: readonly UserProperty[] | undefined;
}

export interface OTAUpdateFile {
  fileName?: string | undefined;
  fileType?: number | undefined;
  fileVersion?: string | undefined;
  fileLocation?: FileLocation | undefined;
  codeSigning?: CodeSigning | undefined;
  attributes?: Readonly<Record<string, string>> | undefined;
}

export interface OTAUpdateInfo {
  otaUpdateId?: string | undefined;
  otaUpdateArn?: string | undefined;
  creationDate?: number | undefined;
  lastModifiedDate?: number | undefined;
  description?: string | undefined;
  targets?: readonly string[] | undefined;
  protocols?: readonly ("MQTT" | "HTTP")[] | undefined;
  awsJobExecutionsRolloutConfig?: AwsJobExecutionsRolloutConfig | undefined;
  awsJobPresignedUrlConfig?: AwsJobPresignedUrlConfig | undefined;
  targetSelection?: "CONTINUOUS" | "SNAPSHOT" | undefined;
  otaUpdateFiles?: readonly OTAUpdateFile[] | undefined;
  otaUpdateStatus?: "CREATE_PENDING" | "CREATE_IN_PROGRESS" | "CREATE_COMPLETE" | "CREATE_FAILED" | "DELETE_IN_PROGRESS" | "DELETE_FAILED" | undefined;
  awsIotJobId?: string | undefined;
  awsIotJobArn?: string | undefined;
  errorInfo?: ErrorInfo | undefined;
  additionalParameters?: Readonly<Record<string, string>> | undefined;
}

export interface OTAUpdateSummary {
  otaUpdateId?: string | undefined;
  otaUpdateArn?: string | undefined;
  creationDate?: number | undefined;
}

export interface OpenSearchAction {
  roleArn: string;
  endpoint: string;
  index: string;
  type: string;
  id: string;
}

export interface OutgoingCertificate {
  certificateArn?: string | undefined;
  certificateId?: string | undefined;
  transferredTo?: string | undefined;
  transferDate?: number | undefined;
  transferMessage?: string | undefined;
  creationDate?: number | undefined;
}

export interface PackageSummary {
  packageName?: string | undefined;
  defaultVersionName?: string | undefined;
  creationDate?: number | undefined;
  lastModifiedDate?: number | undefined;
}

export interface PackageVersionArtifact {
  s3Location?: S3Location | undefined;
}

export interface PackageVersionSummary {
  packageName?: string | undefined;
  versionName?: string | undefined;
  status?: "DRAFT" | "PUBLISHED" | "DEPRECATED" | undefined;
  creationDate?: number | undefined;
  lastModifiedDate?: number | undefined;
}

export interface PercentPair {
  percent?: number | undefined;
  value?: number | undefined;
}

export interface Policy {
  policyName?: string | undefined;
  policyArn?: string | undefined;
}

export interface PolicyVersion {
  versionId?: string | undefined;
  isDefaultVersion?: boolean | undefined;
  createDate?: number | undefined;
}

export interface PresignedUrlConfig {
  roleArn?: string | undefined;
  expiresInSec?: number | undefined;
}

export interface PrincipalThingObject {
  thingName: string;
  thingPrincipalType?: "EXCLUSIVE_THING" | "NON_EXCLUSIVE_THING" | undefined;
}

export interface PropagatingAttribute {
  userPropertyKey?: string | undefined;
  thingAttribute?: string | undefined;
  connectionAttribute?: string | undefined;
}

export interface ProvisioningHook {
  payloadVersion?: string | undefined;
  targetArn: string;
}

export interface ProvisioningTemplateSummary {
  templateArn?: string | undefined;
  templateName?: string | undefined;
  description?: string | undefined;
  creationDate?: number | undefined;
  lastModifiedDate?: number | undefined;
  enabled?: boolean | undefined;
  type?: "FLEET_PROVISIONING" | "JITP" | undefined;
}

export interface ProvisioningTemplateVersionSummary {
  versionId?: number | undefined;
  creationDate?: number | undefined;
  isDefaultVersion?: boolean | undefined;
}

export interface PutAssetPropertyValueEntry {
  entryId?: string | undefined;
  assetId?: string | undefined;
  propertyId?: string | undefined;
  propertyAlias?: string | undefined;
  propertyValues: readonly AssetPropertyValue[];
}

export interface PutItemInput {
  tableName: string;
}

export interface RateIncreaseCriteria {
  numberOfNotifiedThings?: number | undefined;
  numberOfSucceededThings?: number | undefined;
}

export interface RegisterCACertificateRequest {
  caCertificate: string;
  verificationCertificate?: string | undefined;
  setAsActive?: boolean | undefined;
  allowAutoRegistration?: boolean | undefined;
  registrationConfig?: RegistrationConfig | undefined;
  tags?: readonly Tag[] | undefined;
  certificateMode?: "DEFAULT" | "SNI_ONLY" | undefined;
}

export interface RegisterCACertificateResponse {
  certificateArn?: string | undefined;
  certificateId?: string | undefined;
}

export interface RegisterCertificateRequest {
  certificatePem: string;
  caCertificatePem?: string | undefined;
  setAsActive?: boolean | undefined;
  status?: "ACTIVE" | "INACTIVE" | "REVOKED" | "PENDING_TRANSFER" | "REGISTER_INACTIVE" | "PENDING_ACTIVATION" | undefined;
}

export interface RegisterCertificateResponse {
  certificateArn?: string | undefined;
  certificateId?: string | undefined;
}

export interface RegisterCertificateWithoutCARequest {
  certificatePem: string;
  status?: "ACTIVE" | "INACTIVE" | "REVOKED" | "PENDING_TRANSFER" | "REGISTER_INACTIVE" | "PENDING_ACTIVATION" | undefined;
}

export interface RegisterCertificateWithoutCAResponse {
  certificateArn?: string | undefined;
  certificateId?: string | undefined;
}

export interface RegisterThingRequest {
  templateBody: string;
  parameters?: Readonly<Record<string, string>> | undefined;
}

export interface RegisterThingResponse {
  certificatePem?: string | undefined;
  resourceArns?: Readonly<Record<string, string>> | undefined;
}

export interface RegistrationConfig {
  templateBody?: string | undefined;
  roleArn?: string | undefined;
  templateName?: string | undefined;
}

export interface RejectCertificateTransferRequest {
  certificateId: string;
  rejectReason?: string | undefined;
}

export interface RemoveThingFromBillingGroupRequest {
  billingGroupName?: string | undefined;
  billingGroupArn?: string | undefined;
  thingName?: string | undefined;
  thingArn?: string | undefined;
}

export type RemoveThingFromBillingGroupResponse = Readonly<Record<never, never>>;

export interface RemoveThingFromThingGroupRequest {
  thingGroupName?: string | undefined;
  thingGroupArn?: string | undefined;
  thingName?: string | undefined;
  thingArn?: string | undefined;
}

export type RemoveThingFromThingGroupResponse = Readonly<Record<never, never>>;

export interface ReplaceTopicRuleRequest {
  ruleName: string;
  topicRulePayload: TopicRulePayload;
}

export interface RepublishAction {
  roleArn: string;
  topic: string;
  qos?: number | undefined;
  headers?: MqttHeaders | undefined;
}

export interface RetryCriteria {
  failureType: "FAILED" | "TIMED_OUT" | "ALL";
  numberOfRetries: number;
}

export interface RoleAliasDescription {
  roleAlias?: string | undefined;
  roleAliasArn?: string | undefined;
  roleArn?: string | undefined;
  owner?: string | undefined;
  credentialDurationSeconds?: number | undefined;
  creationDate?: number | undefined;
  lastModifiedDate?: number | undefined;
}

export interface S3Action {
  roleArn: string;
  bucketName: string;
  key: string;
  cannedAcl?: "private" | "public-read" | "public-read-write" | "aws-exec-read" | "authenticated-read" | "bucket-owner-read" | "bucket-owner-full-control" | "log-delivery-write" | undefined;
}

export interface S3Destination {
  bucket?: string | undefined;
  prefix?: string | undefined;
}

export interface S3Location {
  bucket?: string | undefined;
  key?: string | undefined;
  version?: string | undefined;
}

export interface SalesforceAction {
  token: string;
  url: string;
}

export interface Sbom {
  s3Location?: S3Location | undefined;
}

export interface SbomValidationResultSummary {
  fileName?: string | undefined;
  validationResult?: "FAILED" | "SUCCEEDED" | undefined;
  errorCode?: "INCOMPATIBLE_FORMAT" | "FILE_SIZE_LIMIT_EXCEEDED" | undefined;
  errorMessage?: string | undefined;
}

export interface ScheduledJobRollout {
  startTime?: string | undefined;
}

export interface SchedulingConfig {
  startTime?: string | undefined;
  endTime?: string | undefined;
  endBehavior?: "STOP_ROLLOUT" | "CANCEL" | "FORCE_CANCEL" | undefined;
  maintenanceWindows?: readonly MaintenanceWindow[] | undefined;
}

export interface SearchIndexRequest {
  indexName?: string | undefined;
  queryString: string;
  nextToken?: string | undefined;
  maxResults?: number | undefined;
  queryVersion?: string | undefined;
}

export interface SearchIndexResponse {
  nextToken?: string | undefined;
  things?: readonly ThingDocument[] | undefined;
  thingGroups?: readonly ThingGroupDocument[] | undefined;
}

export interface ServerCertificateConfig {
  enableOCSPCheck?: boolean | undefined;
  ocspLambdaArn?: string | undefined;
  ocspAuthorizedResponderArn?: string | undefined;
}

export interface ServerCertificateSummary {
  serverCertificateArn?: string | undefined;
  serverCertificateStatus?: "INVALID" | "VALID" | undefined;
  serverCertificateStatusDetail?: string | undefined;
}

export interface SetDefaultAuthorizerRequest {
  authorizerName: string;
}

export interface SetDefaultAuthorizerResponse {
  authorizerName?: string | undefined;
  authorizerArn?: string | undefined;
}

export interface SetDefaultPolicyVersionRequest {
  policyName: string;
  policyVersionId: string;
}

export interface SetLoggingOptionsRequest {
  loggingOptionsPayload: LoggingOptionsPayload;
}

export interface SetV2LoggingLevelRequest {
  logTarget: LogTarget;
  logLevel: "DEBUG" | "INFO" | "ERROR" | "WARN" | "DISABLED";
}

export interface SetV2LoggingOptionsRequest {
  roleArn?: string | undefined;
  defaultLogLevel?: "DEBUG" | "INFO" | "ERROR" | "WARN" | "DISABLED" | undefined;
  disableAllLogs?: boolean | undefined;
  eventConfigurations?: readonly LogEventConfiguration[] | undefined;
}

export interface SigV4Authorization {
  signingRegion: string;
  serviceName: string;
  roleArn: string;
}

export interface SigningProfileParameter {
  certificateArn?: string | undefined;
  platform?: string | undefined;
  certificatePathOnDevice?: string | undefined;
}

export interface SnsAction {
  targetArn: string;
  roleArn: string;
  messageFormat?: "RAW" | "JSON" | undefined;
}

export interface SqsAction {
  roleArn: string;
  queueUrl: string;
  useBase64?: boolean | undefined;
}

export interface StartSigningJobParameter {
  signingProfileParameter?: SigningProfileParameter | undefined;
  signingProfileName?: string | undefined;
  destination?: Destination | undefined;
}

export interface StartThingRegistrationTaskRequest {
  templateBody: string;
  inputFileBucket: string;
  inputFileKey: string;
  roleArn: string;
}

export interface StartThingRegistrationTaskResponse {
  taskId?: string | undefined;
}

export interface Statistics {
  count?: number | undefined;
  average?: number | undefined;
  sum?: number | undefined;
  minimum?: number | undefined;
  maximum?: number | undefined;
  sumOfSquares?: number | undefined;
  variance?: number | undefined;
  stdDeviation?: number | undefined;
}

export interface StatusReason {
  reasonCode: string;
  reasonDescription?: string | undefined;
}

export interface StepFunctionsAction {
  executionNamePrefix?: string | undefined;
  stateMachineName: string;
  roleArn: string;
}

export interface StopThingRegistrationTaskRequest {
  taskId: string;
}

export type StopThingRegistrationTaskResponse = Readonly<Record<never, never>>;

export interface Stream {
  streamId?: string | undefined;
  fileId?: number | undefined;
}

export interface StreamFile {
  fileId?: number | undefined;
  s3Location?: S3Location | undefined;
}

export interface StreamInfo {
  streamId?: string | undefined;
  streamArn?: string | undefined;
  streamVersion?: number | undefined;
  description?: string | undefined;
  files?: readonly StreamFile[] | undefined;
  createdAt?: number | undefined;
  lastUpdatedAt?: number | undefined;
  roleArn?: string | undefined;
}

export interface StreamSummary {
  streamId?: string | undefined;
  streamArn?: string | undefined;
  streamVersion?: number | undefined;
  description?: string | undefined;
}

export interface Tag {
  Key: string;
  Value?: string | undefined;
}

export interface TagResourceRequest {
  resourceArn: string;
  tags: readonly Tag[];
}

export type TagResourceResponse = Readonly<Record<never, never>>;

export interface TermsAggregation {
  maxBuckets?: number | undefined;
}

export interface TestAuthorizationRequest {
  principal?: string | undefined;
  cognitoIdentityPoolId?: string | undefined;
  authInfos: readonly AuthInfo[];
  clientId?: string | undefined;
  policyNamesToAdd?: readonly string[] | undefined;
  policyNamesToSkip?: readonly string[] | undefined;
}

export interface TestAuthorizationResponse {
  authResults?: readonly AuthResult[] | undefined;
}

export interface TestInvokeAuthorizerRequest {
  authorizerName: string;
  token?: string | undefined;
  tokenSignature?: string | undefined;
  httpContext?: HttpContext | undefined;
  mqttContext?: MqttContext | undefined;
  tlsContext?: TlsContext | undefined;
}

export interface TestInvokeAuthorizerResponse {
  isAuthenticated?: boolean | undefined;
  principalId?: string | undefined;
  policyDocuments?: readonly string[] | undefined;
  refreshAfterInSeconds?: number | undefined;
  disconnectAfterInSeconds?: number | undefined;
}

export interface ThingAttribute {
  thingName?: string | undefined;
  thingTypeName?: string | undefined;
  thingArn?: string | undefined;
  attributes?: Readonly<Record<string, string>> | undefined;
  version?: number | undefined;
}

export interface ThingConnectivity {
  connected?: boolean | undefined;
  timestamp?: number | undefined;
  disconnectReason?: string | undefined;
  keepAliveDuration?: number | undefined;
  cleanSession?: boolean | undefined;
  sessionExpiry?: number | undefined;
  clientId?: string | undefined;
}

export interface ThingDocument {
  thingName?: string | undefined;
  thingId?: string | undefined;
  thingTypeName?: string | undefined;
  thingGroupNames?: readonly string[] | undefined;
  attributes?: Readonly<Record<string, string>> | undefined;
  shadow?: string | undefined;
  deviceDefender?: string | undefined;
  connectivity?: ThingConnectivity | undefined;
}

export interface ThingGroupDocument {
  thingGroupName?: string | undefined;
  thingGroupId?: string | undefined;
  thingGroupDescription?: string | undefined;
  attributes?: Readonly<Record<string, string>> | undefined;
  parentGroupNames?: readonly string[] | undefined;
}

export interface ThingGroupIndexingConfiguration {
  thingGroupIndexingMode: "OFF" | "ON";
  managedFields?: readonly Field[] | undefined;
  customFields?: readonly Field[] | undefined;
}

export interface ThingGroupMetadata {
  parentGroupName?: string | undefined;
  rootToParentThingGroups?: readonly GroupNameAndArn[] | undefined;
  creationDate?: number | undefined;
}

export interface ThingGroupProperties {
  thingGroupDescription?: string | undefined;
  attributePayload?: AttributePayload | undefined;
}

export interface ThingIndexingConfiguration {
  thingIndexingMode: "OFF" | "REGISTRY" | "REGISTRY_AND_SHADOW";
  thingConnectivityIndexingMode?: "OFF" | "STATUS" | undefined;
  deviceDefenderIndexingMode?: "OFF" | "VIOLATIONS" | undefined;
  namedShadowIndexingMode?: "OFF" | "ON" | undefined;
  managedFields?: readonly Field[] | undefined;
  customFields?: readonly Field[] | undefined;
  filter?: IndexingFilter | undefined;
}

export interface ThingPrincipalObject {
  principal: string;
  thingPrincipalType?: "EXCLUSIVE_THING" | "NON_EXCLUSIVE_THING" | undefined;
}

export interface ThingTypeDefinition {
  thingTypeName?: string | undefined;
  thingTypeArn?: string | undefined;
  thingTypeProperties?: ThingTypeProperties | undefined;
  thingTypeMetadata?: ThingTypeMetadata | undefined;
}

export interface ThingTypeMetadata {
  deprecated?: boolean | undefined;
  deprecationDate?: number | undefined;
  creationDate?: number | undefined;
}

export interface ThingTypeProperties {
  thingTypeDescription?: string | undefined;
  searchableAttributes?: readonly string[] | undefined;
  mqtt5Configuration?: Mqtt5Configuration | undefined;
}

export interface TimeFilter {
  after?: string | undefined;
  before?: string | undefined;
}

export interface TimeoutConfig {
  inProgressTimeoutInMinutes?: number | undefined;
}

export interface TimestreamAction {
  roleArn: string;
  databaseName: string;
  tableName: string;
  dimensions: readonly TimestreamDimension[];
  timestamp?: TimestreamTimestamp | undefined;
}

export interface TimestreamDimension {
  name: string;
  value: string;
}

export interface TimestreamTimestamp {
  value: string;
  unit: string;
}

export interface TlsConfig {
  securityPolicy?: string | undefined;
}

export interface TlsContext {
  serverName?: string | undefined;
}

export interface TopicRule {
  ruleName?: string | undefined;
  sql?: string | undefined;
  description?: string | undefined;
  createdAt?: number | undefined;
  actions?: readonly Action[] | undefined;
  ruleDisabled?: boolean | undefined;
  awsIotSqlVersion?: string | undefined;
  errorAction?: Action | undefined;
}

export interface TopicRuleDestination {
  arn?: string | undefined;
  status?: "ENABLED" | "IN_PROGRESS" | "DISABLED" | "ERROR" | "DELETING" | undefined;
  createdAt?: number | undefined;
  lastUpdatedAt?: number | undefined;
  statusReason?: string | undefined;
  httpUrlProperties?: HttpUrlDestinationProperties | undefined;
  vpcProperties?: VpcDestinationProperties | undefined;
}

export interface TopicRuleDestinationConfiguration {
  httpUrlConfiguration?: HttpUrlDestinationConfiguration | undefined;
  vpcConfiguration?: VpcDestinationConfiguration | undefined;
}

export interface TopicRuleDestinationSummary {
  arn?: string | undefined;
  status?: "ENABLED" | "IN_PROGRESS" | "DISABLED" | "ERROR" | "DELETING" | undefined;
  createdAt?: number | undefined;
  lastUpdatedAt?: number | undefined;
  statusReason?: string | undefined;
  httpUrlSummary?: HttpUrlDestinationSummary | undefined;
  vpcDestinationSummary?: VpcDestinationSummary | undefined;
}

export interface TopicRuleListItem {
  ruleArn?: string | undefined;
  ruleName?: string | undefined;
  topicPattern?: string | undefined;
  createdAt?: number | undefined;
  ruleDisabled?: boolean | undefined;
}

export interface TopicRulePayload {
  sql: string;
  description?: string | undefined;
  actions: readonly Action[];
  ruleDisabled?: boolean | undefined;
  awsIotSqlVersion?: string | undefined;
  errorAction?: Action | undefined;
}

export interface TransferCertificateRequest {
  certificateId: string;
  targetAwsAccount: string;
  transferMessage?: string | undefined;
}

export interface TransferCertificateResponse {
  transferredCertificateArn?: string | undefined;
}

export interface TransferData {
  transferMessage?: string | undefined;
  rejectReason?: string | undefined;
  transferDate?: number | undefined;
  acceptDate?: number | undefined;
  rejectDate?: number | undefined;
}

export interface UntagResourceRequest {
  resourceArn: string;
  tagKeys: readonly string[];
}

export type UntagResourceResponse = Readonly<Record<never, never>>;

export interface UpdateAuthorizerRequest {
  authorizerName: string;
  authorizerFunctionArn?: string | undefined;
  tokenKeyName?: string | undefined;
  tokenSigningPublicKeys?: Readonly<Record<string, string>> | undefined;
  status?: "ACTIVE" | "INACTIVE" | undefined;
  enableCachingForHttp?: boolean | undefined;
}

export interface UpdateAuthorizerResponse {
  authorizerName?: string | undefined;
  authorizerArn?: string | undefined;
}

export interface UpdateBillingGroupRequest {
  billingGroupName: string;
  billingGroupProperties: BillingGroupProperties;
  expectedVersion?: number | undefined;
}

export interface UpdateBillingGroupResponse {
  version?: number | undefined;
}

export interface UpdateCACertificateRequest {
  certificateId: string;
  newStatus?: "ACTIVE" | "INACTIVE" | undefined;
  newAutoRegistrationStatus?: "ENABLE" | "DISABLE" | undefined;
  registrationConfig?: RegistrationConfig | undefined;
  removeAutoRegistration?: boolean | undefined;
}

export interface UpdateCertificateProviderRequest {
  certificateProviderName: string;
  lambdaFunctionArn?: string | undefined;
  accountDefaultForOperations?: readonly "CreateCertificateFromCsr"[] | undefined;
}

export interface UpdateCertificateProviderResponse {
  certificateProviderName?: string | undefined;
  certificateProviderArn?: string | undefined;
}

export interface UpdateCertificateRequest {
  certificateId: string;
  newStatus: "ACTIVE" | "INACTIVE" | "REVOKED" | "PENDING_TRANSFER" | "REGISTER_INACTIVE" | "PENDING_ACTIVATION";
}

export interface UpdateCommandRequest {
  commandId: string;
  displayName?: string | undefined;
  description?: string | undefined;
  deprecated?: boolean | undefined;
}

export interface UpdateCommandResponse {
  commandId?: string | undefined;
  displayName?: string | undefined;
  description?: string | undefined;
  deprecated?: boolean | undefined;
  lastUpdatedAt?: number | undefined;
}

export interface UpdateDomainConfigurationRequest {
  domainConfigurationName: string;
  authorizerConfig?: AuthorizerConfig | undefined;
  domainConfigurationStatus?: "ENABLED" | "DISABLED" | undefined;
  removeAuthorizerConfig?: boolean | undefined;
  tlsConfig?: TlsConfig | undefined;
  serverCertificateConfig?: ServerCertificateConfig | undefined;
  authenticationType?: "CUSTOM_AUTH_X509" | "CUSTOM_AUTH" | "AWS_X509" | "AWS_SIGV4" | "DEFAULT" | undefined;
  applicationProtocol?: "SECURE_MQTT" | "MQTT_WSS" | "HTTPS" | "DEFAULT" | undefined;
  clientCertificateConfig?: ClientCertificateConfig | undefined;
}

export interface UpdateDomainConfigurationResponse {
  domainConfigurationName?: string | undefined;
  domainConfigurationArn?: string | undefined;
}

export interface UpdateDynamicThingGroupRequest {
  thingGroupName: string;
  thingGroupProperties: ThingGroupProperties;
  expectedVersion?: number | undefined;
  indexName?: string | undefined;
  queryString?: string | undefined;
  queryVersion?: string | undefined;
}

export interface UpdateDynamicThingGroupResponse {
  version?: number | undefined;
}

export interface UpdateEncryptionConfigurationRequest {
  encryptionType: "CUSTOMER_MANAGED_KMS_KEY" | "AWS_OWNED_KMS_KEY";
  kmsKeyArn?: string | undefined;
  kmsAccessRoleArn?: string | undefined;
}

export type UpdateEncryptionConfigurationResponse = Readonly<Record<never, never>>;

export interface UpdateEventConfigurationsRequest {
  eventConfigurations?: Readonly<Record<string, Configuration>> | undefined;
}

export type UpdateEventConfigurationsResponse = Readonly<Record<never, never>>;

export interface UpdateFleetMetricRequest {
  metricName: string;
  queryString?: string | undefined;
  aggregationType?: AggregationType | undefined;
  period?: number | undefined;
  aggregationField?: string | undefined;
  description?: string | undefined;
  queryVersion?: string | undefined;
  indexName: string;
  unit?: "Seconds" | "Microseconds" | "Milliseconds" | "Bytes" | "Kilobytes" | "Megabytes" | "Gigabytes" | "Terabytes" | "Bits" | "Kilobits" | "Megabits" | "Gigabits" | "Terabits" | "Percent" | "Count" | "Bytes/Second" | "Kilobytes/Second" | "Megabytes/Second" | "Gigabytes/Second" | "Terabytes/Second" | "Bits/Second" | "Kilobits/Second" | "Megabits/Second" | "Gigabits/Second" | "Terabits/Second" | "Count/Second" | "None" | undefined;
  expectedVersion?: number | undefined;
}

export interface UpdateIndexingConfigurationRequest {
  thingIndexingConfiguration?: ThingIndexingConfiguration | undefined;
  thingGroupIndexingConfiguration?: ThingGroupIndexingConfiguration | undefined;
}

export type UpdateIndexingConfigurationResponse = Readonly<Record<never, never>>;

export interface UpdateJobRequest {
  jobId: string;
  description?: string | undefined;
  presignedUrlConfig?: PresignedUrlConfig | undefined;
  jobExecutionsRolloutConfig?: JobExecutionsRolloutConfig | undefined;
  abortConfig?: AbortConfig | undefined;
  timeoutConfig?: TimeoutConfig | undefined;
  namespaceId?: string | undefined;
  jobExecutionsRetryConfig?: JobExecutionsRetryConfig | undefined;
}

export interface UpdatePackageConfigurationRequest {
  versionUpdateByJobsConfig?: VersionUpdateByJobsConfig | undefined;
  clientToken?: string | undefined;
}

export type UpdatePackageConfigurationResponse = Readonly<Record<never, never>>;

export interface UpdatePackageRequest {
  packageName: string;
  description?: string | undefined;
  defaultVersionName?: string | undefined;
  unsetDefaultVersion?: boolean | undefined;
  clientToken?: string | undefined;
}

export type UpdatePackageResponse = Readonly<Record<never, never>>;

export interface UpdatePackageVersionRequest {
  packageName: string;
  versionName: string;
  description?: string | undefined;
  attributes?: Readonly<Record<string, string>> | undefined;
  artifact?: PackageVersionArtifact | undefined;
  action?: "PUBLISH" | "DEPRECATE" | undefined;
  recipe?: string | undefined;
  clientToken?: string | undefined;
}

export type UpdatePackageVersionResponse = Readonly<Record<never, never>>;

export interface UpdateProvisioningTemplateRequest {
  templateName: string;
  description?: string | undefined;
  enabled?: boolean | undefined;
  defaultVersionId?: number | undefined;
  provisioningRoleArn?: string | undefined;
  preProvisioningHook?: ProvisioningHook | undefined;
  removePreProvisioningHook?: boolean | undefined;
}

export type UpdateProvisioningTemplateResponse = Readonly<Record<never, never>>;

export interface UpdateRoleAliasRequest {
  roleAlias: string;
  roleArn?: string | undefined;
  credentialDurationSeconds?: number | undefined;
}

export interface UpdateRoleAliasResponse {
  roleAlias?: string | undefined;
  roleAliasArn?: string | undefined;
}

export interface UpdateStreamRequest {
  streamId: string;
  description?: string | undefined;
  files?: readonly StreamFile[] | undefined;
  roleArn?: string | undefined;
}

export interface UpdateStreamResponse {
  streamId?: string | undefined;
  streamArn?: string | undefined;
  description?: string | undefined;
  streamVersion?: number | undefined;
}

export interface UpdateThingGroupRequest {
  thingGroupName: string;
  thingGroupProperties: ThingGroupProperties;
  expectedVersion?: number | undefined;
}

export interface UpdateThingGroupResponse {
  version?: number | undefined;
}

export interface UpdateThingGroupsForThingRequest {
  thingName?: string | undefined;
  thingGroupsToAdd?: readonly string[] | undefined;
  thingGroupsToRemove?: readonly string[] | undefined;
  overrideDynamicGroups?: boolean | undefined;
}

export type UpdateThingGroupsForThingResponse = Readonly<Record<never, never>>;

export interface UpdateThingRequest {
  thingName: string;
  thingTypeName?: string | undefined;
  attributePayload?: AttributePayload | undefined;
  expectedVersion?: number | undefined;
  removeThingType?: boolean | undefined;
}

export type UpdateThingResponse = Readonly<Record<never, never>>;

export interface UpdateThingTypeRequest {
  thingTypeName: string;
  thingTypeProperties?: ThingTypeProperties | undefined;
}

export type UpdateThingTypeResponse = Readonly<Record<never, never>>;

export interface UpdateTopicRuleDestinationRequest {
  arn: string;
  status: "ENABLED" | "IN_PROGRESS" | "DISABLED" | "ERROR" | "DELETING";
}

export type UpdateTopicRuleDestinationResponse = Readonly<Record<never, never>>;

export interface UserProperty {
  key: string;
  value: string;
}

export interface VersionUpdateByJobsConfig {
  enabled?: boolean | undefined;
  roleArn?: string | undefined;
}

export interface VpcDestinationConfiguration {
  subnetIds: readonly string[];
  securityGroups?: readonly string[] | undefined;
  vpcId: string;
  roleArn: string;
}

export interface VpcDestinationProperties {
  subnetIds?: readonly string[] | undefined;
  securityGroups?: readonly string[] | undefined;
  vpcId?: string | undefined;
  roleArn?: string | undefined;
}

export interface VpcDestinationSummary {
  subnetIds?: readonly string[] | undefined;
  securityGroups?: readonly string[] | undefined;
  vpcId?: string | undefined;
  roleArn?: string | undefined;
}

/** Input and output by operation. */
export interface IotOperations {
  AcceptCertificateTransfer: { input: AcceptCertificateTransferRequest; output: Readonly<Record<never, never>> };
  AddThingToBillingGroup: { input: AddThingToBillingGroupRequest; output: AddThingToBillingGroupResponse };
  AddThingToThingGroup: { input: AddThingToThingGroupRequest; output: AddThingToThingGroupResponse };
  AssociateSbomWithPackageVersion: { input: AssociateSbomWithPackageVersionRequest; output: AssociateSbomWithPackageVersionResponse };
  AssociateTargetsWithJob: { input: AssociateTargetsWithJobRequest; output: AssociateTargetsWithJobResponse };
  AttachPolicy: { input: AttachPolicyRequest; output: Readonly<Record<never, never>> };
  AttachPrincipalPolicy: { input: AttachPrincipalPolicyRequest; output: Readonly<Record<never, never>> };
  AttachThingPrincipal: { input: AttachThingPrincipalRequest; output: AttachThingPrincipalResponse };
  CancelCertificateTransfer: { input: CancelCertificateTransferRequest; output: Readonly<Record<never, never>> };
  CancelJob: { input: CancelJobRequest; output: CancelJobResponse };
  CancelJobExecution: { input: CancelJobExecutionRequest; output: Readonly<Record<never, never>> };
  ClearDefaultAuthorizer: { input: ClearDefaultAuthorizerRequest; output: ClearDefaultAuthorizerResponse };
  ConfirmTopicRuleDestination: { input: ConfirmTopicRuleDestinationRequest; output: ConfirmTopicRuleDestinationResponse };
  CreateAuthorizer: { input: CreateAuthorizerRequest; output: CreateAuthorizerResponse };
  CreateBillingGroup: { input: CreateBillingGroupRequest; output: CreateBillingGroupResponse };
  CreateCertificateFromCsr: { input: CreateCertificateFromCsrRequest; output: CreateCertificateFromCsrResponse };
  CreateCertificateProvider: { input: CreateCertificateProviderRequest; output: CreateCertificateProviderResponse };
  CreateCommand: { input: CreateCommandRequest; output: CreateCommandResponse };
  CreateDomainConfiguration: { input: CreateDomainConfigurationRequest; output: CreateDomainConfigurationResponse };
  CreateDynamicThingGroup: { input: CreateDynamicThingGroupRequest; output: CreateDynamicThingGroupResponse };
  CreateFleetMetric: { input: CreateFleetMetricRequest; output: CreateFleetMetricResponse };
  CreateJob: { input: CreateJobRequest; output: CreateJobResponse };
  CreateJobTemplate: { input: CreateJobTemplateRequest; output: CreateJobTemplateResponse };
  CreateKeysAndCertificate: { input: CreateKeysAndCertificateRequest; output: CreateKeysAndCertificateResponse };
  CreateOTAUpdate: { input: CreateOTAUpdateRequest; output: CreateOTAUpdateResponse };
  CreatePackage: { input: CreatePackageRequest; output: CreatePackageResponse };
  CreatePackageVersion: { input: CreatePackageVersionRequest; output: CreatePackageVersionResponse };
  CreatePolicy: { input: CreatePolicyRequest; output: CreatePolicyResponse };
  CreatePolicyVersion: { input: CreatePolicyVersionRequest; output: CreatePolicyVersionResponse };
  CreateProvisioningClaim: { input: CreateProvisioningClaimRequest; output: CreateProvisioningClaimResponse };
  CreateProvisioningTemplate: { input: CreateProvisioningTemplateRequest; output: CreateProvisioningTemplateResponse };
  CreateProvisioningTemplateVersion: { input: CreateProvisioningTemplateVersionRequest; output: CreateProvisioningTemplateVersionResponse };
  CreateRoleAlias: { input: CreateRoleAliasRequest; output: CreateRoleAliasResponse };
  CreateStream: { input: CreateStreamRequest; output: CreateStreamResponse };
  CreateThing: { input: CreateThingRequest; output: CreateThingResponse };
  CreateThingGroup: { input: CreateThingGroupRequest; output: CreateThingGroupResponse };
  CreateThingType: { input: CreateThingTypeRequest; output: CreateThingTypeResponse };
  CreateTopicRule: { input: CreateTopicRuleRequest; output: Readonly<Record<never, never>> };
  CreateTopicRuleDestination: { input: CreateTopicRuleDestinationRequest; output: CreateTopicRuleDestinationResponse };
  DeleteAuthorizer: { input: DeleteAuthorizerRequest; output: DeleteAuthorizerResponse };
  DeleteBillingGroup: { input: DeleteBillingGroupRequest; output: DeleteBillingGroupResponse };
  DeleteCACertificate: { input: DeleteCACertificateRequest; output: DeleteCACertificateResponse };
  DeleteCertificate: { input: DeleteCertificateRequest; output: Readonly<Record<never, never>> };
  DeleteCertificateProvider: { input: DeleteCertificateProviderRequest; output: DeleteCertificateProviderResponse };
  DeleteCommand: { input: DeleteCommandRequest; output: DeleteCommandResponse };
  DeleteCommandExecution: { input: DeleteCommandExecutionRequest; output: DeleteCommandExecutionResponse };
  DeleteDomainConfiguration: { input: DeleteDomainConfigurationRequest; output: DeleteDomainConfigurationResponse };
  DeleteDynamicThingGroup: { input: DeleteDynamicThingGroupRequest; output: DeleteDynamicThingGroupResponse };
  DeleteFleetMetric: { input: DeleteFleetMetricRequest; output: Readonly<Record<never, never>> };
  DeleteJob: { input: DeleteJobRequest; output: Readonly<Record<never, never>> };
  DeleteJobExecution: { input: DeleteJobExecutionRequest; output: Readonly<Record<never, never>> };
  DeleteJobTemplate: { input: DeleteJobTemplateRequest; output: Readonly<Record<never, never>> };
  DeleteOTAUpdate: { input: DeleteOTAUpdateRequest; output: DeleteOTAUpdateResponse };
  DeletePackage: { input: DeletePackageRequest; output: DeletePackageResponse };
  DeletePackageVersion: { input: DeletePackageVersionRequest; output: DeletePackageVersionResponse };
  DeletePolicy: { input: DeletePolicyRequest; output: Readonly<Record<never, never>> };
  DeletePolicyVersion: { input: DeletePolicyVersionRequest; output: Readonly<Record<never, never>> };
  DeleteProvisioningTemplate: { input: DeleteProvisioningTemplateRequest; output: DeleteProvisioningTemplateResponse };
  DeleteProvisioningTemplateVersion: { input: DeleteProvisioningTemplateVersionRequest; output: DeleteProvisioningTemplateVersionResponse };
  DeleteRegistrationCode: { input: DeleteRegistrationCodeRequest; output: DeleteRegistrationCodeResponse };
  DeleteRoleAlias: { input: DeleteRoleAliasRequest; output: DeleteRoleAliasResponse };
  DeleteStream: { input: DeleteStreamRequest; output: DeleteStreamResponse };
  DeleteThing: { input: DeleteThingRequest; output: DeleteThingResponse };
  DeleteThingGroup: { input: DeleteThingGroupRequest; output: DeleteThingGroupResponse };
  DeleteThingType: { input: DeleteThingTypeRequest; output: DeleteThingTypeResponse };
  DeleteTopicRule: { input: DeleteTopicRuleRequest; output: Readonly<Record<never, never>> };
  DeleteTopicRuleDestination: { input: DeleteTopicRuleDestinationRequest; output: DeleteTopicRuleDestinationResponse };
  DeleteV2LoggingLevel: { input: DeleteV2LoggingLevelRequest; output: Readonly<Record<never, never>> };
  DeprecateThingType: { input: DeprecateThingTypeRequest; output: DeprecateThingTypeResponse };
  DescribeAuthorizer: { input: DescribeAuthorizerRequest; output: DescribeAuthorizerResponse };
  DescribeBillingGroup: { input: DescribeBillingGroupRequest; output: DescribeBillingGroupResponse };
  DescribeCACertificate: { input: DescribeCACertificateRequest; output: DescribeCACertificateResponse };
  DescribeCertificate: { input: DescribeCertificateRequest; output: DescribeCertificateResponse };
  DescribeCertificateProvider: { input: DescribeCertificateProviderRequest; output: DescribeCertificateProviderResponse };
  DescribeDefaultAuthorizer: { input: DescribeDefaultAuthorizerRequest; output: DescribeDefaultAuthorizerResponse };
  DescribeDomainConfiguration: { input: DescribeDomainConfigurationRequest; output: DescribeDomainConfigurationResponse };
  DescribeEncryptionConfiguration: { input: DescribeEncryptionConfigurationRequest; output: DescribeEncryptionConfigurationResponse };
  DescribeEndpoint: { input: DescribeEndpointRequest; output: DescribeEndpointResponse };
  DescribeEventConfigurations: { input: DescribeEventConfigurationsRequest; output: DescribeEventConfigurationsResponse };
  DescribeFleetMetric: { input: DescribeFleetMetricRequest; output: DescribeFleetMetricResponse };
  DescribeIndex: { input: DescribeIndexRequest; output: DescribeIndexResponse };
  DescribeJob: { input: DescribeJobRequest; output: DescribeJobResponse };
  DescribeJobExecution: { input: DescribeJobExecutionRequest; output: DescribeJobExecutionResponse };
  DescribeJobTemplate: { input: DescribeJobTemplateRequest; output: DescribeJobTemplateResponse };
  DescribeManagedJobTemplate: { input: DescribeManagedJobTemplateRequest; output: DescribeManagedJobTemplateResponse };
  DescribeProvisioningTemplate: { input: DescribeProvisioningTemplateRequest; output: DescribeProvisioningTemplateResponse };
  DescribeProvisioningTemplateVersion: { input: DescribeProvisioningTemplateVersionRequest; output: DescribeProvisioningTemplateVersionResponse };
  DescribeRoleAlias: { input: DescribeRoleAliasRequest; output: DescribeRoleAliasResponse };
  DescribeStream: { input: DescribeStreamRequest; output: DescribeStreamResponse };
  DescribeThing: { input: DescribeThingRequest; output: DescribeThingResponse };
  DescribeThingGroup: { input: DescribeThingGroupRequest; output: DescribeThingGroupResponse };
  DescribeThingRegistrationTask: { input: DescribeThingRegistrationTaskRequest; output: DescribeThingRegistrationTaskResponse };
  DescribeThingType: { input: DescribeThingTypeRequest; output: DescribeThingTypeResponse };
  DetachPolicy: { input: DetachPolicyRequest; output: Readonly<Record<never, never>> };
  DetachPrincipalPolicy: { input: DetachPrincipalPolicyRequest; output: Readonly<Record<never, never>> };
  DetachThingPrincipal: { input: DetachThingPrincipalRequest; output: DetachThingPrincipalResponse };
  DisableTopicRule: { input: DisableTopicRuleRequest; output: Readonly<Record<never, never>> };
  DisassociateSbomFromPackageVersion: { input: DisassociateSbomFromPackageVersionRequest; output: DisassociateSbomFromPackageVersionResponse };
  EnableTopicRule: { input: EnableTopicRuleRequest; output: Readonly<Record<never, never>> };
  GetBucketsAggregation: { input: GetBucketsAggregationRequest; output: GetBucketsAggregationResponse };
  GetCardinality: { input: GetCardinalityRequest; output: GetCardinalityResponse };
  GetCommand: { input: GetCommandRequest; output: GetCommandResponse };
  GetCommandExecution: { input: GetCommandExecutionRequest; output: GetCommandExecutionResponse };
  GetEffectivePolicies: { input: GetEffectivePoliciesRequest; output: GetEffectivePoliciesResponse };
  GetIndexingConfiguration: { input: GetIndexingConfigurationRequest; output: GetIndexingConfigurationResponse };
  GetJobDocument: { input: GetJobDocumentRequest; output: GetJobDocumentResponse };
  GetLoggingOptions: { input: GetLoggingOptionsRequest; output: GetLoggingOptionsResponse };
  GetOTAUpdate: { input: GetOTAUpdateRequest; output: GetOTAUpdateResponse };
  GetPackage: { input: GetPackageRequest; output: GetPackageResponse };
  GetPackageConfiguration: { input: GetPackageConfigurationRequest; output: GetPackageConfigurationResponse };
  GetPackageVersion: { input: GetPackageVersionRequest; output: GetPackageVersionResponse };
  GetPercentiles: { input: GetPercentilesRequest; output: GetPercentilesResponse };
  GetPolicy: { input: GetPolicyRequest; output: GetPolicyResponse };
  GetPolicyVersion: { input: GetPolicyVersionRequest; output: GetPolicyVersionResponse };
  GetRegistrationCode: { input: GetRegistrationCodeRequest; output: GetRegistrationCodeResponse };
  GetStatistics: { input: GetStatisticsRequest; output: GetStatisticsResponse };
  GetThingConnectivityData: { input: GetThingConnectivityDataRequest; output: GetThingConnectivityDataResponse };
  GetTopicRule: { input: GetTopicRuleRequest; output: GetTopicRuleResponse };
  GetTopicRuleDestination: { input: GetTopicRuleDestinationRequest; output: GetTopicRuleDestinationResponse };
  GetV2LoggingOptions: { input: GetV2LoggingOptionsRequest; output: GetV2LoggingOptionsResponse };
  ListAttachedPolicies: { input: ListAttachedPoliciesRequest; output: ListAttachedPoliciesResponse };
  ListAuthorizers: { input: ListAuthorizersRequest; output: ListAuthorizersResponse };
  ListBillingGroups: { input: ListBillingGroupsRequest; output: ListBillingGroupsResponse };
  ListCACertificates: { input: ListCACertificatesRequest; output: ListCACertificatesResponse };
  ListCertificateProviders: { input: ListCertificateProvidersRequest; output: ListCertificateProvidersResponse };
  ListCertificates: { input: ListCertificatesRequest; output: ListCertificatesResponse };
  ListCertificatesByCA: { input: ListCertificatesByCARequest; output: ListCertificatesByCAResponse };
  ListCommandExecutions: { input: ListCommandExecutionsRequest; output: ListCommandExecutionsResponse };
  ListCommands: { input: ListCommandsRequest; output: ListCommandsResponse };
  ListDomainConfigurations: { input: ListDomainConfigurationsRequest; output: ListDomainConfigurationsResponse };
  ListFleetMetrics: { input: ListFleetMetricsRequest; output: ListFleetMetricsResponse };
  ListIndices: { input: ListIndicesRequest; output: ListIndicesResponse };
  ListJobExecutionsForJob: { input: ListJobExecutionsForJobRequest; output: ListJobExecutionsForJobResponse };
  ListJobExecutionsForThing: { input: ListJobExecutionsForThingRequest; output: ListJobExecutionsForThingResponse };
  ListJobTemplates: { input: ListJobTemplatesRequest; output: ListJobTemplatesResponse };
  ListJobs: { input: ListJobsRequest; output: ListJobsResponse };
  ListManagedJobTemplates: { input: ListManagedJobTemplatesRequest; output: ListManagedJobTemplatesResponse };
  ListOTAUpdates: { input: ListOTAUpdatesRequest; output: ListOTAUpdatesResponse };
  ListOutgoingCertificates: { input: ListOutgoingCertificatesRequest; output: ListOutgoingCertificatesResponse };
  ListPackageVersions: { input: ListPackageVersionsRequest; output: ListPackageVersionsResponse };
  ListPackages: { input: ListPackagesRequest; output: ListPackagesResponse };
  ListPolicies: { input: ListPoliciesRequest; output: ListPoliciesResponse };
  ListPolicyPrincipals: { input: ListPolicyPrincipalsRequest; output: ListPolicyPrincipalsResponse };
  ListPolicyVersions: { input: ListPolicyVersionsRequest; output: ListPolicyVersionsResponse };
  ListPrincipalPolicies: { input: ListPrincipalPoliciesRequest; output: ListPrincipalPoliciesResponse };
  ListPrincipalThings: { input: ListPrincipalThingsRequest; output: ListPrincipalThingsResponse };
  ListPrincipalThingsV2: { input: ListPrincipalThingsV2Request; output: ListPrincipalThingsV2Response };
  ListProvisioningTemplateVersions: { input: ListProvisioningTemplateVersionsRequest; output: ListProvisioningTemplateVersionsResponse };
  ListProvisioningTemplates: { input: ListProvisioningTemplatesRequest; output: ListProvisioningTemplatesResponse };
  ListRoleAliases: { input: ListRoleAliasesRequest; output: ListRoleAliasesResponse };
  ListSbomValidationResults: { input: ListSbomValidationResultsRequest; output: ListSbomValidationResultsResponse };
  ListStreams: { input: ListStreamsRequest; output: ListStreamsResponse };
  ListTagsForResource: { input: ListTagsForResourceRequest; output: ListTagsForResourceResponse };
  ListTargetsForPolicy: { input: ListTargetsForPolicyRequest; output: ListTargetsForPolicyResponse };
  ListThingGroups: { input: ListThingGroupsRequest; output: ListThingGroupsResponse };
  ListThingGroupsForThing: { input: ListThingGroupsForThingRequest; output: ListThingGroupsForThingResponse };
  ListThingPrincipals: { input: ListThingPrincipalsRequest; output: ListThingPrincipalsResponse };
  ListThingPrincipalsV2: { input: ListThingPrincipalsV2Request; output: ListThingPrincipalsV2Response };
  ListThingRegistrationTaskReports: { input: ListThingRegistrationTaskReportsRequest; output: ListThingRegistrationTaskReportsResponse };
  ListThingRegistrationTasks: { input: ListThingRegistrationTasksRequest; output: ListThingRegistrationTasksResponse };
  ListThingTypes: { input: ListThingTypesRequest; output: ListThingTypesResponse };
  ListThings: { input: ListThingsRequest; output: ListThingsResponse };
  ListThingsInBillingGroup: { input: ListThingsInBillingGroupRequest; output: ListThingsInBillingGroupResponse };
  ListThingsInThingGroup: { input: ListThingsInThingGroupRequest; output: ListThingsInThingGroupResponse };
  ListTopicRuleDestinations: { input: ListTopicRuleDestinationsRequest; output: ListTopicRuleDestinationsResponse };
  ListTopicRules: { input: ListTopicRulesRequest; output: ListTopicRulesResponse };
  ListV2LoggingLevels: { input: ListV2LoggingLevelsRequest; output: ListV2LoggingLevelsResponse };
  RegisterCACertificate: { input: RegisterCACertificateRequest; output: RegisterCACertificateResponse };
  RegisterCertificate: { input: RegisterCertificateRequest; output: RegisterCertificateResponse };
  RegisterCertificateWithoutCA: { input: RegisterCertificateWithoutCARequest; output: RegisterCertificateWithoutCAResponse };
  RegisterThing: { input: RegisterThingRequest; output: RegisterThingResponse };
  RejectCertificateTransfer: { input: RejectCertificateTransferRequest; output: Readonly<Record<never, never>> };
  RemoveThingFromBillingGroup: { input: RemoveThingFromBillingGroupRequest; output: RemoveThingFromBillingGroupResponse };
  RemoveThingFromThingGroup: { input: RemoveThingFromThingGroupRequest; output: RemoveThingFromThingGroupResponse };
  ReplaceTopicRule: { input: ReplaceTopicRuleRequest; output: Readonly<Record<never, never>> };
  SearchIndex: { input: SearchIndexRequest; output: SearchIndexResponse };
  SetDefaultAuthorizer: { input: SetDefaultAuthorizerRequest; output: SetDefaultAuthorizerResponse };
  SetDefaultPolicyVersion: { input: SetDefaultPolicyVersionRequest; output: Readonly<Record<never, never>> };
  SetLoggingOptions: { input: SetLoggingOptionsRequest; output: Readonly<Record<never, never>> };
  SetV2LoggingLevel: { input: SetV2LoggingLevelRequest; output: Readonly<Record<never, never>> };
  SetV2LoggingOptions: { input: SetV2LoggingOptionsRequest; output: Readonly<Record<never, never>> };
  StartThingRegistrationTask: { input: StartThingRegistrationTaskRequest; output: StartThingRegistrationTaskResponse };
  StopThingRegistrationTask: { input: StopThingRegistrationTaskRequest; output: StopThingRegistrationTaskResponse };
  TagResource: { input: TagResourceRequest; output: TagResourceResponse };
  TestAuthorization: { input: TestAuthorizationRequest; output: TestAuthorizationResponse };
  TestInvokeAuthorizer: { input: TestInvokeAuthorizerRequest; output: TestInvokeAuthorizerResponse };
  TransferCertificate: { input: TransferCertificateRequest; output: TransferCertificateResponse };
  UntagResource: { input: UntagResourceRequest; output: UntagResourceResponse };
  UpdateAuthorizer: { input: UpdateAuthorizerRequest; output: UpdateAuthorizerResponse };
  UpdateBillingGroup: { input: UpdateBillingGroupRequest; output: UpdateBillingGroupResponse };
  UpdateCACertificate: { input: UpdateCACertificateRequest; output: Readonly<Record<never, never>> };
  UpdateCertificate: { input: UpdateCertificateRequest; output: Readonly<Record<never, never>> };
  UpdateCertificateProvider: { input: UpdateCertificateProviderRequest; output: UpdateCertificateProviderResponse };
  UpdateCommand: { input: UpdateCommandRequest; output: UpdateCommandResponse };
  UpdateDomainConfiguration: { input: UpdateDomainConfigurationRequest; output: UpdateDomainConfigurationResponse };
  UpdateDynamicThingGroup: { input: UpdateDynamicThingGroupRequest; output: UpdateDynamicThingGroupResponse };
  UpdateEncryptionConfiguration: { input: UpdateEncryptionConfigurationRequest; output: UpdateEncryptionConfigurationResponse };
  UpdateEventConfigurations: { input: UpdateEventConfigurationsRequest; output: UpdateEventConfigurationsResponse };
  UpdateFleetMetric: { input: UpdateFleetMetricRequest; output: Readonly<Record<never, never>> };
  UpdateIndexingConfiguration: { input: UpdateIndexingConfigurationRequest; output: UpdateIndexingConfigurationResponse };
  UpdateJob: { input: UpdateJobRequest; output: Readonly<Record<never, never>> };
  UpdatePackage: { input: UpdatePackageRequest; output: UpdatePackageResponse };
  UpdatePackageConfiguration: { input: UpdatePackageConfigurationRequest; output: UpdatePackageConfigurationResponse };
  UpdatePackageVersion: { input: UpdatePackageVersionRequest; output: UpdatePackageVersionResponse };
  UpdateProvisioningTemplate: { input: UpdateProvisioningTemplateRequest; output: UpdateProvisioningTemplateResponse };
  UpdateRoleAlias: { input: UpdateRoleAliasRequest; output: UpdateRoleAliasResponse };
  UpdateStream: { input: UpdateStreamRequest; output: UpdateStreamResponse };
  UpdateThing: { input: UpdateThingRequest; output: UpdateThingResponse };
  UpdateThingGroup: { input: UpdateThingGroupRequest; output: UpdateThingGroupResponse };
  UpdateThingGroupsForThing: { input: UpdateThingGroupsForThingRequest; output: UpdateThingGroupsForThingResponse };
  UpdateThingType: { input: UpdateThingTypeRequest; output: UpdateThingTypeResponse };
  UpdateTopicRuleDestination: { input: UpdateTopicRuleDestinationRequest; output: UpdateTopicRuleDestinationResponse };
}
