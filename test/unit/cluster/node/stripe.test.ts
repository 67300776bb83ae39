import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { temporaryFolder } from "../../../../testkit/folder.ts";
import { ServerProcess } from "../../../../testkit/process.ts";
import { TestClient } from "../../../../testkit/resp.ts";

const gets = (count: number) => Array.from({ length: count }, () => ["GET", "o"]);

async function take(server: ServerProcess, count: number): Promise<number[]> {
  const client = await TestClient.connect(server.port);
  await client.command("HSET", "o", "type", "3", "auto_disk", "pre_close");
  const replies = await client.pipeline(gets(count));
  client.close();
  return replies.map(Number);
}

describe("nodes that share their lines without a store", () => {
  test("hand out no number twice, over restarts of all kinds", async () => {
    const nodes = await Promise.all(
      ["1/3", "2/3", "3/3"].map((place) => ServerProcess.start({ args: ["-node", place] })),
    );
    const seen = new Set<number>();
    let count = 0;
    for (const signal of ["SIGTERM", "SIGKILL"] as const) {
      for (const [index, node] of nodes.entries()) {
        const numbers = await take(node, 2500);
        for (const number of numbers) seen.add(number);
        count += numbers.length;
        expect(numbers.every((number) => Math.floor(number / 1000) % 3 === index)).toBe(true);
        expect(numbers).toEqual(numbers.toSorted((one, other) => one - other));
        await node.end(signal);
        nodes[index] = await node.startAgain();
      }
    }
    for (const node of nodes) await node.end("SIGTERM");
    expect(seen.size).toBe(count);
  });

  test("ADVANCE goes on at the node's own first number from there on", async () => {
    const node = await ServerProcess.start({ args: ["-node", "2/2"] });
    expect(await take(node, 1)).toEqual([1000]);
    const client = await TestClient.connect(node.port);
    expect(await client.command("ADVANCE", "o", "1500")).toBe("1500");
    expect(await client.command("ADVANCE", "o", "2500")).toBe("3000");
    expect(await client.info("o")).toMatchObject({ current: "3000", wasted: "999" });
    client.close();
    await node.end("SIGTERM");
  });

  test("the folder remembers its place, and refuses another", async () => {
    const dataDir = join(temporaryFolder(), "data");
    const node = await ServerProcess.start({ dataDir, args: ["-node", "1/3"] });
    await node.end("SIGTERM");
    for (const args of [[], ["-node", "2/3"], ["-node", "1/2"], ["-store", "etcd://127.0.0.1:1"]]) {
      const { status, log } = await ServerProcess.run({ dataDir, args });
      expect([status, log]).toEqual([
        1,
        expect.stringContaining(
          "the data folder is that of node 1/3: cluster.node (-node) has to be 1/3",
        ),
      ]);
    }
    await (await ServerProcess.start({ dataDir, args: ["-node", "1/3"] })).end("SIGTERM");
  });

  test("a folder with lines of a node alone gets no place", async () => {
    const node = await ServerProcess.start();
    await take(node, 1);
    await node.end("SIGTERM");
    const { dataDir } = node;
    const { status, log } = await ServerProcess.run({ dataDir, args: ["-node", "1/3"] });
    expect([status, log]).toEqual([
      1,
      expect.stringContaining("node 1/3 needs a folder of its own"),
    ]);
  });

  test.each(["0/3", "4/3", "1", "a/b", "1/1001", "01/3"])("-node %s is refused", async (place) => {
    const { status, log } = await ServerProcess.run({ args: ["-node", place] });
    expect([status, log]).toEqual([2, expect.stringContaining(`-node: '${place}' must be i/n`)]);
  });

  test.each(["nonsense", "http://x", "etcd://host", "etcd://host:port", "postgres://"])(
    "-store %s is refused",
    async (url) => {
      const { status, log } = await ServerProcess.run({ args: ["-store", url] });
      expect([status, log]).toEqual([2, expect.stringContaining("-store: it must be postgres://")]);
    },
  );

  test("-node and -store are for different things", async () => {
    const args = ["-node", "1/3", "-store", "etcd://127.0.0.1:1"];
    const { status, log } = await ServerProcess.run({ args });
    expect([status, log]).toEqual([
      2,
      expect.stringContaining("cluster.node is for nodes without a store"),
    ]);
  });
});
