/**
 * Recognises file systems on which locks, syncs or the write-ahead log cannot be relied on: those
 * that other machines write to as well, and those that another program implements. Known by
 * statfs(2) on Linux only.
 */

import { readFileSync, statfsSync, statSync } from "node:fs";

/** FUSE, whatever program implements it: also virtiofs and the shared folders of Docker Desktop. */
const FUSE = 0x65735546;

const network = "a network file system";
const cluster = "a cluster file system";
const hypervisor = "a folder shared by a hypervisor";

/** The kind and the name of file systems, by their statfs(2) type. */
const kinds = new Map<number, readonly [kind: string, name: string]>([
  [0x6969, [network, "NFS"]],
  [0x6e667364, [network, "nfsd"]],
  [0x517b, [network, "SMB"]],
  [0xfe534d42, [network, "SMB"]],
  [0xff534d42, [network, "CIFS"]],
  [0x01021997, [network, "9p"]],
  [0x5346414f, [network, "AFS"]],
  [0x6b414653, [network, "AFS"]],
  [0x564c, [network, "NCP"]],
  [0x73757245, [network, "Coda"]],
  [0x00c36400, [cluster, "Ceph"]],
  [0x0bd00bd0, [cluster, "Lustre"]],
  [0x47504653, [cluster, "GPFS"]],
  [0x01161970, [cluster, "GFS2"]],
  [0x7461636f, [cluster, "OCFS2"]],
  [0x19830326, [cluster, "BeeGFS"]],
  [0x61636673, [cluster, "ACFS"]],
  [0x013111a8, [cluster, "IBRIX"]],
  [0xaad7aaea, [cluster, "PanFS"]],
  [0xbeefdead, [cluster, "StorNext"]],
  [0x20030528, [cluster, "OrangeFS"]],
  [0x786f4256, [hypervisor, "vboxsf"]],
  [0xbacbacbc, [hypervisor, "vmhgfs"]],
  [0x7c7c6673, [hypervisor, "prl_fs"]],
  [0x00c0ffee, [hypervisor, "hostfs"]],
]);

/** A file system that is not simply a disk of this machine. */
export interface Doubtful {
  /** Such as "a network file system (NFS)". */
  readonly title: string;
  /** Whether it is on a disk of this machine, so that a warning is enough. */
  readonly isLocal: boolean;
}

/** The doubts about the file system of a folder; undefined for a plain disk. */
export function doubtsAbout(folder: string): Doubtful | undefined {
  if (process.platform !== "linux") return undefined;
  return doubtful(statfsSync(folder).type, () =>
    mountedAs(statSync(folder).dev, readFileSync("/proc/self/mountinfo", "utf8")),
  );
}

/**
 * The doubts about a statfs(2) type. `mounted` answers the type of the mount; it is called for FUSE
 * only.
 */
export function doubtful(type: number, mounted: () => string | undefined): Doubtful | undefined {
  if (type >>> 0 === FUSE) {
    const name = mounted();
    const title = `a file system of another program (${name ?? "fuse"})`;
    return { title, isLocal: name === "fuseblk" };
  }
  const found = kinds.get(type >>> 0);
  return found && { title: `${found[0]} (${found[1]})`, isLocal: false };
}

/** The type of the file system on a device, in the text of /proc/self/mountinfo. */
export function mountedAs(device: number, mountinfo: string): string | undefined {
  // As glibc's gnu_dev_major() and gnu_dev_minor(), for numbers below 2^32.
  const major = (device >>> 8) & 0xfff;
  const minor = (device & 0xff) | ((device >>> 12) & 0xfff00);
  for (const line of mountinfo.split("\n")) {
    const [mount, source] = line.split(" - ");
    if (mount?.split(" ")[2] === `${major}:${minor}`) return source?.split(" ")[0];
  }
  return undefined;
}
