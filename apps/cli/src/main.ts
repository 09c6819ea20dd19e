import { runProgram } from "./program.js";
import { watchStandardStreams } from "./standard-streams.js";

const streams = watchStandardStreams(process.stdout, process.stderr);
const exitCode = await runProgram(process.argv.slice(2), streams);
process.exitCode = streams.exitCode ?? exitCode;
