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
  /** Whether it was let in past limits.clients, to see what is going on and to change it. */
  readonly isReserved: boolean;
}

/**
 * The network that a client's host is in, by which connections are counted: an IPv4 address alone,
 * the /64 of an IPv6 address, because one machine may have all addresses of that.
 */
export function networkOf(host: string): string {
  if (!host.includes(":") || host.startsWith("unix:")) return host;
  const address = host.split("%")[0]!;
  // An IPv4 address within one of IPv6.
  if (address.includes(".")) return address.slice(address.lastIndexOf(":") + 1);
  const [head = "", tail] = address.split("::");
  const front = head === "" ? [] : head.split(":");
  const back = tail === undefined || tail === "" ? [] : tail.split(":");
  const zeros = tail === undefined ? 0 : Math.max(0, 8 - front.length - back.length);
  const groups = [...front, ...Array<string>(zeros).fill("0"), ...back];
  return `${groups.slice(0, 4).join(":")}::/64`;
}
