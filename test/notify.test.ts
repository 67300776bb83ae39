import { expect, test } from "bun:test";
import { join } from "node:path";
import { notify } from "../src/notify.ts";
import { temporaryFolder } from "./support/folder.ts";
import { ServerProcess } from "./support/server.ts";

const python = "/usr/bin/python3";
const hasPython = Bun.which(python) !== null;
if (!hasPython) console.warn("notify.ts is not tested: there is no python3 to listen.");

/** Listens on a datagram socket, which Bun has none of, and says what it is told. */
const LISTEN = `
import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1].replace("@", "\\0", 1) if sys.argv[1][0] == "@" else sys.argv[1])
print("bound", flush=True)
for _ in range(int(sys.argv[2])):
    print(s.recv(1000).decode(), flush=True)
`;

/** Once it listens; what it was told comes when it heard so much. */
async function listen(socket: string, count: number): Promise<{ told: Promise<string[]> }> {
  const child = Bun.spawn([python, "-c", LISTEN, socket, String(count)], { stdout: "pipe" });
  const bound = Promise.withResolvers<void>();
  const told = (async () => {
    let text = "";
    for await (const chunk of child.stdout) {
      text += Buffer.from(chunk).toString();
      bound.resolve();
    }
    return text.split("\n").slice(1, -1);
  })();
  await bound.promise;
  return { told };
}

test.if(hasPython)("tells the service manager, by a path and by an abstract name", async () => {
  for (const socket of [join(temporaryFolder(), "notify"), `@number-dispenser-${process.pid}`]) {
    const { told } = await listen(socket, 1);
    expect(notify("READY=1", socket)).toBe(true);
    expect(await told).toEqual(["READY=1"]);
  }
});

test("tells nobody where there is no socket", () => {
  expect(notify("READY=1", undefined)).toBe(false);
  expect(notify("READY=1", "")).toBe(false);
  expect(notify("READY=1", "/nowhere/notify")).toBe(false);
  expect(notify("READY=1", `/${"x".repeat(200)}`)).toBe(false);
});

test.if(hasPython)("a server says when it is ready, and when it stops", async () => {
  const socket = join(temporaryFolder(), "notify");
  const { told } = await listen(socket, 2);
  const server = await ServerProcess.start({ env: { NOTIFY_SOCKET: socket } });
  await server.end("SIGTERM");
  expect(await told).toEqual(["READY=1", "STOPPING=1"]);
});
