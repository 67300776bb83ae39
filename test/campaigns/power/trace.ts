/**
 * What strace recorded, as events on one data folder and its clients, in order. The order is total
 * because only the main thread writes there, which is checked; so is that the server uses no call
 * that the disk model does not know.
 */

import { readdirSync, readFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";

/** Files are named within the data folder: "" is the folder itself, ".." the one it is in. */
export type Event =
  | { readonly kind: "open"; readonly handle: number; readonly name: string; truncates: boolean }
  | {
      readonly kind: "write";
      readonly handle: number;
      /** Undefined where the file's own position counts. */
      readonly offset: number | undefined;
      readonly bytes: Uint8Array;
    }
  | { readonly kind: "truncate"; readonly handle: number; readonly size: number }
  | { readonly kind: "sync"; readonly handle: number; readonly succeeded: boolean }
  | { readonly kind: "mkdir" | "unlink"; readonly name: string }
  | { readonly kind: "link" | "rename"; readonly name: string; readonly to: string }
  | { readonly kind: "received" | "sent"; readonly client: number; readonly bytes: string }
  /** A process ended and the next one on the same folder began; the machine did not stop. */
  | { readonly kind: "restart" };

type Call = { readonly name: string; readonly args: readonly string[]; readonly result: number };

/** Handles and clients are numbered over all records, so that they can be joined. */
let lastNumber = 0;

/** Reads the record that recorded(prefix) made of the process with this pid. */
export function readTrace(prefix: string, pid: number, dataDir: string): Event[] {
  requireOtherThreadsKeepOut(prefix, pid, dataDir);
  const reader = new Reader(dataDir);
  for (const line of readFileSync(`${prefix}.${pid}`, "latin1").split("\n")) {
    const call = parseCall(line);
    if (call !== undefined) reader.read(call);
  }
  return reader.events;
}

function requireOtherThreadsKeepOut(prefix: string, pid: number, dataDir: string): void {
  const inFolder = hexOf(dataDir);
  for (const file of readdirSync(dirname(prefix))) {
    if (!file.startsWith(`${basename(prefix)}.`) || file === `${basename(prefix)}.${pid}`) continue;
    const text = readFileSync(join(dirname(prefix), file), "latin1");
    if (text.includes(inFolder)) throw new Error(`another thread uses the data folder: ${file}`);
  }
}

function hexOf(text: string): string {
  return [...Buffer.from(text)].map((byte) => `\\x${byte.toString(16).padStart(2, "0")}`).join("");
}

/** The bytes of a string as strace writes it with -xx. */
function bytesOf(text: string): Buffer {
  return Buffer.from(text.replaceAll("\\x", ""), "hex");
}

/** `name(arguments) = result`; undefined for a call that never returned, and for other lines. */
function parseCall(line: string): Call | undefined {
  const open = line.indexOf("(");
  // Whatever stands in quotes is hexadecimal: the end is sought behind the last of it.
  const tail = line.lastIndexOf('"') + 1;
  const end = /\)\s+= (-?\d+)/.exec(line.slice(tail));
  if (open < 0 || end === null) return undefined;
  const args = line.slice(open + 1, tail + end.index).split(", ");
  return { name: line.slice(0, open), args, result: Number(end[1]) };
}

class Reader {
  readonly events: Event[] = [];
  private readonly dataDir: string;
  private readonly handles = new Map<number, number>();
  private readonly clients = new Map<number, number>();

  constructor(dataDir: string) {
    this.dataDir = dataDir;
  }

  read({ name, args, result }: Call): void {
    const isSync = name === "fsync" || name === "fdatasync";
    if (result < 0 && !isSync) return;
    switch (name) {
      case "openat":
        return this.opened(args[1]!, args[2]!, result);
      case "accept4":
        this.clients.set(result, ++lastNumber);
        this.handles.delete(result);
        return;
      case "recvfrom":
      case "sendto": {
        const client = this.clients.get(descriptorOf(args[0]!));
        const bytes = textOf(args[1]!).subarray(0, result).toString("latin1");
        const kind = name === "sendto" ? "sent" : "received";
        if (client !== undefined) this.events.push({ kind, client, bytes });
        return;
      }
      case "mkdir":
      case "unlink":
        return this.entry(name, args[0]!);
      case "unlinkat":
        // What a crash left half made, whose path is absolute.
        return this.entry("unlink", args[1]!);
      case "link":
      case "rename":
        return this.entry(name, args[0]!, args[1]!);
      default:
        return this.onFile(name, args, result);
    }
  }

  private onFile(name: string, args: readonly string[], result: number): void {
    const at = name === "mmap" ? 4 : 0;
    const descriptor = descriptorOf(args[at]!);
    const handle = this.handles.get(descriptor);
    const isClient = this.clients.has(descriptor) && args[at]!.includes(hexOf("socket:"));
    const isOurs = handle !== undefined && args[at]!.includes(hexOf(dirname(this.dataDir)));
    if (name === "mmap" && !(isOurs && /SHARED/.test(args[3]!) && /WRITE/.test(args[2]!))) return;
    if (!isOurs) {
      // What is written may well name the folder: the log's lines do.
      const text = name.includes("write") ? args[0]! : args.join(", ");
      if (isClient || text.includes(hexOf(this.dataDir))) throw new Error(`not modelled: ${name}`);
      return;
    }
    if (name === "pwrite64") {
      const bytes = textOf(args[1]!).subarray(0, result);
      this.events.push({ kind: "write", handle, offset: Number(args[3]), bytes });
    } else if (name === "write") {
      const bytes = textOf(args[1]!).subarray(0, result);
      this.events.push({ kind: "write", handle, offset: undefined, bytes });
    } else if (name === "ftruncate") {
      this.events.push({ kind: "truncate", handle, size: Number(args[1]) });
    } else if (name === "fsync" || name === "fdatasync") {
      this.events.push({ kind: "sync", handle, succeeded: result === 0 });
    } else {
      throw new Error(`the disk model does not know ${name}`);
    }
  }

  private opened(path: string, flags: string, descriptor: number): void {
    const name = this.nameOf(path);
    this.handles.delete(descriptor);
    this.clients.delete(descriptor);
    if (name === undefined) return;
    const handle = ++lastNumber;
    this.handles.set(descriptor, handle);
    this.events.push({ kind: "open", handle, name, truncates: flags.includes("O_TRUNC") });
  }

  private entry(kind: "mkdir" | "unlink" | "link" | "rename", path: string, target = path): void {
    const name = this.nameOf(path);
    const to = this.nameOf(target);
    if (name === undefined || to === undefined) return;
    if (kind === "link" || kind === "rename") this.events.push({ kind, name, to });
    else this.events.push({ kind, name });
  }

  private nameOf(argument: string): string | undefined {
    const path = textOf(argument).toString();
    if (path === this.dataDir) return "";
    if (path === dirname(this.dataDir)) return "..";
    return dirname(path) === this.dataDir ? basename(path) : undefined;
  }
}

function descriptorOf(argument: string): number {
  return Number.parseInt(argument, 10);
}

/** A string argument, which strace puts in quotes. */
function textOf(argument: string): Buffer {
  return bytesOf(argument.slice(1, argument.lastIndexOf('"')));
}
