/** Reads replies strictly: every length, type and line end must be as RESP2 and RESP3 have it. */

/** What the fuzzer is for: the server did what it must not. */
export class Broken extends Error {
  override readonly name = "Broken";
}

export interface Reply {
  readonly type:
    | "simple"
    | "error"
    | "integer"
    | "bulk"
    | "verbatim"
    /** "$-1", which is RESP2 alone. */
    | "null bulk"
    /** "_", which is RESP3 alone. */
    | "null"
    | "array"
    | "set"
    | "map";
  /** Of a line its text, of a bulk its bytes. */
  readonly text: string;
  /** Of an array, a set, a map: the keys of a map each before its value. */
  readonly items: readonly Reply[];
}

const NONE: readonly Reply[] = [];
const LINES: Readonly<Record<string, Reply["type"]>> = { "+": "simple", "-": "error" };
const MANY: Readonly<Record<string, Reply["type"]>> = { "*": "array", "~": "set", "%": "map" };

/** More levels than any reply of a command has. */
const DEPTH_MAX = 8;

export class ReplyReader {
  private readonly bytes: string;
  private at = 0;

  constructor(bytes: string) {
    this.bytes = bytes;
  }

  /** What is not read yet, or the start of it. */
  get rest(): string {
    return JSON.stringify(this.bytes.slice(this.at, this.at + 80));
  }

  get isAtEnd(): boolean {
    return this.at === this.bytes.length;
  }

  /** The next reply; undefined where it is not whole. */
  read(): Reply | undefined {
    const from = this.at;
    const reply = this.readOne(0);
    if (reply === undefined) this.at = from;
    return reply;
  }

  private readOne(depth: number): Reply | undefined {
    const kind = this.bytes[this.at];
    const end = this.bytes.indexOf("\r\n", this.at);
    if (kind === undefined || end < 0) return undefined;
    const line = this.bytes.slice(this.at + 1, end);
    if (/[\r\n]/.test(line)) throw this.malformed("a CR or LF in a line");
    if (kind in LINES) {
      this.at = end + 2;
      return { type: LINES[kind]!, text: line, items: NONE };
    }
    if (kind === "_" && line === "") {
      this.at = end + 2;
      return { type: "null", text: "", items: NONE };
    }
    if (!/^(0|-?[1-9][0-9]{0,18})$/.test(line)) throw this.malformed("no number");
    if (kind === ":") {
      this.at = end + 2;
      return { type: "integer", text: line, items: NONE };
    }
    if (kind === "$" || kind === "=") return this.readBulk(kind, Number(line), end + 2);
    if (!(kind in MANY) || line.startsWith("-") || depth > DEPTH_MAX) {
      throw this.malformed("no type of a reply");
    }
    this.at = end + 2;
    return this.readMany(MANY[kind]!, Number(line), depth);
  }

  private readBulk(kind: string, length: number, from: number): Reply | undefined {
    if (length === -1 && kind === "$") {
      this.at = from;
      return { type: "null bulk", text: "", items: NONE };
    }
    if (length < 0) throw this.malformed("a negative length");
    const end = from + length;
    if (end + 2 > this.bytes.length) return undefined;
    if (!this.bytes.startsWith("\r\n", end)) throw this.malformed("no CRLF behind a bulk");
    const text = this.bytes.slice(from, end);
    if (kind === "=" && !text.startsWith("txt:")) throw this.malformed("no kind of a verbatim");
    this.at = end + 2;
    return { type: kind === "=" ? "verbatim" : "bulk", text, items: NONE };
  }

  private readMany(type: Reply["type"], count: number, depth: number): Reply | undefined {
    const items: Reply[] = [];
    for (let left = type === "map" ? 2 * count : count; left > 0; left--) {
      const item = this.readOne(depth + 1);
      if (item === undefined) return undefined;
      items.push(item);
    }
    return { type, text: "", items };
  }

  private malformed(why: string): Broken {
    return new Broken(`a malformed reply, ${why}: ${this.rest}`);
  }
}
