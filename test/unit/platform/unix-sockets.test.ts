import { expect, test } from "bun:test";
import { existsSync, linkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { clearUnixSockets } from "../../../src/platform/unix-sockets.ts";
import { temporaryFolder } from "../../../testkit/folder.ts";

/** Whether the system lists its sockets, or a connection alone can tell. */
test.each([undefined, "/dev/null/none"])(
  "what a killed server left is removed, and nothing else: sockets listed in %p",
  async (list) => {
    const folder = temporaryFolder();
    const [unix, left] = [join(folder, "socket"), join(folder, "left")];
    const listening = Bun.listen({ unix, socket: { data() {} } });
    await expect(clearUnixSockets([{ unix }], list)).rejects.toThrow("the address is in use");
    linkSync(unix, left);
    listening.stop(true);
    await clearUnixSockets([{ unix: left }], list);
    expect(existsSync(left)).toBe(false);
    writeFileSync(unix, "");
    await expect(clearUnixSockets([{ unix }], list)).rejects.toThrow("a file that is no socket");
    // Nothing is there; it is another's, or no path.
    const others = [{ unix: left }, { unix, descriptor: 3 }, { host: "127.0.0.1", port: 1 }];
    await clearUnixSockets(others, list);
    expect(existsSync(unix)).toBe(true);
  },
);
