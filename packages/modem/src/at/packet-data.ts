import { many, one } from "./answers.js";
import { ask, set } from "./entry.js";
import { choice, flag, integer, optional, reserved, text } from "./fields.js";
import { fields, single, supported } from "./lines.js";

export const packetTypes = ["IP", "IPV6", "IPV4V6", "Non-IP"] as const;

const contextId = integer(0, 10);
const addresses = fields({ contextId, address: optional(text()), ipv6Address: optional(text()) });

export const authenticationProtocols = { 0: "none", 1: "PAP", 2: "CHAP" } as const;

/** What the network gave a context: one line for each of its addresses. */
const dynamic = fields({
  contextId,
  bearer: optional(integer(0, 15)),
  accessPoint: text(),
  ...{ address: optional(text()), gateway: optional(text()) },
  ...{ primaryNameServer: optional(text()), secondaryNameServer: optional(text()) },
  ...{ callServer1: reserved(), callServer2: reserved(), signalling: reserved(), localAccess: reserved() },
  packetBytesMax: optional(integer(0, 65_535)),
});

/** Packet data contexts. */
export const packetDataTable = {
  "+CGDCONT?": ask(
    many(
      fields({
        ...{ contextId, type: text(), accessPoint: text(), address: text() },
        ...{ dataCompression: reserved("0"), headerCompression: reserved("0") },
      }),
      11,
    ),
  ),
  "+CGDCONT=": set(
    fields({
      contextId,
      type: optional(text(new RegExp(`^(?:${packetTypes.join("|")})$`))),
      accessPoint: optional(text(/^[\w.-]{0,100}$/)),
    }),
  ),
  "+CGACT?": ask(many(fields({ contextId, isActive: flag }), 11)),
  "+CGACT=": set(fields({ isActive: flag, contextId: optional(contextId) })),
  "+CGPADDR": ask(many(addresses, 11)),
  "+CGPADDR=": set(fields({ contextId }), many(addresses, 11)),
  "+CGPADDR=?": ask(one(supported)),
  "+CGACT=?": ask(one(supported)),
  "+CGATT?": ask(one(single(flag))),
  "+CGATT=": set(fields({ isAttached: flag })),
  "+CGATT=?": ask(one(supported)),
  "+CGCONTRDP": ask(many(dynamic, 22)),
  "+CGCONTRDP=": set(fields({ contextId }), many(dynamic, 22)),
  "+CGAUTH=": set(
    fields({
      contextId,
      protocol: optional(choice(authenticationProtocols)),
      ...{ user: optional(text()), password: optional(text()) },
    }),
  ),
  "%XNEWCID?": ask(one(single(contextId))),
  "%XGETPDNID=": set(fields({ contextId }), one(single(integer(0, 255)))),
  "+CGPIAF?": ask(one(fields({ usesColons: flag, usesPrefix: flag, hasLeadingZeros: flag, compressesZeros: flag }))),
  "+CGPIAF=?": ask(one(supported)),
  "%XEPCO?": ask(one(single(flag))),
  "%XEPCO=": set(fields({ isOn: flag })),
  "%XPDNCFG?": ask(one(single(flag))),
  "%XPDNCFG=": set(fields({ isOn: flag })),
  "+CEPPI=": set(fields({ isOn: flag })),
  "+CEPPI=?": ask(one(supported)),
  "+CGEREP?": ask(one(fields({ mode: integer(0, 1), buffering: optional(integer(0, 1)) }))),
  "+CGEREP=": set(fields({ mode: integer(0, 1), buffering: optional(integer(0, 0)) })),
  "+CGEREP=?": ask(one(supported)),
  "+CEMODE=": set(fields({ mode: optional(integer(0, 2)) })),
  "+CEMODE=?": ask(one(supported)),
  "+CEMODE?": ask(one(single(integer(0, 3)))),
};
