import { awsOperation, awsSaga, type ServedOperation } from "../aws-operation.js";
import { answer, type Operation, type OperationContext, type Outcome, type SagaContext } from "../operation.js";
import { sampleServiceName, type Samples } from "./service.test.support.js";

// A service serves operations of AWS. These two are those of packages, whose service the test leaves out: the sample takes less than they do.

interface PackageInput {
  packageName: string;
  description: string;
}

const servedSaga = awsSaga as unknown as (
  service: string,
  name: readonly ["iot", string],
  acted: readonly (keyof PackageInput)[],
  run: (context: SagaContext, input: PackageInput) => Promise<object>,
) => Operation<PackageInput, object> & ServedOperation;

const served = awsOperation as unknown as (
  api: "iot",
  name: string,
  acted: readonly (keyof PackageInput)[],
  decide: (context: OperationContext, input: PackageInput) => Promise<Outcome<object>>,
) => ServedOperation;

/** A sample is a package, its content the description. */
export function servedSampleOperations({ createSample, findSample }: Samples): readonly ServedOperation[] {
  const members = ["packageName", "description"] as const;
  return [
    servedSaga(sampleServiceName, ["iot", "CreatePackage"], members, async (context, { packageName, description }) => {
      const content = new TextEncoder().encode(description);
      await createSample.saga!.run(context, { sampleName: packageName, content });
      return { packageName };
    }),
    served("iot", "GetPackage", ["packageName"], async (context, { packageName }) => {
      const { result } = await findSample(context, { sampleName: packageName });
      return answer({ packageName, description: `${result.bytes} bytes` });
    }),
  ];
}
