/** The client at the other end of a connection. */

/** The two endpoints of a client's connection, as texts. */
export interface Endpoints {
  /** The client's "host:port", or "unix:" and the path of the socket. */
  readonly address: string;
  /** The server's endpoint, in the same form. */
  readonly localAddress: string;
  /** The client's host without the port; many connections may share it. */
  readonly host: string;
  /** Whether the client is on this machine. */
  readonly isLocal: boolean;
}

/** A client: its endpoints, and an id that no other client of this server has. */
export interface Peer extends Endpoints {
  readonly id: number;
}
