import { many, one } from "./answers.js";
import { ask, set } from "./entry.js";
import { flag, integer, optional, reserved, text } from "./fields.js";
import { fields, single } from "./lines.js";

export const packetTypes = ["IP", "IPV6", "IPV4V6", "Non-IP"] as const;

const contextId = integer(0, 10);
const addresses = fields({ contextId, address: optional(text()), ipv6Address: optional(text()) });

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
  "+CGEREP?": ask(one(fields({ mode: integer(0, 1), buffering: optional(integer(0, 1)) }))),
  "+CGEREP=": set(fields({ mode: integer(0, 1), buffering: optional(integer(0, 0)) })),
  "+CEMODE?": ask(one(single(integer(0, 3)))),
};
