/**
 * Sends a stream of bytes to a server and collects all it answers, without a clock.
 *
 * The end of a stream is the end of the sending side: a server answers what it has, and closes.
 * Before that, a fence shows that the connection is still in step: an ECHO of its own, whose reply
 * (or whatever the stream made of it: QUEUED, NOAUTH, silence) is compared like any other.
 *
 * Whether a server has read what was sent is asked over a second connection, the probe: the
 * kernel reports sockets in the order in which they became ready, so a PING that is sent later is
 * answered later. Each chunk is probed before the next, so that the server sees it on its own.
 */

import { encodeRequest } from "../../../testkit/resp.ts";

export type Address =
  | { readonly unix: string }
  | { readonly hostname: string; readonly port: number };

/** Bytes as a byte string, or made from all that was answered so far. */
export type Chunk = string | ((received: string) => string);

export interface Exchange {
  readonly chunks: readonly Chunk[];
  /** Whether an ECHO follows: not where the stream ends within a request. */
  readonly isFenced: boolean;
}

export interface Outcome {
  /** All that was answered, as a byte string. */
  readonly replies: string;
  /** Whether the server closed while the client could still send. */
  readonly isClosedByServer: boolean;
}

export const FENCE = encodeRequest("ECHO", "all that came before is answered");

/** A server that neither answers nor closes for so long is stuck; no reply waits for this. */
const STUCK_MS = 20_000;

/**
 * Behind what it answers a server closes one turn of its event loop later, and here the end is
 * read a turn after the bytes: each answer of the probe is a turn of both. Ours lets a client that
 * sends much at once queue up for a turn or two besides.
 */
const CLOSING_TURNS = 8;
/**
 * Ours lets a client that sent more than AT_ONCE_BYTES queue up behind others; on a busy machine that takes more turns
 * than the answer of a short request.
 */
const CLOSING_TURNS_OF_MUCH = 400;
const AT_ONCE_BYTES = 64 * 1024;
/** After so many turns a chunk is read: ours may let a new client in a turn or two after the probe was answered. */
const READING_TURNS = 4;
/** Where its last word was a protocol error it will close, however busy the machine is. */
const CLOSING_TURNS_MAX = 2000;
const LAST_WORD = /(?:^|\n)-ERR Protocol error[^\n]*\n$/;

/** A connection that keeps all bytes it receives. */
class Wire {
  received = "";
  isClosed = false;
  private socket!: Bun.Socket;
  private unsent: Buffer = Buffer.alloc(0);
  private onProgress = Promise.withResolvers<void>();

  static async connect(address: Address): Promise<Wire> {
    const wire = new Wire();
    const closed = () => wire.progress(() => (wire.isClosed = true));
    const socket = {
      data: (_: Bun.Socket, bytes: Buffer) =>
        wire.progress(() => (wire.received += bytes.toString("latin1"))),
      drain: () => wire.progress(() => wire.flush()),
      end: closed,
      close: closed,
      error: closed,
    };
    wire.socket =
      "unix" in address
        ? await Bun.connect({ ...address, socket })
        : await Bun.connect({ ...address, socket });
    return wire;
  }

  /** Hands bytes to the kernel; resolves when it has all of them, or never will. */
  async send(bytes: string): Promise<void> {
    this.unsent = Buffer.from(bytes, "latin1");
    this.flush();
    await this.until(() => this.unsent.length === 0 || this.isClosed);
  }

  endSending(): void {
    this.socket.shutdown();
  }

  terminate(): void {
    this.socket.terminate();
  }

  async until(isReached: () => boolean): Promise<void> {
    while (!isReached()) await this.onProgress.promise;
  }

  private progress(change: () => void): void {
    change();
    this.onProgress.resolve();
    this.onProgress = Promise.withResolvers();
  }

  private flush(): void {
    const sent = this.socket.write(this.unsent);
    if (sent > 0) this.unsent = this.unsent.subarray(sent);
  }
}

/** One server, to which streams are sent, each on a connection of its own. */
export class Peer {
  private readonly address: Address;
  /** Connections whose PINGs are all answered. */
  private readonly probes: Wire[] = [];

  constructor(address: Address) {
    this.address = address;
  }

  async exchange({ chunks, isFenced }: Exchange): Promise<Outcome> {
    const probe = this.probes.pop() ?? (await Wire.connect(this.address));
    const wire = await Wire.connect(this.address);
    const guard = Promise.withResolvers<never>();
    const stuck = setTimeout(() => {
      guard.reject(new Error(`stuck after ${JSON.stringify(wire.received)}`));
    }, STUCK_MS);
    try {
      const outcome = await Promise.race([run(wire, probe, chunks, isFenced), guard.promise]);
      this.probes.push(probe);
      return outcome;
    } finally {
      clearTimeout(stuck);
      wire.terminate();
    }
  }

  /** Ends the connections that are kept. */
  close(): void {
    for (const probe of this.probes.splice(0)) probe.terminate();
  }
}

async function run(
  wire: Wire,
  probe: Wire,
  chunks: readonly Chunk[],
  isFenced: boolean,
): Promise<Outcome> {
  let sentBytes = 0;
  // The first answer shows that the connection is accepted.
  await ask(probe);
  for (const chunk of chunks) {
    if (wire.isClosed) break;
    if (typeof chunk !== "string") await wire.until(() => wire.received !== "" || wire.isClosed);
    const bytes = typeof chunk === "string" ? chunk : chunk(wire.received);
    sentBytes += bytes.length;
    await wire.send(bytes);
    for (let turn = 0; turn < READING_TURNS; turn++) await ask(probe);
  }
  const atLeast = sentBytes > AT_ONCE_BYTES ? CLOSING_TURNS_OF_MUCH : CLOSING_TURNS;
  const turns = () => (LAST_WORD.test(wire.received) ? CLOSING_TURNS_MAX : atLeast);
  for (let turn = 0; turn < turns() && !wire.isClosed; turn++) await ask(probe);
  const isClosedByServer = wire.isClosed;
  if (!isClosedByServer) {
    if (isFenced) await wire.send(FENCE);
    wire.endSending();
    await wire.until(() => wire.isClosed);
  }
  return { replies: wire.received, isClosedByServer };
}

/** Waits for one more line on the probe: PONG, or an error of one line where a password is due. */
async function ask(probe: Wire): Promise<void> {
  probe.received = "";
  await probe.send(encodeRequest("PING"));
  await probe.until(() => probe.received.endsWith("\n") || probe.isClosed);
  if (probe.isClosed) throw new Error("the server closed the probe: it is not running any more");
}
