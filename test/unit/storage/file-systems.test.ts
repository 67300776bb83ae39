import { afterEach, describe, expect, test } from "bun:test";
import { mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { doubtful, doubtsAbout, mountedAs } from "../../../src/storage/file-systems.ts";
import { openSqliteStore } from "../../../src/storage/sqlite.ts";
import { temporaryFolder } from "../../../testkit/folder.ts";

const options = { create: true, allowNetworkFileSystem: false };

describe("file systems are known by their types", () => {
  const types: [number, string | undefined][] = [
    [0x6969, "a network file system (NFS)"],
    // statfs has it as a signed number on some machines.
    [0xff534d42 | 0, "a network file system (CIFS)"],
    [0xfe534d42, "a network file system (SMB)"],
    [0x01021997, "a network file system (9p)"],
    [0x01161970, "a cluster file system (GFS2)"],
    [0x7461636f, "a cluster file system (OCFS2)"],
    [0x19830326, "a cluster file system (BeeGFS)"],
    [0x786f4256, "a folder shared by a hypervisor (vboxsf)"],
    [0xbacbacbc | 0, "a folder shared by a hypervisor (vmhgfs)"],
    // ext4, tmpfs, btrfs, XFS, overlay, ZFS.
    ...[0xef53, 0x01021994, 0x9123683e, 0x58465342, 0x794c7630, 0x2fc12fc1].map(
      (type): [number, undefined] => [type, undefined],
    ),
  ];
  test.each(types)("%d is %s", (type, title) => {
    const found = doubtful(type, () => {
      throw new Error("asked for FUSE alone");
    });
    expect(found).toEqual(title === undefined ? undefined : { title, isLocal: false });
  });

  test("FUSE by what is mounted: one on a disk of this machine is only warned of", () => {
    const fuse = (mounted: string | undefined) => doubtful(0x65735546, () => mounted);
    const title = (name: string) => `a file system of another program (${name})`;
    expect(fuse("fuse.sshfs")).toEqual({ title: title("fuse.sshfs"), isLocal: false });
    expect(fuse("virtiofs")).toEqual({ title: title("virtiofs"), isLocal: false });
    expect(fuse(undefined)).toEqual({ title: title("fuse"), isLocal: false });
    expect(fuse("fuseblk")).toEqual({ title: title("fuseblk"), isLocal: true });
  });

  test("what is mounted on a device stands in /proc/self/mountinfo", () => {
    const mountinfo =
      "24 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw\n" +
      "98 24 0:45 / /mnt/a\\040b rw shared:3 master:2 - fuse.bindfs /x rw,user_id=0\n";
    expect(mountedAs((254 << 8) | 0, mountinfo)).toBe("ext4");
    expect(mountedAs(45, mountinfo)).toBe("fuse.bindfs");
    expect(mountedAs(46, mountinfo)).toBeUndefined();
  });

  test("a disk of this machine is none of them", () => {
    expect(doubtsAbout(temporaryFolder())).toBeUndefined();
  });
});

/** Mounts one folder on another through FUSE. */
const mounted: string[] = [];
function mount(folder: string, at: string): boolean {
  if (Bun.which("bindfs") === null) return false;
  const isDone = Bun.spawnSync(["bindfs", folder, at]).exitCode === 0;
  if (isDone) mounted.push(at);
  return isDone;
}
const unmountAll = () => {
  for (const at of mounted.splice(0)) Bun.spawnSync(["fusermount", "-u", at]);
};
const hasFuse = mount(temporaryFolder(), temporaryFolder());
unmountAll();
if (!hasFuse) console.warn("A data folder on FUSE is not tested: bindfs cannot mount here.");

describe.skipIf(!hasFuse)("a data folder on FUSE", () => {
  afterEach(unmountAll);

  test("is refused, with the setting that allows it and the way out", () => {
    const [below, at] = [temporaryFolder(), temporaryFolder()];
    mount(below, at);
    const folder = join(at, "data");
    mkdirSync(folder);
    const { title } = doubtsAbout(folder)!;
    expect(title).toMatch(/^a file system of another program \(fuse(\.bindfs)?\)$/);
    expect(() => openSqliteStore(folder, options)).toThrow(
      `data folder ${folder} is on ${title}, where locks, syncs and the write-ahead log may fail and numbers ` +
        "repeat: put it on a disk of this machine, in a container on a volume instead of a folder of the host; " +
        "storage.allow_network_fs: true allows it",
    );
    expect(readdirSync(folder)).toEqual([]);
    const store = openSqliteStore(folder, { ...options, allowNetworkFileSystem: true });
    for (const _ of store.load());
    store.checkPaths();
    store.close();
  });
});
