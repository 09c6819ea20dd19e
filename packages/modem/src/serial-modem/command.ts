import type { AtCommandForm, AtParameter } from "@thingline/protocol/at";
import type { ParameterRule } from "../simulator/commands/parameter-rules.js";
import type { SerialModemDataMode } from "./data-mode.js";
import type { SerialModemDialect } from "./dialect.js";

/** A line with bytes behind it whose count the line tells: `{ head: "#XRECV: 5", data }`. */
export interface InformationWithData {
  head: string;
  data: Uint8Array;
}

export type SerialModemInformation = string | InformationWithData;

export type SerialModemReply =
  | {
      type: "ok";
      information: readonly SerialModemInformation[];
      /** Runs when the answer has left: what restarts, and what is told by a URC behind the OK. It is not waited for. */
      afterwards?: (() => void | Promise<void>) | undefined;
    }
  /** A plain ERROR, whatever `+CMEE` says: commands of the application have no numbers. */
  | { type: "error"; information: readonly SerialModemInformation[] }
  /** OK, and the bytes behind it are payload. */
  | {
      type: "dataMode";
      information: readonly SerialModemInformation[];
      mode: SerialModemDataMode;
      /** As with `ok`; the mode is on by then. */
      afterwards?: (() => void | Promise<void>) | undefined;
    };

export type SerialModemHandler = (parameters: readonly AtParameter[]) => SerialModemReply | Promise<SerialModemReply>;

/** What does not obey the rules is answered with ERROR, and the handler never sees it. */
export interface SerialModemSetForm {
  /** `any`: the handler takes whatever comes. */
  rules: readonly ParameterRule[] | "any";
  handle: SerialModemHandler;
}

/** A form that is not there is answered with ERROR. Of several set forms the first whose rules hold is taken. */
export type SerialModemForms = Partial<Record<Exclude<AtCommandForm, "set">, SerialModemHandler>> & {
  set?: SerialModemSetForm | readonly SerialModemSetForm[];
};

/** One command of the application. */
export interface SerialModemCommand {
  /** Upper case, with its sign: `#XMQTTCON`. */
  name: string;
  /** Those that have it. Default: all. One name may stand several times, for different dialects. */
  dialects?: readonly SerialModemDialect[];
  forms: SerialModemForms;
}

export function ok(...information: readonly SerialModemInformation[]): SerialModemReply {
  return { type: "ok", information };
}

export function failed(...information: readonly SerialModemInformation[]): SerialModemReply {
  return { type: "error", information };
}
