/** Contexts of one modem: 0, which is there from the attach on, and those that an application defines. */
export const contextIdMax = 10;

export interface PacketContext {
  /** `IP`, `IPV6`, `IPV4V6` or `Non-IP`. */
  type: string;
  /** Empty: the network's. */
  apn: string;
  authentication?: { protocol: number; user: string; password: string };
}

/** What `+CGDCONT` defined beside context 0, and which contexts are up. Lost when the modem is switched off. */
export class PacketContexts {
  readonly #defined = new Map<number, PacketContext>();
  readonly #active = new Set<number>();

  define(id: number, context: PacketContext): void {
    this.#defined.set(id, context);
  }

  remove(id: number): void {
    this.#defined.delete(id);
    this.#active.delete(id);
  }

  get(id: number): PacketContext | undefined {
    return this.#defined.get(id);
  }

  /** Sorted. */
  ids(): number[] {
    return [...this.#defined.keys()].sort((a, b) => a - b);
  }

  /** @returns whether that is new. */
  activate(id: number): boolean {
    const isNew = !this.#active.has(id);
    this.#active.add(id);
    return isNew;
  }

  deactivate(id: number): boolean {
    return this.#active.delete(id);
  }

  isActive(id: number): boolean {
    return this.#active.has(id);
  }

  /** The link is gone: nothing is up. */
  deactivateAll(): void {
    this.#active.clear();
  }

  clear(): void {
    this.#defined.clear();
    this.#active.clear();
  }
}

/** Where the simulated network puts the modem: addresses of the documentation ranges (RFC 5737, RFC 3849). */
export function addressesOf(id: number, type: string): string[] {
  const version4 = `192.0.2.${16 + id}`;
  const version6 = `2001:0db8:0000:0000:0000:0000:0000:${(16 + id).toString(16).padStart(4, "0")}`;
  switch (type) {
    case "IPV6":
      return [version6];
    case "IPV4V6":
      return [version4, version6];
    case "Non-IP":
      return [];
    default:
      return [version4];
  }
}
