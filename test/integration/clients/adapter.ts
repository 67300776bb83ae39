/**
 * What the conformance suite asks of a client. Each adapter does it the way that client's own
 * documentation shows, with its default settings: where that fails, the server is to be mended.
 */

export type Fields = Readonly<Record<string, string>>;

export interface Adapter {
  connect(port: number): Promise<void>;
  close(): Promise<void>;
  /** HSET: answers how many fields were set for the first time. */
  define(name: string, fields: Fields): Promise<number>;
  /** GET. */
  take(name: string): Promise<string>;
  /** Many GETs sent together, as this client pipelines. */
  takeMany(name: string, count: number): Promise<string[]>;
  /** Many GETs in the form that this client calls a transaction. */
  takeManyInTransaction(name: string, count: number): Promise<string[]>;
  /** Any commands in a transaction; rejects where one of them is refused. */
  transact(commands: readonly (readonly [string, ...string[]])[]): Promise<unknown[]>;
  /** MGET. */
  takeEach(names: readonly string[]): Promise<string[]>;
  /** INFO of a dispenser, and of the server, as fields. */
  infoOf(name: string): Promise<Fields>;
  serverInfo(): Promise<Fields>;
  /** HGETALL. */
  definitionOf(name: string): Promise<Fields>;
  exists(name: string): Promise<boolean>;
  /** DEL. */
  remove(names: readonly string[]): Promise<number>;
  /** SCAN, to its end. */
  names(pattern: string): Promise<string[]>;
  /** Whether it is what users of this client catch where the server answers with an error. */
  isRefusal(error: unknown): boolean;
}

/** The fields in the text of an INFO. */
export function fieldsOf(text: string): Fields {
  const lines = text.split("\r\n").filter((line) => line.includes(":"));
  return Object.fromEntries(
    lines.map((line) => [line.slice(0, line.indexOf(":")), line.slice(line.indexOf(":") + 1)]),
  );
}

/** A number as a client gave it; that it is there is part of what is tested. */
export function numeral(reply: unknown): string {
  if (typeof reply !== "string") throw new Error(`no number, but ${JSON.stringify(reply)}`);
  return reply;
}
