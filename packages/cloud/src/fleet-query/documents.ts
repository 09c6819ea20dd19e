/** What is indexed of one shadow. */
export interface IndexedShadow {
  readonly desired?: object;
  readonly reported?: object;
  readonly delta?: object;
  readonly metadata: object;
  readonly hasDelta: boolean;
  readonly version: number;
}

/** What is known of the connection of a thing, which connects under its own name. */
export interface IndexedConnectivity {
  readonly connected: boolean;
  /** Of the last change, in Unix milliseconds; 0 for a thing that never connected. */
  readonly timestamp: number;
  readonly disconnectReason?: string;
  readonly clientId?: string;
  readonly cleanSession?: boolean;
  readonly keepAliveDuration?: number;
  readonly sessionExpiry?: number;
  readonly version?: number;
}

/** A thing as it is searched. */
export interface IndexedThing {
  readonly thingName: string;
  readonly thingId: string;
  readonly thingTypeName?: string;
  readonly groups: readonly { readonly thingGroupName: string; readonly thingGroupId: string }[];
  readonly attributes: Readonly<Record<string, string>>;
  readonly version: number;
  readonly shadow?: IndexedShadow;
  /** By the names of the shadows. */
  readonly namedShadows?: Readonly<Record<string, IndexedShadow>>;
  readonly connectivity?: IndexedConnectivity;
}

/** A thing group as it is searched. */
export interface IndexedGroup {
  readonly thingGroupName: string;
  readonly thingGroupId: string;
  readonly description?: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly parentGroupNames: readonly string[];
  readonly version: number;
}
