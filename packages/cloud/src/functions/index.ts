export {
  functionAnswerBytesMax,
  functionCallsInFlightMax,
  functionCallsQueuedMax,
  functionEventBytesMax,
  functionNameCharactersMax,
  functionsMax,
  isFunctionName,
} from "./cloud-function.js";
export type { CloudFunction, CloudFunctionContext, Functions, InvokeOptions } from "./cloud-function.js";
