/**
 * The sockets a server listens on: TCP, TLS and unix, opened from the settings.
 *
 * Invariant: from its opening to the end the kernel's socket stays open, also while certificates
 * change, so no client that waits to be accepted is lost.
 */

import { closeSync, renameSync, rmSync } from "node:fs";
import type {
  Socket,
  SocketHandler,
  TCPSocketListener,
  TLSOptions,
  UnixSocketListener,
  UnixSocketOptions,
} from "bun";
import { CannotStart } from "../../base/errors.ts";
import { type Address, addressText, isLoopback, type TcpAddress } from "../../config/address.ts";
import type { Config } from "../../config/settings.ts";
import { duplicate } from "../../platform/libc.ts";
import type { Endpoints } from "../session/peer.ts";
import { readTls } from "./tls.ts";

type ListeningSocket<Data> = TCPSocketListener<Data> | UnixSocketListener<Data>;

/** What all listening sockets have but their address. */
interface ListenOptions<Data> {
  readonly allowHalfOpen: boolean;
  readonly socket: SocketHandler<Data>;
  readonly tls?: TLSOptions;
}

interface Listening<Data> {
  /** With the actual port. */
  readonly address: Address;
  readonly isTls: boolean;
  socket: ListeningSocket<Data>;
  /** The path to remove when it stops; undefined where Bun does that, or there is none. */
  path: string | undefined;
}

/** The listening sockets of one server. */
export class Sockets<Data> {
  private readonly config: Config;
  private readonly handlers: (address: Address, isTls: boolean) => SocketHandler<Data>;
  private readonly listening: Listening<Data>[] = [];

  /** `handlers` makes the handlers for the clients of one address. */
  constructor(config: Config, handlers: (address: Address, isTls: boolean) => SocketHandler<Data>) {
    this.config = config;
    this.handlers = handlers;
  }

  /** The port of the first socket that has one; 0 for none. */
  get port(): number {
    const first = this.listening.find(({ address }) => !("unix" in address));
    return first === undefined ? 0 : (first.address as TcpAddress).port;
  }

  /** The addresses as texts, with the actual ports. */
  get addresses(): readonly string[] {
    return this.listening.map(({ address, isTls }) => {
      const text = addressText(address);
      return isTls ? `tls:${text}` : text;
    });
  }

  /** Opens all of them. If it throws CannotStart, none is open. */
  open(): void {
    const { config } = this;
    try {
      for (const address of config.addr) this.add(address, undefined);
      if (config.tlsAddr.length === 0) return;
      const tls = readTls(config);
      for (const address of config.tlsAddr) this.add(address, tls);
    } catch (error) {
      this.stop();
      throw error;
    }
  }

  private add(address: Address, tls: TLSOptions | undefined): void {
    const isTls = tls !== undefined;
    const options = this.optionsFor(address, tls);
    const socket = listen(address, this.config, options);
    const each = { address: withPort(address, socket), isTls, socket, path: undefined };
    this.listening.push(each);
    if (isTls) ownPath(each, options);
  }

  private optionsFor(address: Address, tls: TLSOptions | undefined): ListenOptions<Data> {
    const socket = this.handlers(address, tls !== undefined);
    return { allowHalfOpen: true, socket, ...(tls === undefined ? {} : { tls }) };
  }

  /** Reads the certificates again. If it throws CannotStart, the old ones stay in use. */
  reloadTls(): void {
    const tls = readTls(this.config);
    const withTls = this.listening.filter(({ isTls }) => isTls);
    const opened: ListeningSocket<Data>[] = [];
    try {
      for (const { address, socket } of withTls) {
        opened.push(listenAlso(descriptorOf(socket), address, this.optionsFor(address, tls)));
      }
    } catch (error) {
      for (const socket of opened) socket.stop();
      throw error;
    }
    for (const [index, each] of withTls.entries()) {
      each.socket.stop();
      each.socket = opened[index]!;
    }
  }

  /** Stops listening; with `all`, ends the connections, too. */
  stop(all = false): void {
    for (const each of this.listening) {
      each.socket.stop(all);
      if (each.path !== undefined) rmSync(each.path, { force: true });
      // By the next call it may be another server's.
      each.path = undefined;
    }
  }
}

/**
 * Makes a unix socket one of which Bun does not know the path: it removes the path of one that it
 * stops, but when certificates change the path has to stay.
 */
function ownPath<Data>(each: Listening<Data>, options: ListenOptions<Data>): void {
  const { address, socket } = each;
  if (!("unix" in address) || address.descriptor !== undefined) return;
  const path = address.unix;
  const aside = `${path}.opening`;
  each.socket = listenAlso(descriptorOf(socket), address, options);
  renameSync(path, aside);
  socket.stop();
  renameSync(aside, path);
  each.path = path;
}

/** An address with the port that the system chose, if it asked for any free one. */
function withPort(address: Address, socket: ListeningSocket<unknown>): Address {
  const isPassed = address.descriptor !== undefined;
  if (isPassed || "unix" in address || !("port" in socket)) return address;
  return { ...address, port: socket.port };
}

/** Opens one listening socket. Throws CannotStart. */
function listen<Data>(
  address: Address,
  config: Config,
  options: ListenOptions<Data>,
): ListeningSocket<Data> {
  if (address.descriptor !== undefined) return listenAlso(address.descriptor, address, options);
  try {
    if ("unix" in address) {
      // The umask sets the permissions at creation, so nobody can connect before they are set.
      const before = process.umask(0o777 & ~config.unixSocketMode);
      try {
        return Bun.listen<Data>({ unix: address.unix, ...options });
      } finally {
        process.umask(before);
      }
    }
    const { host: hostname, port } = address;
    if (hostname !== undefined) return Bun.listen<Data>({ hostname, port, ...options });
    return listenOnAll((all) => Bun.listen<Data>({ hostname: all, port, ...options }));
  } catch (error) {
    throw new CannotStart(`cannot listen on ${addressText(address)}: ${whyNot(error)}`);
  }
}

/**
 * Listens on a socket that is open already, by a copy of its descriptor: it stays open when either
 * is stopped. Throws CannotStart.
 */
function listenAlso<Data>(
  descriptor: number,
  address: Address,
  options: ListenOptions<Data>,
): ListeningSocket<Data> {
  const fd = duplicate(descriptor);
  try {
    // Bun's types do not have `fd`.
    return Bun.listen<Data>({ fd, ...options } as unknown as UnixSocketOptions<Data>);
  } catch (error) {
    closeSync(fd);
    throw new CannotStart(`cannot listen on ${addressText(address)}: ${whyNot(error)}`);
  }
}

/** The descriptor of a listening socket, which Bun's types do not have. */
function descriptorOf(socket: ListeningSocket<unknown>): number {
  return (socket as unknown as { readonly fd: number }).fd;
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
