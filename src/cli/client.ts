/**
 * A client of RESP2 for the program's own commands. Nothing is sent before the caller asks for it:
 * over TLS it can look at the certificate first.
 */

import type { Socket } from "bun";
import RedisParser from "redis-parser";
import { reasonOf } from "../base/errors.ts";
import { type Address, addressText } from "../config/address.ts";
import { Unreachable } from "./unreachable.ts";

/** What the server may answer at most. */
const REPLY_BYTES_MAX = 64 * 1024 * 1024;
/** The codes of a handshake that failed; any other one is about who signed the certificate. */
const BROKEN_HANDSHAKE = ["EPROTO", "ECONNRESET"];

/** A word of a request: a text, or bytes. */
type Word = string | Buffer;

/** An error that the server answered. */
export class ErrorReply extends Error {
  override readonly name = "ErrorReply";
}

/** How long everything may take together, and when that is over (performance.now()). */
export interface Limit {
  readonly seconds: number;
  readonly endsAtMs: number;
}

/** Whom a client of another machine's server trusts, and how it proves itself; each as PEM. */
export interface Trust {
  /** The authorities of whom one has to have signed the certificate, for the name of the host. */
  readonly ca: readonly string[];
  readonly cert?: string;
  readonly key?: string;
}

export interface ClientOptions {
  /**
   * Without it any certificate is taken: then the caller compares it with the server's own before
   * anything is sent.
   */
  readonly trust?: Trust | undefined;
  /** Whether replies come as bytes instead of texts. */
  readonly inBytes?: boolean;
}

export const limitOf = (seconds: number): Limit => ({
  seconds,
  endsAtMs: performance.now() + seconds * 1000,
});

export class Client {
  private readonly shown: string;
  private readonly isTls: boolean;
  private readonly trust: Trust | undefined;
  private readonly opened = Promise.withResolvers<void>();
  /** Those who wait for a reply, in their order. */
  private readonly waiting: PromiseWithResolvers<unknown>[] = [];
  /** Replies that nobody asked for, as a server that is full sends one. */
  private readonly unasked: unknown[] = [];
  private timer: Timer;
  /** How long each answer may take; undefined where everything together has a limit. */
  private limitSeconds: number | undefined;
  private socket: Socket | undefined;
  private failure: Unreachable | undefined;
  private unsent = Buffer.alloc(0);
  private receivedBytes = 0;
  private readonly parser: RedisParser;

  private constructor(address: Address, isTls: boolean, limit: Limit, options: ClientOptions) {
    this.shown = addressText(address);
    this.isTls = isTls;
    this.trust = options.trust;
    this.parser = new RedisParser({
      returnReply: (reply) => this.take(reply),
      returnError: (error) => this.take(new ErrorReply(error.message)),
      returnFatalError: () => this.fail("not_ours", "does not speak the protocol of Redis"),
      returnBuffers: options.inBytes ?? false,
    });
    const leftMs = limit.endsAtMs - performance.now();
    this.timer = setTimeout(() => this.expire(limit.seconds), Math.max(leftMs, 0));
  }

  /**
   * Connects, over TLS with its handshake. What takes longer than the limit fails, from here to the
   * last reply. Throws Unreachable.
   */
  static async open(
    address: Address,
    isTls: boolean,
    limit: Limit,
    options: ClientOptions = {},
  ): Promise<Client> {
    const client = new Client(address, isTls, limit, options);
    void client.connect(address);
    await client.opened.promise;
    return client;
  }

  /** The IP address and port at the other end; undefined for a unix socket. */
  get peer(): { readonly host: string; readonly port: number } | undefined {
    const { remoteAddress: host, remotePort: port } = this.socket!;
    return host === undefined || !port ? undefined : { host, port };
  }

  /** The certificate that the server has proven to be its own, in DER. */
  get certificate(): Buffer | undefined {
    return this.socket!.getPeerX509Certificate()?.raw;
  }

  /** Sends a command and answers the reply to it. Throws Unreachable and ErrorReply. */
  async command(...words: readonly Word[]): Promise<unknown> {
    const [reply] = await this.pipeline([words]);
    if (reply instanceof ErrorReply) throw reply;
    return reply;
  }

  /** Sends commands together and answers their replies; an error is a value. Throws Unreachable. */
  async pipeline(requests: readonly (readonly Word[])[]): Promise<unknown[]> {
    const answers = requests.map(() => Promise.withResolvers<unknown>());
    this.waiting.push(...answers);
    this.startLimit();
    if (this.unasked.length > 0) this.take(this.unasked.shift());
    else if (this.failure !== undefined) this.end(this.failure);
    else {
      this.unsent = Buffer.concat([this.unsent, ...requests.flatMap(encoded)]);
      this.flush();
    }
    return Promise.all(answers.map(({ promise }) => promise));
  }

  /**
   * Takes the time limit away, and sets one for what is asked from now on: each answer has to come
   * within it. What comes with one answer may be as long as what came before could be together.
   */
  limitEach(seconds: number): void {
    clearTimeout(this.timer);
    this.limitSeconds = seconds;
  }

  /** Takes the time limit away: what is asked from now on may take as long as it needs. */
  waitForever(): void {
    clearTimeout(this.timer);
  }

  close(): void {
    clearTimeout(this.timer);
    this.socket?.terminate();
  }

