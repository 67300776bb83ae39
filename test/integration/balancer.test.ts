/** deploy/haproxy.cfg with a real HAProxy, three nodes and PostgreSQL: who gets the clients. */

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { freePort } from "../../testkit/ports.ts";
import { PostgresServer } from "../../testkit/postgres.ts";
import { endOnExit, root, ServerProcess } from "../../testkit/process.ts";
import { type Reply, ReplyError, TestClient } from "../../testkit/resp.ts";
import { succeeds, until } from "../../testkit/until.ts";
import { FragileLink } from "../support/fragile-link.ts";
import { noHaproxy, noPostgres } from "../support/installed.ts";

const whyNot = noPostgres ?? noHaproxy;
if (whyNot !== undefined) console.warn(`skipped: ${whyNot}`);

const PASSWORD = "long-and-random";

/** The message of an error; none of another reply. */
const messageOf = (reply: Reply) => (reply instanceof ReplyError ? reply.message : "");

/** A node with a network of its own to the store. */
interface Node {
  readonly link: FragileLink;
  readonly server: ServerProcess;
}

async function startNode(store: PostgresServer): Promise<Node> {
  const link = new FragileLink(store.port);
  const server = await ServerProcess.start({
    args: ["-store", store.url.replace(`:${store.port}/`, `:${link.port}/`)],
    env: { NUMBER_DISPENSER_REQUIREPASS: PASSWORD },
  });
  return { link, server };
}

async function logIn(port: number): Promise<TestClient> {
  const client = await TestClient.connect(port);
  expect(await client.command("AUTH", PASSWORD)).toBe("OK");
  return client;
}

async function ask(port: number, ...words: string[]): Promise<Reply> {
  const client = await logIn(port);
  const reply = await client.command(...words);
  client.close();
  return reply;
}

/** Takes numbers of a line at a node itself until it has none left, and says so. */
async function useUp({ server }: Node): Promise<void> {
  const client = await logIn(server.port);
  const isOut = async () => messageOf(await client.command("GET", "o")).startsWith("ERR store");
  await until(isOut, 0);
  await until(async () => messageOf(await client.command("READY")).startsWith("NOTREADY "));
  client.close();
}

describe.skipIf(whyNot !== undefined)("the balancer", () => {
  let store: PostgresServer;
  let nodes: readonly [Node, Node, Node];
  const port = freePort();

  /** The port of the node that a connection of the balancer reached. */
  async function reached(client: TestClient): Promise<number> {
    return Number(
      / laddr=127\.0\.0\.1:(\d+) /.exec(String(await client.command("CLIENT", "INFO")))![1],
    );
  }

  /** The nodes that six new connections reach, as their places in the list. */
  async function reachable(): Promise<number[]> {
    const clients = await Promise.all(Array.from({ length: 6 }, () => logIn(port)));
    const ports = await Promise.all(clients.map(reached));
    for (const client of clients) client.close();
    const places = ports.map((each) => nodes.findIndex(({ server }) => server.port === each));
    return [...new Set(places)].sort();
  }

  /** Waits until new connections reach just these nodes. */
  const reach = (...places: number[]) =>
    succeeds(async () => {
      const found = await reachable();
      if (!Bun.deepEquals(found, places)) throw new Error(`reached ${found}`);
    });

  beforeAll(async () => {
    if (whyNot !== undefined) return;
    store = new PostgresServer();
    await store.start();
    nodes = [await startNode(store), await startNode(store), await startNode(store)];
    const [one, two, three] = nodes.map(({ server }) => `127.0.0.1:${server.port}`);
    const balancer = Bun.spawn(["haproxy", "-f", join(root, "deploy/haproxy.cfg")], {
      env: {
        ...process.env,
        ...{ BIND: `127.0.0.1:${port}`, NODE_ONE: one!, NODE_TWO: two!, NODE_THREE: three! },
      },
      stdio: ["ignore", "ignore", "ignore"],
    });
    endOnExit(balancer);
    await succeeds(async () => (await TestClient.connect(port)).close());
  });

  afterAll(async () => {
    for (const { server, link } of nodes ?? []) {
      await server.end("SIGKILL");
      link.stop();
    }
    await store?.stop();
  });

  test("sends clients to all nodes, though its checks do not log in, and these leave nothing", async () => {
    await reach(0, 1, 2);
    expect(await ask(port, "HSET", "o", "type", "3")).toBe(1);
    expect(await ask(port, "HSET", "r", "type", "1", "length", "4")).toBe(2);
    for (const { server } of nodes) {
      const client = await logIn(server.port);
      const figure = async (name: string) =>
        Number(new RegExp(`${name}:(\\d+)`).exec(String(await client.command("INFO")))![1]);
      expect(await client.command("GET", "o")).toMatch(/^\d+$/);
      // Two checks a second come and go.
      const before = await figure("total_connections_received");
      await until(async () => (await figure("total_connections_received")) >= before + 4);
      await until(async () => (await figure("connected_clients")) === 1);
      client.close();
      expect(server.log).not.toMatch(/client (closed|refused)/);
    }
    await reach(0, 1, 2);
  });

  test("takes out a node that is cut off once it has no numbers left, with its connections", async () => {
    const [one] = nodes;
    const clients = await Promise.all(Array.from({ length: 6 }, () => logIn(port)));
    const ports = await Promise.all(clients.map(reached));
    const left = clients.filter((_, index) => ports[index] === one.server.port);
    expect(left.length).toBeGreaterThan(0);
    one.link.set("closed");
    await useUp(one);
    await reach(1, 2);
    await Promise.all(left.map(({ closed }) => closed));
    const stays = clients.find((each) => !left.includes(each))!;
    expect(await stays.command("GET", "o")).toMatch(/^\d+$/);
    for (const client of clients) client.close();
    for (let count = 0; count < 6; count++) expect(await ask(port, "GET", "o")).toMatch(/^\d+$/);
  });

  test("keeps the nodes that are there when none is ready: they say why, and serve what they can", async () => {
    const [, two, three] = nodes;
    for (const { link } of [two, three]) link.set("closed");
    for (const node of [two, three]) await useUp(node);
    await reach(0, 1, 2);
    expect(messageOf(await ask(port, "GET", "o"))).toStartWith("ERR store unavailable: ");
    expect(await ask(port, "GET", "r")).toMatch(/^\d{4}$/);
    expect(await three.server.end("SIGKILL")).toBe(128);
    await reach(0, 1);
  });

  test("goes back to the nodes that are ready again, and so do the clients it kept", async () => {
    const [one, two] = nodes;
    const kept = await Promise.all(Array.from({ length: 4 }, () => logIn(port)));
    two.link.set("none");
    await Promise.all(kept.map(({ closed }) => closed));
    await reach(1);
    expect(await ask(port, "GET", "o")).toMatch(/^\d+$/);
    one.link.set("none");
    await reach(0, 1);
  });
});
