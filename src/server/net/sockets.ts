/** The sockets a server listens on: TCP, TLS and unix, opened from the settings. */

import type {
  Socket,
  SocketHandler,
  TCPSocketListener,
  TLSOptions,
  UnixSocketListener,
  UnixSocketOptions,
} from "bun";
import { CannotStart, reasonOf } from "../../base/errors.ts";
import { type Address, addressText, isLoopback, type TcpAddress } from "../../config/address.ts";
import type { Config } from "../../config/settings.ts";
import { readRegular } from "../../platform/files.ts";
import { duplicate } from "../../platform/libc.ts";
import type { Endpoints } from "../session/peer.ts";

type ListeningSocket<Data> = TCPSocketListener<Data> | UnixSocketListener<Data>;

interface Listening<Data> {
  readonly address: Address;
  readonly isTls: boolean;
  socket: ListeningSocket<Data>;
}

/** The listening sockets of one server. */
export class Sockets<Data> {
  private readonly config: Config;
  private readonly handlers: (address: Address, isTls: boolean) => SocketHandler<Data>;
  private readonly listening: Listening<Data>[] = [];
  /** The certificates in use; undefined without TLS. */
  private tls: TLSOptions | undefined;

  /** `handlers` makes the handlers for the clients of one address. */
  constructor(config: Config, handlers: (address: Address, isTls: boolean) => SocketHandler<Data>) {
    this.config = config;
    this.handlers = handlers;
  }

  /** The port of the first socket that has one; 0 for none. */
  get port(): number {
    const first = this.listening.find(({ address }) => !("unix" in address));
    return first === undefined ? 0 : (withPort(first.address, first.socket) as TcpAddress).port;
  }

  /** The addresses as texts, with the actual ports. */
  get addresses(): readonly string[] {
    return this.listening.map(({ address, socket, isTls }) => {
      const text = addressText(withPort(address, socket));
      return isTls ? `tls:${text}` : text;
    });
  }

  /** Opens all of them. If it throws CannotStart, none is open. */
  open(): void {
    const { config } = this;
    try {
      for (const address of config.addr) this.add(address, undefined);
      if (config.tlsAddr.length === 0) return;
      this.tls = readTls(config);
      for (const address of config.tlsAddr) this.add(address, this.tls);
    } catch (error) {
      this.stop();
      throw error;
    }
  }

  private add(address: Address, tls: TLSOptions | undefined): void {
    const isTls = tls !== undefined;
    const socket = listen(address, this.config, tls, this.handlers(address, isTls));
    this.listening.push({ address, isTls, socket });
  }

  /** Reads the certificates again. If it throws CannotStart, the old ones stay in use. */
  reloadTls(): void {
    const tls = readTls(this.config);
    // Tries them on another socket first: bad certificates must not close the one that serves.
    listen({ host: "127.0.0.1", port: 0 }, this.config, tls, { data() {} }).stop();
    for (const each of this.listening.filter(({ isTls }) => isTls)) {
      const address = withPort(each.address, each.socket);
      const handlers = this.handlers(each.address, true);
      each.socket.stop();
      try {
        each.socket = listen(address, this.config, tls, handlers);
      } catch (error) {
        each.socket = listen(address, this.config, this.tls, handlers);
        throw error;
      }
    }
    this.tls = tls;
  }

  /** Stops listening; with `all`, ends the connections, too. */
  stop(all = false): void {
    for (const { socket } of this.listening) socket.stop(all);
  }
}

/** An address with the port that the system chose, if it asked for any free one. */
function withPort(address: Address, socket: ListeningSocket<unknown>): Address {
  const isPassed = address.descriptor !== undefined;
  if (isPassed || "unix" in address || !("port" in socket)) return address;
  return { ...address, port: socket.port };
}

/** Reads the certificates and the key. Throws CannotStart if a file cannot be read. */
function readTls({ tlsCert, tlsKey, tlsClientCa }: Config): TLSOptions {
  const read = (path: string, setting: string) => {
    try {
      // Files are also read while the server runs, and a FIFO would block it.
      return readRegular(path).toString();
    } catch (error) {
      throw new CannotStart(`cannot read ${setting} ${path}: ${reasonOf(error)}`);
    }
  };
  const options = { cert: read(tlsCert, "tls.cert"), key: read(tlsKey, "tls.key") };
  if (tlsClientCa === "") return options;
  const ca = read(tlsClientCa, "tls.client_ca");
  return { ...options, ca, requestCert: true, rejectUnauthorized: true };
}

/** Opens one listening socket. Throws CannotStart. */
function listen<Data>(
  address: Address,
  config: Config,
  tls: TLSOptions | undefined,
  socket: SocketHandler<Data>,
): ListeningSocket<Data> {
  const common = { allowHalfOpen: true, socket, ...(tls === undefined ? {} : { tls }) };
  try {
    if (address.descriptor !== undefined) {
      // A copy of the descriptor may be closed and opened again. Bun's types do not have `fd`.
      const fd = duplicate(address.descriptor);
      return Bun.listen<Data>({ fd, ...common } as unknown as UnixSocketOptions<Data>);
    }
    if ("unix" in address) {
      // The umask sets the permissions at creation, so nobody can connect before they are set.
      const before = process.umask(0o777 & ~config.unixSocketMode);
      try {
        return Bun.listen<Data>({ unix: address.unix, ...common });
      } finally {
        process.umask(before);
      }
    }
    const { host: hostname, port } = address;
    if (hostname !== undefined) return Bun.listen<Data>({ hostname, port, ...common });
    return listenOnAll((all) => Bun.listen<Data>({ hostname: all, port, ...common }));
  } catch (error) {
    throw new CannotStart(`cannot listen on ${addressText(address)}: ${whyNot(error)}`);
  }
}

/** Listens on all interfaces: IPv6 and IPv4 if the machine has IPv6, otherwise IPv4. */
function listenOnAll<T>(open: (hostname: string) => T): T {
  try {
    return open("::");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EADDRINUSE") throw error;
    return open("0.0.0.0");
  }
}

function whyNot(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === "EADDRINUSE") return "the address is in use";
  if (code === "EACCES") return "permission denied";
  if (code === "EADDRNOTAVAIL") return "it is not an address of this machine";
  if (code === "ENOENT") return "there is no such folder";
  if (code?.startsWith("ERR_OSSL")) return `tls.cert or tls.key is of no use: ${message}`;
  if (code === undefined) return "unknown host";
  return message;
}

/** Both endpoints of a client's connection, or undefined if it has closed. */
export function endpointsOf(socket: Socket<unknown>, address: Address): Endpoints | undefined {
  if ("unix" in address) {
    const text = addressText(address);
    return { address: text, localAddress: text, host: text, isLocal: true };
  }
  // A client that left before it was admitted has no address (the types do not say so).
  const remote = socket.remoteAddress as string | undefined;
  const own = socket.localAddress as string | undefined;
  if (remote === undefined || own === undefined) return undefined;
  const host = remote.replace(/^::ffff:/, "");
  const local = own.replace(/^::ffff:/, "");
  return {
    address: addressText({ host, port: socket.remotePort }),
    localAddress: addressText({ host: local, port: socket.localPort }),
    host,
    isLocal: isLoopback(host),
  };
}
