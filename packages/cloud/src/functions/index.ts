export {
  functionAnswerBytesMax,
  functionCallsInFlightMax,
  functionCallsQueuedMax,
  functionEventBytesMax,
  functionNameCharactersMax,
  functionsMax,
} from "./cloud-function.js";
export type { CloudFunction, CloudFunctionContext, Functions, InvokeOptions } from "./cloud-function.js";
