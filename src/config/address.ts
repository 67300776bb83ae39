/** Where a server listens, as texts of the settings and back. */

/** One that a service manager listens on already. */
interface Passed {
  /** The descriptor of the listening socket; undefined where the server has to open it. */
  readonly descriptor?: number;
}

export interface TcpAddress extends Passed {
  /** Undefined: all interfaces. */
  readonly host: string | undefined;
  /** 0: one that is free. */
  readonly port: number;
}

export interface UnixAddress extends Passed {
  /** The path of a unix socket. */
  readonly unix: string;
}

export type Address = TcpAddress | UnixAddress;

const UNIX = "unix:";
/** The longest path a unix socket may have on Linux (sun_path, with its end). */
const UNIX_PATH_BYTES_MAX = 107;

/** How an address is written, for error texts. */
export const addressForms = "host:port, [ipv6]:port, :port or unix:/path";

/** One address; undefined where the text is none. */
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

/** An address as parseAddress() takes it. */
export function addressText(address: Address): string {
  if ("unix" in address) return UNIX + address.unix;
  const { host = "", port } = address;
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}
