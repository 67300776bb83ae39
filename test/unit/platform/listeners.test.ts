import { describe, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { endianness } from "node:os";
import { join } from "node:path";
import { listenersAt } from "../../../src/platform/listeners.ts";
import { temporaryFolder } from "../../../testkit/folder.ts";

/** A table as Linux writes it on a processor with the low byte first. */
function table(...rows: [local: string, state: string, uid: number][]): string {
  const path = join(temporaryFolder(), "tcp");
  const lines = rows.map(
    ([local, state, uid], index) =>
      `   ${index}: ${local} 00000000:0000 ${state} 00000000:00000000 00:00000000 00000000  ${uid}        0 8833 1 0 100 0 0 10 0`,
  );
  const header =
    "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid";
  writeFileSync(path, [header, ...lines, ""].join("\n"));
  return path;
}

describe.skipIf(endianness() !== "LE")("who listens at a port", () => {
  const tables = [
    table(
      ["0100007F:18EC", "0A", 1000],
      ["0100007F:18ED", "0A", 1001],
      ["00000000:18EE", "0A", 1002],
      ["0100007F:18EF", "01", 1003],
      ["0A00000A:18F0", "0A", 1004],
    ),
    table(
      ["00000000000000000000000001000000:18EC", "0A", 2000],
      ["00000000000000000000000000000000:18ED", "0A", 2001],
      ["0000000000000000FFFF00000100007F:18F1", "0A", 2002],
      ["B80D0120000000000000000001000000:18F2", "0A", 2003],
    ),
  ];
  test.each([
    ["127.0.0.1", 6380, [1000]],
    ["::ffff:127.0.0.1", 6380, [1000]],
    ["::1", 6380, [2000]],
    ["127.0.0.1", 6381, [1001, 2001]],
    ["::1", 6381, [2001]],
    ["10.0.0.7", 6382, [1002]],
    ["127.0.0.1", 6383, []],
    ["127.0.0.1", 6384, []],
    ["10.0.0.10", 6384, [1004]],
    ["127.0.0.1", 6385, [2002]],
    ["2001:db8::1", 6386, [2003]],
    ["fe80::1%eth0", 6386, []],
  ] as [string, number, number[]][])("%s, %i: %j", (host, port, users) => {
    expect([...listenersAt(host, port, tables)!]).toEqual(users);
  });

  test("nobody knows without the table", () => {
    expect(listenersAt("127.0.0.1", 6380, ["/nowhere/tcp"])).toBeUndefined();
  });
});

test.skipIf(process.platform !== "linux")("a socket of this process is this user's", () => {
  for (const hostname of ["127.0.0.1", "0.0.0.0", "::1", "::"]) {
    const listener = Bun.listen({ hostname, port: 0, socket: { data() {} } });
    const host = hostname.includes(":") ? "::1" : "127.0.0.1";
    expect([...listenersAt(host, listener.port)!]).toEqual([process.getuid!()]);
    listener.stop();
    expect([...listenersAt(host, listener.port)!]).toEqual([]);
  }
});