  private async connect(address: Address): Promise<void> {
    const handlers = {
      open: (socket: Socket) => this.keep(socket),
      handshake: (socket: Socket, _isTrusted: boolean, error: Error | null) =>
        this.shakenHands(socket, error),
      data: (_: Socket, chunk: Buffer) => this.receive(chunk),
      drain: () => this.flush(),
      close: () => this.fail("refused", "closes the connection without a word"),
      error: (_: Socket, error: Error) => this.fail("refused", failing(error)),
      connectError: () => {},
    };
    // shakenHands() refuses what is not trusted, and can say why.
    const tls = { ...this.trust, ca: this.trust && [...this.trust.ca], rejectUnauthorized: false };
    const common = { socket: handlers, ...(this.isTls && { tls }) };
    try {
      await ("unix" in address
        ? Bun.connect({ unix: address.unix, ...common })
        : Bun.connect({ hostname: address.host!, port: address.port, ...common }));
    } catch (error) {
      this.end(notConnected(this.shown, error as NodeJS.ErrnoException));
    }
  }

  private keep(socket: Socket): void {
    this.socket = socket;
    // The limit may have passed while the system was still connecting.
    if (this.failure !== undefined) return void socket.terminate();
    if (!this.isTls) this.opened.resolve();
  }

  private shakenHands(socket: Socket, error: NodeJS.ErrnoException | null): void {
    const isBroken = BROKEN_HANDSHAKE.includes(error?.code ?? "");
    if (!isBroken && error && this.trust) return this.fail("not_ours", distrust(error));
    if (!isBroken && socket.getPeerX509Certificate() !== undefined) return this.opened.resolve();
    if (error?.code === "ECONNRESET") {
      return this.fail("refused", "closes the connection before TLS begins: it may be full");
    }
    this.fail("not_ours", `cannot be spoken to over TLS: ${error?.message ?? "no certificate"}`);
  }

  private receive(chunk: Buffer): void {
    this.receivedBytes += chunk.length;
    if (this.receivedBytes > REPLY_BYTES_MAX) this.fail("not_ours", "answers without an end");
    else this.parser.execute(chunk);
  }

  private take(reply: unknown): void {
    const first = this.waiting.shift();
    if (first === undefined) this.unasked.push(reply);
    else first.resolve(reply);
    if (this.limitSeconds !== undefined && this.waiting.length === 0) clearTimeout(this.timer);
  }

  /** Starts the limit of an answer, where each has its own. */
  private startLimit(): void {
    const { limitSeconds } = this;
    if (limitSeconds === undefined || this.failure !== undefined) return;
    clearTimeout(this.timer);
    this.receivedBytes = 0;
    this.timer = setTimeout(() => this.expire(limitSeconds), limitSeconds * 1000);
  }

  private flush(): void {
    if (this.unsent.length === 0) return;
    const sent = this.socket!.write(this.unsent);
    // At -1 the socket is closed, and the handler says so.
    if (sent > 0) this.unsent = this.unsent.subarray(sent);
  }

  private expire(seconds: number): void {
    this.fail(
      "silent",
      `does not answer within ${seconds} s: it hangs or is overloaded, or another program listens there`,
    );
  }

  private fail(trouble: Unreachable["trouble"], what: string): void {
    this.end(new Unreachable(trouble, `the server on ${this.shown} ${what}`));
  }

  /** Fails all that waits, and whatever is asked from now on. */
  private end(failure: Unreachable): void {
    this.failure ??= failure;
    clearTimeout(this.timer);
    this.opened.reject(this.failure);
    for (const waiting of this.waiting.splice(0)) waiting.reject(this.failure);
    this.socket?.terminate();
  }
}

function encoded(words: readonly Word[]): Buffer[] {
  const bulks = words.flatMap((word) => [
    Buffer.from(`$${Buffer.byteLength(word)}\r\n`),
    Buffer.from(word as string),
    Buffer.from("\r\n"),
  ]);
  return [Buffer.from(`*${words.length}\r\n`), ...bulks];
}

/** Why a certificate is not trusted. */
function distrust({ code = "", message }: NodeJS.ErrnoException): string {
  if (code === "ERR_TLS_CERT_ALTNAME_INVALID") {
    return "shows a certificate that is not for this name of it: connect by a name that stands in the certificate";
  }
  if (code === "CERT_HAS_EXPIRED") return "shows a certificate that has expired: renew it";
  return `shows a certificate of an authority that is not known here (${message}): name its authority with -ca`;
}

function failing({ message }: Error): string {
  if (!message.includes("CERTIFICATE_REQUIRED")) return `fails: ${message}`;
  return "wants a certificate of its client: give one with -cert and -key";
}

function notConnected(shown: string, error: NodeJS.ErrnoException): Unreachable {
  const { code } = error;
  if (code === "ECONNREFUSED" || code === "ENOENT") {
    return new Unreachable("down", `nothing listens on ${shown}`);
  }
  if (code === "ENOTFOUND" || code === "EAI_AGAIN") {
    return new Unreachable("down", `no address is known of the host of ${shown}`);
  }
  if (code === "EACCES" || code === "EPERM") {
    return new Unreachable("not_permitted", `this user may not connect to ${shown}`);
  }
  return new Unreachable("down", `cannot connect to ${shown}: ${reasonOf(error)}`);
}
