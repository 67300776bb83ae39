/**
 * A disk under a page cache, and what a power cut leaves of it. Written pages are dirty until a
 * sync of their file; a sync that fails leaves them in the cache but clean, so that no later sync
 * ever writes them, as on Linux. Entries of a folder (made, linked, removed) are not on the disk
 * until the folder itself is synced.
 */

import type { Event } from "./trace.ts";

const PAGE_BYTES = 4096;
const SECTOR_BYTES = 512;

/** The files of the data folder; undefined where the folder itself is not there. */
export type Image = ReadonlyMap<string, Uint8Array> | undefined;

/** What survives: the synced alone, all that was written, or a random part of what was not synced. */
export type Survival = "synced" | "written" | (() => number);

/** A write as the cache saw it; a truncation is one of no bytes. */
interface Pending {
  readonly offset: number;
  readonly bytes: Uint8Array;
  readonly size: number;
}

class Inode {
  private cached: Uint8Array;
  private durable: Uint8Array;
  size: number;
  private durableSize: number;
  /** Dirty pages, with what the cache held of them when they became so. */
  private readonly dirty = new Map<number, Uint8Array>();
  private pending: Pending[] = [];

  constructor(cached: Uint8Array, durable: Uint8Array) {
    // Copies: neither may change the other, nor the image that both may come from.
    this.cached = padded(cached.slice(), cached.length);
    this.durable = padded(durable.slice(), this.cached.length);
    this.size = cached.length;
    this.durableSize = durable.length;
  }

  write(offset: number, bytes: Uint8Array): void {
    this.change(offset, bytes, Math.max(this.size, offset + bytes.length));
  }

  truncate(size: number): void {
    const cut = Math.min(size, this.size);
    this.change(cut, new Uint8Array(this.size - cut), size);
  }

  private change(offset: number, bytes: Uint8Array, size: number): void {
    this.cached = padded(this.cached, Math.max(offset + bytes.length, size));
    this.durable = padded(this.durable, this.cached.length);
    for (let page = Math.floor(offset / PAGE_BYTES); page * PAGE_BYTES < offset + bytes.length; ) {
      const start = page * PAGE_BYTES;
      if (!this.dirty.has(page)) this.dirty.set(page, this.cached.slice(start, start + PAGE_BYTES));
      page++;
    }
    this.cached.set(bytes, offset);
    this.size = size;
    this.pending.push({ offset, bytes, size });
  }

  sync(succeeded: boolean): void {
    if (succeeded) {
      for (const page of this.dirty.keys()) {
        const start = page * PAGE_BYTES;
        this.durable.set(this.cached.subarray(start, start + PAGE_BYTES), start);
      }
      this.durableSize = this.size;
    }
    this.dirty.clear();
    this.pending = [];
  }

  survivor(survival: Survival): Uint8Array {
    if (survival === "synced") return this.durable.slice(0, this.durableSize);
    if (survival === "written") return this.cached.slice(0, this.size);
    const sizes = [this.durableSize, ...this.pending.map(({ size }) => size)];
    const size = sizes[Math.floor(survival() * sizes.length)]!;
    const left = padded(this.durable.slice(), size);
    for (const [page, before] of this.dirty) {
      for (let at = 0; at < PAGE_BYTES; at += SECTOR_BYTES) {
        const sector = this.sectorAsOf(page * PAGE_BYTES + at, before.subarray(at), survival);
        if (sector !== undefined) left.set(sector, page * PAGE_BYTES + at);
      }
    }
    return left.slice(0, size);
  }

  /** A dirty sector as it was at some moment since the last sync; undefined for: as on the disk. */
  private sectorAsOf(
    start: number,
    before: Uint8Array,
    random: () => number,
  ): Uint8Array | undefined {
    const writes = this.pending.filter(
      ({ offset, bytes }) => offset < start + SECTOR_BYTES && offset + bytes.length > start,
    );
    // Half of the time it arrived as it is now: an even choice would let hardly any commit survive.
    const reached = random() < 0.5 ? writes.length : Math.floor(random() * (writes.length + 1));
    if (reached === 0) return undefined;
    const sector = before.slice(0, SECTOR_BYTES);
    for (const { offset, bytes } of writes.slice(0, reached)) {
      const from = Math.max(offset, start);
      const to = Math.min(offset + bytes.length, start + SECTOR_BYTES);
      sector.set(bytes.subarray(from - offset, to - offset), from - start);
    }
    return sector;
  }
}

