/** The addresses that a server listens on, read from the texts of settings and written back. */

/** The part of an address that a service manager may have opened already. */
interface Passed {
  /** The descriptor of the listening socket; undefined if the server has to open it. */
  readonly descriptor?: number;
}

export interface TcpAddress extends Passed {
  /** The host; undefined for all interfaces. */
  readonly host: string | undefined;
  /** The port; 0 for any free one. */
  readonly port: number;
}

export interface UnixAddress extends Passed {
  /** The path of a unix socket. */
  readonly unix: string;
}

export type Address = TcpAddress | UnixAddress;

const UNIX = "unix:";
/** The longest path that a unix socket may have on Linux (sun_path without its final NUL). */
const UNIX_PATH_BYTES_MAX = 107;

/** The forms of an address, for error texts. */
export const addressForms = "host:port, [ipv6]:port, :port or unix:/path";

/** Reads one address; undefined if the text is none. */
export function parseAddress(text: string): Address | undefined {
  if (text.startsWith(UNIX)) {
    const unix = text.slice(UNIX.length);
    const isPath = unix.startsWith("/") && !unix.includes("\0");
    return isPath && Buffer.byteLength(unix) <= UNIX_PATH_BYTES_MAX ? { unix } : undefined;
  }
  const match = /^(?:\[([0-9a-fA-F:.%]+)\]|([^\s:[\]]*)):([0-9]{1,5})$/.exec(text);
  if (match === null) return undefined;
  const port = Number(match[3]);
  if (port > 65_535) return undefined;
  return { host: (match[1] ?? match[2]) || undefined, port };
}

/** Whether an IP address belongs to the loopback interface. */
export function isLoopback(host: string): boolean {
  return host === "::1" || /^(::ffff:)?127\./.test(host);
}

/** The text of an address, which parseAddress() reads. */
export function addressText(address: Address): string {
  if ("unix" in address) return UNIX + address.unix;
  const { host = "", port } = address;
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}
