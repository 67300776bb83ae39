/**
 * The data folder around the database: made and synced so that a power cut cannot take it back,
 * refused where locks and WAL do not work, and marked with the process that uses it.
 */

import {
  accessSync,
  chownSync,
  closeSync,
  constants,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statfsSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { dirname, join, resolve } from "node:path";
import { CannotStart, reasonOf } from "../refusal.ts";

/** Linux statfs(2) types of file systems that other machines write to as well. */
const networkFileSystems = new Map([
  [0x6969, "NFS"],
  [0x517b, "SMB"],
  [0xfe534d42, "SMB"],
  [0xff534d42, "CIFS"],
  [0x01021997, "9p"],
  [0x00c36400, "Ceph"],
  [0x5346414f, "AFS"],
  [0x0bd00bd0, "Lustre"],
  [0x47504653, "GPFS"],
]);

export interface FolderOptions {
  /** Whether a folder without a database may be started afresh. */
  readonly create: boolean;
  readonly allowNetworkFileSystem: boolean;
}

/** Makes the folder where it is missing, each new level synced into its parent. */
export function prepareFolder(folder: string, options: FolderOptions): void {
  const missing: string[] = [];
  for (let path = resolve(folder); !existsSync(path); path = dirname(path)) missing.push(path);
  if (missing.length > 0 && !options.create) {
    throw new CannotStart(`data folder ${folder} does not exist, and storage.create is false`);
  }
  try {
    for (const path of missing.reverse()) {
      mkdirSync(path);
      makeDurable(dirname(path));
    }
  } catch (error) {
    throw new CannotStart(`cannot make data folder ${folder}: ${reasonOf(error)}`);
  }
  if (!statSync(folder).isDirectory()) {
    throw new CannotStart(`data folder ${folder} is not a folder`);
  }
  requireAccess(folder);
  if (!options.allowNetworkFileSystem) refuseNetworkFileSystem(folder);
}

function refuseNetworkFileSystem(folder: string): void {
  if (process.platform !== "linux") return;
  const type = networkFileSystem(statfsSync(folder).type);
  if (type === undefined) return;
  throw new CannotStart(
    `data folder ${folder} is on a network file system (${type}), where locks and the ` +
      "write-ahead log fail; storage.allow_network_fs: true overrides this",
  );
}

/** Refuses a file or folder that this process may not read and write. */
export function requireAccess(path: string): void {
  try {
    accessSync(path, constants.R_OK | constants.W_OK);
  } catch (error) {
    throw new CannotStart(`cannot read and write ${path}: ${reasonOf(error)}`);
  }
}

/** The name of a network file system by its statfs(2) type on Linux; undefined for others. */
export function networkFileSystem(type: number): string | undefined {
  return networkFileSystems.get(type >>> 0);
}

/** Where root makes a file in the folder of another user, as a command may for a service, it is that user's. */
export function giveToOwner(path: string, folder: string): void {
  if (process.getuid?.() !== 0) return;
  const { uid, gid } = statSync(folder);
  chownSync(path, uid, gid);
}

/** Makes the bytes of a file, or the entries of a folder, durable. */
export function makeDurable(path: string): void {
  const descriptor = openSync(path, "r");
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

const OWNER_FILE = "number-dispenser.pid";

/** Writes down, for a second server's refusal, which process has the folder. */
export function markOwner(folder: string): void {
  writeFileSync(join(folder, OWNER_FILE), `${process.pid}\n`);
}

export function unmarkOwner(folder: string): void {
  rmSync(join(folder, OWNER_FILE), { force: true });
}

/** "process N", as far as it is known who has the folder. */
export function ownerOf(folder: string): string {
  try {
    const pid = readFileSync(join(folder, OWNER_FILE), "utf8").trim();
    return /^\d+$/.test(pid) ? `process ${pid}` : "another process";
  } catch {
    return "another process";
  }
}

/** Removes what a crash left of making a database; only who has the lock may call it. */
export function removeLeftovers(folder: string, suffix: string): void {
  for (const entry of readdirSync(folder)) {
    if (entry.includes(suffix)) rmSync(join(folder, entry), { force: true, recursive: true });
  }
}
