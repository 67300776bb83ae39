/** A client for the tests: sends bytes as they are, and reads RESP2 and RESP3 replies. */

/** An error reply, as a value without a stack. */
export class ReplyError extends Error {
  override readonly name = "ReplyError";

  constructor(message: string) {
    const { stackTraceLimit } = Error;
    Error.stackTraceLimit = 0;
    super(message);
    Error.stackTraceLimit = stackTraceLimit;
  }
}

export type Reply = string | number | null | ReplyError | Reply[] | Map<Reply, Reply>;

/** A request as an array of bulk strings; the words are byte strings. */
export function encodeRequest(...words: string[]): string {
  return `*${words.length}\r\n${words.map((word) => `$${word.length}\r\n${word}\r\n`).join("")}`;
}

/** Reads the reply at `from` in a byte string; undefined if it is incomplete. */
export function readReply(bytes: string, from = 0): { reply: Reply; end: number } | undefined {
  const lineEnd = bytes.indexOf("\r\n", from);
  if (lineEnd < 0) return undefined;
  const line = bytes.slice(from + 1, lineEnd);
  const after = lineEnd + 2;
  switch (bytes[from]) {
    case "+":
      return { reply: line, end: after };
    case "-":
      return { reply: new ReplyError(line), end: after };
    case ":":
      return { reply: Number(line), end: after };
    case "_":
      return { reply: null, end: after };
    case "$":
    case "=": {
      const length = Number(line);
      if (length < 0) return { reply: null, end: after };
      if (bytes.length < after + length + 2) return undefined;
      const skipped = bytes[from] === "=" ? 4 : 0;
      const reply = bytes.slice(after + skipped, after + length);
      return { reply, end: after + length + 2 };
    }
    case "*":
    case "~":
      if (line === "-1") return { reply: null, end: after };
      return readMany(bytes, after, Number(line), (replies) => replies);
    case "%":
      return readMany(bytes, after, 2 * Number(line), (replies) => {
        const map = new Map<Reply, Reply>();
        for (let at = 0; at < replies.length; at += 2) map.set(replies[at]!, replies[at + 1]!);
        return map;
      });
    default:
      throw new Error(`not a reply: ${JSON.stringify(bytes.slice(from, from + 40))}`);
  }
}

function readMany(
  bytes: string,
  from: number,
  count: number,
  combine: (replies: Reply[]) => Reply,
): { reply: Reply; end: number } | undefined {
  const replies: Reply[] = [];
  let end = from;
  for (let index = 0; index < count; index++) {
    const read = readReply(bytes, end);
    if (read === undefined) return undefined;
    replies.push(read.reply);
    end = read.end;
  }
  return { reply: combine(replies), end };
}

/** Reads all complete replies of a byte string. */
export function readReplies(bytes: string): Reply[] {
  const replies: Reply[] = [];
  for (let end = 0; end < bytes.length; ) {
    const read = readReply(bytes, end);
    if (read === undefined) break;
    replies.push(read.reply);
    end = read.end;
  }
  return replies;
}

export class TestClient {
  /** The bytes that arrived and were not read as a reply yet, as a byte string. */
  private received = "";
  private waiting: ((reply: Reply) => void)[] = [];
  private onClose: () => void = () => {};
  /** Resolves when the server has ended the connection. */
  readonly closed: Promise<void>;
  private socket!: Bun.Socket;

  private constructor() {
    this.closed = new Promise((resolve) => {
      this.onClose = resolve;
    });
  }

  static async connect(port: number, hostname = "127.0.0.1"): Promise<TestClient> {
    const client = new TestClient();
    client.socket = await Bun.connect({
      hostname,
      port,
      socket: {
        data: (_, chunk) => client.arrived(chunk.toString("latin1")),
        close: () => client.ended(),
        error: () => client.ended(),
      },
    });
    return client;
  }

  /** Sends bytes as they are. */
  send(bytes: string): void {
    const buffer = Buffer.from(bytes, "latin1");
    if (this.socket.write(buffer) !== buffer.length) throw new Error("the test sends too much");
  }

  /** Waits for the next reply. */
  next(): Promise<Reply> {
    return new Promise((resolve) => {
      this.waiting.push(resolve);
      this.arrived("");
    });
  }

  async command(...words: string[]): Promise<Reply> {
    this.send(encodeRequest(...words));
    return this.next();
  }

  /** Sends requests in one write. Answers their replies, in order. */
  pipeline(requests: string[][]): Promise<Reply[]> {
    this.send(requests.map((words) => encodeRequest(...words)).join(""));
    return Promise.all(requests.map(() => this.next()));
  }

  /** The fields of INFO with these words. */
  async info(...words: string[]): Promise<Record<string, string>> {
    const text = (await this.command("INFO", ...words)) as string;
    const lines = text.split("\r\n").filter((line) => line.includes(":"));
    return Object.fromEntries(
      lines.map((line) => [line.slice(0, line.indexOf(":")), line.slice(line.indexOf(":") + 1)]),
    );
  }

  close(): void {
    this.socket.end();
  }

  /** Ends only the sending side. */
  shutdown(): void {
    this.socket.shutdown();
  }

  private arrived(bytes: string): void {
    this.received += bytes;
    while (this.waiting.length > 0) {
      const read = readReply(this.received);
      if (read === undefined) return;
      this.received = this.received.slice(read.end);
      this.waiting.shift()!(read.reply);
    }
  }

  private ended(): void {
    this.onClose();
    for (const resolve of this.waiting.splice(0)) resolve(new ReplyError("connection closed"));
  }
}
