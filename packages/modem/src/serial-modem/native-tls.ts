import { ThinglineError } from "@thingline/protocol";
import { type AtParameter, formatAtCommand, integerAt, stringAt } from "@thingline/protocol/at";
import type { Connection, DialTarget } from "@thingline/transport";
import { integer, oneOf, type ParameterRule, text } from "../simulator/commands/parameter-rules.js";
import type { SimulatedModem } from "../simulator/simulated-modem.js";
import { failed, ok, type SerialModemCommand, type SerialModemReply } from "./command.js";
import type { SerialModemDialTarget, SerialModemFeature } from "./feature.js";

/** Types of `#XCMNG` and what they are: a credential is kept in the modem as type 0 of the tag `<sec_tag>*10+<type>`. */
const types = { ca: 0, certificate: 1, privateKey: 2 } as const;
const storedType = 0;
const secTagMax = 214_748_364;

/** `#XCMNG`: credentials of the build whose TLS runs outside of the modem. Listing them is not supported there. */
export const makeNativeTlsFeature: SerialModemFeature = ({ options, modem }) => {
  const tag: ParameterRule = integer(0, secTagMax);
  const type: ParameterRule = oneOf(...Object.values(types));
  const run = async (...parameters: (number | string)[]): Promise<string | undefined> => {
    const answer = await modem.at(formatAtCommand("%CMNG", parameters));
    return answer.endsWith("OK\r\n") ? answer : undefined;
  };
  const change = async (opcode: 0 | 3, parameters: readonly AtParameter[]): Promise<SerialModemReply> => {
    const content = opcode === 0 ? [stringAt(parameters, 3) ?? ""] : [];
    return (await run(opcode, storedTagOf(parameters), storedType, ...content)) === undefined ? failed() : ok();
  };
  const read = async (parameters: readonly AtParameter[]): Promise<SerialModemReply> => {
    const content = contentOf(await run(2, storedTagOf(parameters), storedType));
    if (content === undefined) return failed();
    return ok(`#XCMNG: ${integerAt(parameters, 1)},${types.ca},"","${content}"`);
  };
  const command: SerialModemCommand = {
    name: "#XCMNG",
    dialects: ["slm-1.x", "slm-2.x"],
    forms: {
      set: [
        { rules: [oneOf(0), tag, type, text(/[^]/)], handle: (parameters) => change(0, parameters) },
        // A certificate and a key cannot be read.
        { rules: [oneOf(2), tag, oneOf(types.ca)], handle: read },
        { rules: [oneOf(3), tag, type], handle: (parameters) => change(3, parameters) },
      ],
    },
  };
  return { commands: options.hasNativeTls === true ? [command] : [] };
};

function storedTagOf(parameters: readonly AtParameter[]): number {
  return (integerAt(parameters, 1) ?? 0) * 10 + (integerAt(parameters, 2) ?? 0);
}

/** What stands between the last two quotes of a read. */
function contentOf(answer: string | undefined): string | undefined {
  return /"([^"]*)"\r\nOK\r\n$/.exec(answer ?? "")?.[1];
}

/**
 * TLS above a TCP socket of the modem, with the credentials of `#XCMNG`.
 *
 * @throws {ThinglineError} CREDENTIAL_MISSING, and those of the modem's dialer.
 */
export async function dialNativeTls(
  modem: SimulatedModem,
  { host, port, secTag = 0, serverName, family }: SerialModemDialTarget,
  { signal }: { signal?: AbortSignal } = {},
): Promise<Connection> {
  const read = async (type: number): Promise<string | undefined> =>
    contentOf(await modem.at(formatAtCommand("%CMNG", [2, secTag * 10 + type, storedType])));
  const ca = await read(types.ca);
  if (ca === undefined) {
    const message = `security tag ${secTag} of #XCMNG has no root CA (type ${types.ca})`;
    throw new ThinglineError("CREDENTIAL_MISSING", message, { details: { secTag, missing: "ca" } });
  }
  const [certificate, privateKey] = [await read(types.certificate), await read(types.privateKey)];
  const target: DialTarget = {
    host,
    port,
    ...(family !== undefined && { family }),
    tls: {
      ca,
      ...(certificate !== undefined && { certificate }),
      ...(privateKey !== undefined && { privateKey }),
      ...(serverName !== undefined && { serverName }),
      minVersion: "TLSv1.2",
      maxVersion: "TLSv1.2",
    },
  };
  return modem.dialer.dial(target, signal === undefined ? {} : { signal });
}
