/** Who a connection is with. */

/** The two ends of a client's connection, as texts. */
export interface Endpoints {
  /** "host:port" of the client; "unix:" and the path of the socket. */
  readonly address: string;
  /** The same of the server's end. */
  readonly localAddress: string;
  /** The client's host alone: many connections may share it. */
  readonly host: string;
  /** Whether the client is on this machine. */
  readonly isLocal: boolean;
}

/** A client: its ends, and the number that no other client of this server has. */
export interface Peer extends Endpoints {
  readonly id: number;
}
