import { ThinglineError } from "@thingline/protocol";
import { type Connection, createConnectionPair, type Dialer, type DialTarget } from "@thingline/transport";
import { createVirtualClock, type VirtualClock } from "@thingline/transport/virtual";
import { makeSerialModemWorld, type SerialModemWorld, type SerialModemWorldOptions } from "./world.test.support.js";

/** The other end of a connection that the modem made. */
export interface FakePeer {
  target: DialTarget;
  connection: Connection;
  /** What came, as text of one byte a character. */
  received: string;
  isClosed: boolean;
  send(text: string): void;
}

export interface FakeNetwork {
  dialer: Dialer;
  clock: VirtualClock;
  peers: FakePeer[];
}

/** Connects at once, but for hosts whose names say otherwise: `refused`, `unknown`, `silent`. */
export function makeFakeNetwork(): FakeNetwork {
  const clock = createVirtualClock();
  const peers: FakePeer[] = [];
  const dialer: Dialer = {
    dial: async (target, { signal } = {}) => {
      signal?.throwIfAborted();
      if (target.host === "refused") throw new ThinglineError("CONNECTION_REFUSED", "nobody listens");
      if (target.host === "unknown") throw new ThinglineError("HOST_NOT_FOUND", "no such host");
      if (target.host === "silent") await clock.sleep(10_000_000, signal === undefined ? {} : { signal });
      const { near, far } = createConnectionPair({
        clock,
        windowBytes: 0,
        near: { host: "modem", port: 1 },
        far: target,
      });
      const peer: FakePeer = {
        target,
        connection: far,
        received: "",
        isClosed: false,
        send: (text) => {
          far.write(Uint8Array.from(text, (character) => character.charCodeAt(0)));
          far.flush();
        },
      };
      far.start({
        data: (bytes) => (peer.received += String.fromCharCode(...bytes)),
        closed: () => (peer.isClosed = true),
      });
      peers.push(peer);
      return near;
    },
  };
  return { dialer, clock, peers };
}

export interface OnlineWorld extends SerialModemWorld {
  peers: FakePeer[];
  /** The last peer. */
  peer: () => FakePeer;
}

/** A serial modem that is registered, on a network of fakes. */
export async function makeOnlineWorld(options: SerialModemWorldOptions = {}): Promise<OnlineWorld> {
  const { dialer, clock, peers } = makeFakeNetwork();
  const world = await makeSerialModemWorld({ ...options, clock, network: dialer });
  await world.at("AT+CFUN=1");
  await clock.advance(2000);
  world.take();
  const peer = (): FakePeer => {
    const last = peers.at(-1);
    if (last === undefined) throw new Error("nobody was dialled");
    return last;
  };
  return { ...world, peers, peer };
}
