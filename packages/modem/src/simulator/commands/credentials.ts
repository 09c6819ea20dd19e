import type { AtParameter } from "@thingline/protocol/at";
import { formatCredentialLine, integerAt, isAbsentAt, stringAt } from "@thingline/protocol/at";
import { refusalOfDelete, refusalOfRead, refusalOfWrite } from "../credential-rules.js";
import type { CommandTable, ModemState, Reply } from "./command.js";
import { ok, refused, set } from "./command.js";
import { integer, optional, secTagMax, text } from "./parameter-rules.js";

const secTag = integer(0, secTagMax);
/** Types that the modem does not know have an error of their own. */
const credentialType = integer(0, 255);

/** `AT%CMNG`: the credential storage. */
export const credentialCommands: CommandTable = {
  "%CMNG": {
    set: set(
      [integer(0, 3), optional(secTag), optional(credentialType), optional(text()), optional(text(/^[^"]{0,32}$/))],
      (modem, parameters) => {
        switch (integerAt(parameters, 0)) {
          case 0:
            return write(modem, parameters);
          case 1:
            return list(modem, parameters);
          case 2:
            return read(modem, parameters);
          case 3:
            return remove(modem, parameters);
          default:
            return refused("error");
        }
      },
    ),
  },
};

async function write(modem: ModemState, parameters: readonly AtParameter[]): Promise<Reply> {
  const secTag = integerAt(parameters, 1);
  const type = integerAt(parameters, 2);
  const content = stringAt(parameters, 3);
  if (secTag === undefined || type === undefined || content === undefined) return refused("error");
  // The password of an encrypted key, which the simulated modem cannot take; with other types it means nothing.
  if (type === 2 && !isAbsentAt(parameters, 4)) return refused("error");
  const refusal = refusalOfWrite({ secTag, type, content }, modem.situation()) ?? modem.takeInjectedRefusal();
  if (refusal !== undefined) return refused(refusal);
  await modem.storage.put({ secTag, type, content });
  return ok();
}

function list(modem: ModemState, parameters: readonly AtParameter[]): Reply {
  const secTag = integerAt(parameters, 1);
  const type = integerAt(parameters, 2);
  const given = parameters.length - 1;
  if (given > 2 || (given >= 1 && secTag === undefined) || (given === 2 && type === undefined)) return refused("error");
  const entries = modem.storage.list(secTag, type);
  return ok(...entries.map((entry) => formatCredentialLine({ ...shown(entry, modem), content: undefined })));
}

function read(modem: ModemState, parameters: readonly AtParameter[]): Reply {
  const secTag = integerAt(parameters, 1);
  const type = integerAt(parameters, 2);
  if (secTag === undefined || type === undefined || parameters.length > 3) return refused("error");
  const refusal = refusalOfRead(secTag, type, modem.situation());
  const entry = modem.storage.get(secTag, type);
  if (refusal !== undefined || entry === undefined) return refused(refusal ?? 513);
  return ok(formatCredentialLine(shown(entry, modem)));
}

/** Old firmware lists no digests. */
function shown<Entry extends { sha256: string }>(entry: Entry, { profile }: ModemState) {
  return { ...entry, sha256: profile.listsDigests ? entry.sha256 : undefined };
}

async function remove(modem: ModemState, parameters: readonly AtParameter[]): Promise<Reply> {
  const secTag = integerAt(parameters, 1);
  const type = integerAt(parameters, 2);
  if (secTag === undefined || type === undefined || parameters.length > 3) return refused("error");
  const refusal = refusalOfDelete(secTag, type, modem.situation()) ?? modem.takeInjectedRefusal();
  if (refusal !== undefined) return refused(refusal);
  await modem.storage.remove(secTag, type);
  return ok();
}