/** The bytes with zeros behind them, in whole pages. */
function padded(bytes: Uint8Array, length: number): Uint8Array {
  const whole = Math.ceil(length / PAGE_BYTES) * PAGE_BYTES;
  if (bytes.length >= whole && bytes.length % PAGE_BYTES === 0) return bytes;
  // Room for what comes next, so that a growing file is not copied at each write.
  const grown = new Uint8Array(Math.max(whole, bytes.length < whole ? whole * 2 : whole));
  grown.set(bytes);
  return grown;
}

const FOLDER = "";
const PARENT = "..";

export class Disk {
  private folderIsDurable: boolean;
  private folderExists: boolean;
  private readonly entries = new Map<string, Inode>();
  private durableEntries: Map<string, Inode>;
  /** Entries changed since the folder was synced, in order; undefined for one removed. */
  private pending: { readonly name: string; readonly inode: Inode | undefined }[] = [];
  private readonly opened = new Map<number, { name: string; inode?: Inode; position: number }>();

  /** `durable` is what the disk holds where that is not what the cache shows. */
  constructor(cached: Image, durable: Image = cached) {
    this.folderExists = cached !== undefined;
    this.folderIsDurable = durable !== undefined;
    for (const [name, bytes] of cached ?? []) {
      this.entries.set(name, new Inode(bytes, durable?.get(name) ?? new Uint8Array()));
    }
    this.durableEntries = new Map(this.entries);
  }

  /** Does what an event does when it is entered: a sync does nothing until it has ended. */
  enter(event: Event): void {
    switch (event.kind) {
      case "open":
        return this.open(event.handle, event.name, event.truncates);
      case "write": {
        const file = this.opened.get(event.handle)!;
        file.inode!.write(event.offset ?? file.position, event.bytes);
        if (event.offset === undefined) file.position += event.bytes.length;
        return;
      }
      case "truncate":
        return this.opened.get(event.handle)!.inode!.truncate(event.size);
      case "mkdir":
        this.folderExists = true;
        return;
      case "unlink":
        return this.setEntry(event.name, undefined);
      case "link":
        return this.setEntry(event.to, this.entries.get(event.name)!);
      case "rename":
        this.setEntry(event.to, this.entries.get(event.name)!);
        return this.setEntry(event.name, undefined);
    }
  }

  /** Does what an event does when it has ended. */
  complete(event: Event): void {
    if (event.kind !== "sync") return;
    const { name, inode } = this.opened.get(event.handle)!;
    if (inode !== undefined) return inode.sync(event.succeeded);
    if (name === PARENT) this.folderIsDurable ||= this.folderExists && event.succeeded;
    if (name === FOLDER) {
      if (event.succeeded) this.durableEntries = new Map(this.entries);
      this.pending = [];
    }
  }

  /** What a power cut at this instant leaves. */
  survivors(survival: Survival): Image {
    const random = typeof survival === "function" ? survival : undefined;
    const isThere =
      survival === "written"
        ? this.folderExists
        : this.folderIsDurable || (this.folderExists && (random?.() ?? 1) < 0.5);
    if (!isThere) return undefined;
    const entries = new Map(survival === "written" ? this.entries : this.durableEntries);
    for (const { name, inode } of this.pending) {
      if (random === undefined || random() < 0.5) continue;
      if (inode === undefined) entries.delete(name);
      else entries.set(name, inode);
    }
    return new Map([...entries].map(([name, inode]) => [name, inode.survivor(survival)]));
  }

  private open(handle: number, name: string, truncates: boolean): void {
    if (name === FOLDER || name === PARENT) {
      this.opened.set(handle, { name, position: 0 });
      return;
    }
    let inode = this.entries.get(name);
    if (inode === undefined) {
      inode = new Inode(new Uint8Array(), new Uint8Array());
      this.setEntry(name, inode);
    }
    if (truncates) inode.truncate(0);
    this.opened.set(handle, { name, inode, position: 0 });
  }

  private setEntry(name: string, inode: Inode | undefined): void {
    if (inode === undefined) this.entries.delete(name);
    else this.entries.set(name, inode);
    this.pending.push({ name, inode });
  }
}
