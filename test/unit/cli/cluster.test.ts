import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { version } from "../../../src/base/version.ts";
import { type ClusterAction, operateCluster } from "../../../src/cli/cluster.ts";
import { openLeaseStore } from "../../../src/cluster/stores/open.ts";
import { readCluster, readLine } from "../../../src/cluster/stores/records.ts";
import { Engine } from "../../../src/engine/engine.ts";
import { openSqliteStore } from "../../../src/storage/sqlite.ts";
import { temporaryFolder } from "../../../testkit/folder.ts";
import { PostgresServer } from "../../../testkit/postgres.ts";
import { ServerProcess } from "../../../testkit/process.ts";
import { type Reply, ReplyError, TestClient } from "../../../testkit/resp.ts";
import { until } from "../../../testkit/until.ts";
import { noPostgres } from "../../support/installed.ts";
import { messageOf } from "../../support/message-of.ts";

const strategies = ["memory", "pre-base", "pre-checkpoint", "elegant_close", "pre_close"];
const confirmed = new Map([["confirm", ""]]);
const refusalIn = (reply: Reply) => (reply instanceof ReplyError ? reply.message : "");
const gets = (name: string, count: number) => Array.from({ length: count }, () => ["GET", name]);

test("without a store it says what is missing", async () => {
  const settings = { dataDir: "x", store: "", create: true, allowNetworkFileSystem: false };
  expect(await messageOf(() => operateCluster("nodes", [], new Map(), settings))).toBe(
    "UsageError: cluster nodes needs the lease store: -store URL, or storage.store",
  );
});

test.each([
  "postgres://",
  "mysql://host/x",
  "etcd://host",
  "etcd://host:1?what=1",
  "postgres://h/x?sslmode=nonsense",
  "etcd://host:1?ca=/nowhere/ca.pem",
])("%s is no store", (url) => {
  expect(() => openLeaseStore(url)).toThrow(/storage\.store/);
});

describe.skipIf(noPostgres !== undefined)("the commands of a cluster", () => {
  let postgres: PostgresServer;
  let databases = 0;

  beforeAll(async () => {
    postgres = new PostgresServer();
    await postgres.start();
  }, 60_000);

  afterAll(() => postgres.stop());

  /** A store with nothing in it. */
  async function emptyStore(): Promise<string> {
    const name = `d${++databases}`;
    const sql = new Bun.SQL(postgres.url);
    await sql.unsafe(`CREATE DATABASE ${name}`);
    await sql.close();
    return postgres.url.replace(/\w+$/, name);
  }

  const operate = (
    action: ClusterAction,
    store: string,
    { dataDir = "/nowhere", operands = [] as string[], flags = new Map<string, string>() } = {},
  ) =>
    operateCluster(action, operands, flags, {
      dataDir,
      store,
      create: true,
      allowNetworkFileSystem: false,
    });

  const start = (store: string, dataDir = join(temporaryFolder(), "data")) =>
    ServerProcess.start({ dataDir, args: store === "" ? [] : ["-store", store] });

  async function clusterOf(url: string): Promise<string> {
    const shared = openLeaseStore(url);
    const { rows } = await shared.read(["cluster"]);
    await shared.close();
    return readCluster(rows.get("cluster"))!.id;
  }

  /** A stopped node alone, with lines of all strategies that each handed out 500. */
  async function nodeAlone(signal: "SIGTERM" | "SIGKILL" = "SIGTERM"): Promise<string> {
    const server = await start("");
    const client = await TestClient.connect(server.port);
    for (const strategy of strategies) {
      await client.command("HSET", strategy, "type", "3", "auto_disk", strategy);
      await client.pipeline(gets(strategy, 500));
    }
    await client.command("HSET", "gone", "type", "3");
    await client.pipeline(gets("gone", 30));
    await client.command("HSET", "random", "type", "1", "length", "4");
    await client.command("GET", "random");
    await client.command("DEL", "gone");
    client.close();
    await server.end(signal);
    return server.dataDir;
  }

  test("join takes a node's lines into the cluster, each where it stands", async () => {
    const store = await emptyStore();
    const dataDir = await nodeAlone();
    const other = await start(store);
    const client = await TestClient.connect(other.port);
    await client.command("HSET", "older", "type", "3");
    await client.command("GET", "older");
    expect(await operate("join", store, { dataDir })).toMatch(
      /^joined cluster \S+ with 6 dispensers, each where it stood/,
    );
    expect(await messageOf(() => operate("join", store, { dataDir }))).toMatch(
      /^CannotStart: the data folder belongs to cluster \S+ already/,
    );
    const joined = await start(store, dataDir);
    const own = await TestClient.connect(joined.port);
    for (const strategy of strategies.slice(1)) {
      const number = Number(await own.command("GET", strategy));
      const isExact = strategy === "elegant_close" || strategy === "pre_close";
      if (isExact) expect(number).toBe(500);
      else expect(number).toBeGreaterThanOrEqual(500);
      const elsewhere = Number(await client.command("GET", strategy));
      expect(elsewhere).toBeGreaterThan(number);
    }
    expect(await own.info("random")).toMatchObject({ generated: "1" });
    expect(await own.command("GET", "older")).toBe("100");
    // A line that was deleted before goes on in the cluster, too.
    expect(await client.command("HSET", "gone", "type", "3")).toBe(1);
    expect(await client.command("GET", "gone")).toBe("30");
    await client.command("DEL", "gone");
    await until(async () => (await own.command("DBSIZE")) === 7);
    const listed = await own.command("KEYS", "*");
    expect((listed as string[]).toSorted()).toEqual([...strategies, "older", "random"].toSorted());
    own.close();
    client.close();
    for (const server of [joined, other]) expect(await server.end("SIGTERM")).toBe(0);
  });

  test("join takes lines of codes along where every member knows them, and tells no code", async () => {
    const store = await emptyStore();
    const alone = await start("");
    const own = await TestClient.connect(alone.port);
    const key = ["key", "000102030405060708090a0b0c0d0e0f"];
    await own.command("HSET", "codes", "type", "4", "length", "8", ...key);
    const codes = await own.pipeline(gets("codes", 50));
    await own.command("HSET", "v", "type", "4", "length", "8", ...key);
    const next = await own.pipeline(gets("v", 1));
    await own.command("DEL", "v");
    own.close();
    await alone.end("SIGTERM");
    const other = await start(store);
    const client = await TestClient.connect(other.port);
    const shared = openLeaseStore(store);
    const old = { generation: 1, token: "t", isConfirmed: true, sequence: 0, host: "h" };
    const setOld = (state: string) => {
      const row = JSON.stringify({ ...old, state });
      return shared.write({ guards: new Map(), puts: new Map([["node/old", row]]) });
    };
    await setOld("member");
    const join = () => operate("join", store, { dataDir: alone.dataDir });
    expect(await messageOf(join)).toBe(
      "CannotStart: the folder has lines of codes, or with a format or periods, and node old runs a version that does not know of " +
        "them: upgrade that first",
    );
    expect(refusalIn(await client.command("HSET", "x", "type", "4", "length", "8"))).toBe(
      "ERR cannot define 'x' yet: node old runs a version that does not know of it. Upgrade that first",
    );
    await setOld("left");
    expect(await client.command("HSET", "v", "type", "3")).toBe(1);
    const met = await messageOf(join);
    expect(met).toContain("that would repeat numbers of one deleted in the folder: DEL it there");
    expect(met).not.toMatch(/[0-9]{4,}/);
    expect(met).not.toContain(String(next[0]));
    expect(await client.command("DEL", "v")).toBe(1);
    expect(await join()).toContain("with 1 dispensers");
    expect(readCluster((await shared.read(["cluster"])).rows.get("cluster"))!.level).toBe(3);
    await shared.close();
    await until(async () => (await client.command("EXISTS", "codes")) === 1);
    const more = await client.pipeline(gets("codes", 500));
    expect(new Set([...codes, ...more]).size).toBe(550);
    client.close();
    expect(await other.end("SIGTERM")).toBe(0);
  });

  test("lines with periods join where they stand, and what a node leaves comes again", async () => {
    const store = await emptyStore();
    const alone = await start("");
    const own = await TestClient.connect(alone.port);
    const yearly = [
      "type",
      "3",
      "format",
      "{yyyy}-{n}",
      "period",
      "year",
      "auto_disk",
      "pre_close",
    ];
    const text = (number: number) => expect.stringMatching(new RegExp(`^20\\d\\d-${number}$`));
    await own.command("HSET", "y", ...yearly);
    await own.pipeline(gets("y", 50));
    await own.command("HSET", "unused", ...yearly);
    await own.command("HSET", "gone", ...yearly);
    await own.pipeline(gets("gone", 7));
    await own.command("DEL", "gone");
    own.close();
    await alone.end("SIGTERM");
    expect(await operate("join", store, { dataDir: alone.dataDir })).toContain("with 2 dispensers");
    const [one, two] = [await start(store, alone.dataDir), await start(store)];
    const [left, right] = [await TestClient.connect(one.port), await TestClient.connect(two.port)];
    expect(await left.command("GET", "y")).toEqual(text(50));
    expect(await right.command("GET", "y")).toEqual(text(150));
    expect(await right.command("GET", "unused")).toEqual(text(0));
    expect(await left.command("VERIFY", "y", `${new Date().getUTCFullYear()}-49`)).toBe(1);
    expect(await left.info("y")).toMatchObject({ generated: "51", wasted: "0" });
    await right.command("HSET", "gone", ...yearly);
    expect(await left.command("GET", "gone")).toEqual(text(7));
    left.close();
    expect(await one.end("SIGTERM")).toBe(0);
    expect(await operate("leave", store, { dataDir: alone.dataDir })).toContain(
      "handed back 198 numbers",
    );
    // A node that has not passed them gets what was returned.
    const three = await start(store);
    const third = await TestClient.connect(three.port);
    expect(await third.command("GET", "y")).toEqual(text(51));
    for (const client of [right, third]) client.close();
    for (const server of [two, three]) expect(await server.end("SIGTERM")).toBe(0);
  });

  test("join refuses a name that the cluster has, and goes on where it was broken off", async () => {
    const store = await emptyStore();
    const dataDir = await nodeAlone("SIGKILL");
    const other = await start(store);
    const client = await TestClient.connect(other.port);
    await client.command("HSET", "pre_close", "type", "3");
    expect(await messageOf(() => operate("join", store, { dataDir }))).toBe(
      "CannotStart: the cluster has a dispenser 'pre_close' already: DEL that one of the two whose line is not to go on",
    );
    await client.command("HSET", "elegant_close", "type", "2", "length", "4");
    await client.pipeline(gets("elegant_close", 501));
    await client.command("DEL", "pre_close", "elegant_close");
    expect(await messageOf(() => operate("join", store, { dataDir }))).toBe(
      "CannotStart: the cluster had a dispenser 'elegant_close', whose numbers that of the folder would repeat: DEL " +
        "that one, and define it in the cluster behind them",
    );
    await client.command("HSET", "gone", "type", "3");
    expect(await messageOf(() => operate("join", store, { dataDir }))).toBe(
      "CannotStart: the cluster has a dispenser 'gone' that would repeat numbers of one deleted in the folder: ADVANCE " +
        "it there past 29",
    );
    await client.command("ADVANCE", "gone", "30");
    await client.command("HSET", "elegant_close", "type", "3", "reuse", "yes");
    await client.command("DEL", "elegant_close");
    // Nothing was written: the node can go on alone.
    await (await start("", dataDir)).end("SIGTERM");
    // A join that ended in the middle: the mark is there, and its ids are taken.
    const cluster = await clusterOf(store);
    const folder = openSqliteStore(dataDir, { create: false, allowNetworkFileSystem: false });
    const engine = new Engine(folder, { now: () => 0, savesCounts: false });
    folder.writeNode(JSON.stringify({ joining: { cluster, node: "n", base: 1000 } }));
    engine.close();
    const { log } = await ServerProcess.run({ dataDir, args: ["-store", store] });
    expect(log).toContain("on its way into a cluster: run 'number-dispenser cluster join' again");
    expect(await operate("join", store, { dataDir })).toContain("with 6 dispensers");
    expect(Number(await client.command("GET", "pre_close"))).toBeGreaterThanOrEqual(500);
    client.close();
    await other.end("SIGTERM");
  });

  test("a node with a place does not join", async () => {
    const server = await ServerProcess.start({ args: ["-node", "1/2"] });
    await server.end("SIGTERM");
    expect(await messageOf(() => operate("join", postgres.url, server))).toBe(
      "CannotStart: the data folder is that of node 1/2, which has a part of each line: it cannot join",
    );
  });

  test("leave hands back what a node holds, and it goes to a node that has not passed it", async () => {
    const store = await emptyStore();
    const [one, two] = [await start(store), await start(store)];
    const client = await TestClient.connect(one.port);
    await client.command("HSET", "o", "type", "3");
    expect(await client.command("GET", "o")).toBe("0");
    client.close();
    expect(await messageOf(() => operate("leave", store, one))).toContain("in use by process");
    await one.end("SIGTERM");
    expect(await operate("leave", store, one)).toMatch(
      /^node \S+ has left cluster \S+, and handed back 99 numbers/,
    );
    expect(await messageOf(() => operate("leave", store, one))).toBe(
      "CannotStart: the data folder belongs to no cluster",
    );
    const other = await TestClient.connect(two.port);
    expect(await other.command("GET", "o")).toBe("1");
    expect(await other.info("o")).toMatchObject({ cluster_nodes: "1", cluster_leased: "100" });
    other.close();
    await two.end("SIGTERM");
  });

  const nodesIn = async (store: string): Promise<readonly Record<string, unknown>[]> =>
    JSON.parse(await operate("nodes", store, { flags: new Map([["json", ""]]) }));
  const nodeIn = ({ log }: ServerProcess) => /in the cluster .*node=(\S+)/.exec(log)![1]!;

  test("nodes says of each whether it is alive, where it is, and what it holds", async () => {
    const store = await emptyStore();
    const [one, two] = [await start(store), await start(store)];
    const client = await TestClient.connect(one.port);
    for (const name of ["o", "p"]) await client.command("HSET", name, "type", "3");
    await client.command("GET", "p");
    await client.pipeline(gets("o", 40));
    client.close();
    // The numbers taken after the lease are reported a few seconds later.
    await until(async () => (await nodesIn(store)).some((node) => node.numbers_held === 159), 100);
    const common = { state: "member", alive: true, version, starts: 1 };
    const seen = { last_seen_seconds: 0, last_seen_by: "answer", writes: expect.any(Number) };
    const of = (node: ServerProcess) => ({
      ...{ ...common, ...seen, node: nodeIn(node) },
      host: expect.stringContaining(node.dataDir),
      addresses: [`127.0.0.1:${node.port}`],
    });
    expect(await nodesIn(store)).toHaveLength(2);
    for (const node of [
      { ...of(one), numbers_held: 159, lines_held: 2 },
      { ...of(two), numbers_held: 0, lines_held: 0 },
    ]) {
      expect(await nodesIn(store)).toContainEqual(node);
    }
    await two.end("SIGKILL");
    const table = await operate("nodes", store);
    expect(table).toMatch(/^node +state +alive +last seen +listens on +holds +version +started +/);
    expect(table).toMatch(
      new RegExp(
        `${nodeIn(one)}  member  yes +now +127\\.0\\.0\\.1:${one.port}  159 numbers of 2 lines  `,
      ),
    );
    expect(table).toMatch(
      new RegExp(
        `${nodeIn(two)}  member  no answer  \\d+ s ago +127\\.0\\.0\\.1:${two.port}  nothing  `,
      ),
    );
    expect(table).toEndWith(
      "last seen: a node writes at least each 30 s; the time is that of its machine's clock against this one's",
    );
    await one.end("SIGTERM");
  });

  test("nodes shows of older programs what they wrote, and asks none if the store went back", async () => {
    const store = await emptyStore();
    const server = await start(store);
    await server.end("SIGTERM");
    const shared = openLeaseStore(store);
    const put = (key: string, record: object) =>
      shared.write({ guards: new Map(), puts: new Map([[key, JSON.stringify(record)]]) });
    const older = { sequence: 7, generation: 2, host: "db1:/data", state: "member" };
    await put("node/first", { ...older, token: "t", isConfirmed: true });
    await put("node/second", { ...older, nonce: "n", answered: 0, version: "0.1.0", level: 2 });
    await put("node/left", { ...older, nonce: "n", answered: 0, state: "left", level: 2 });
    const shown = { last_seen_seconds: null, last_seen_by: null, addresses: null, starts: 2 };
    const all = await nodesIn(store);
    expect(all).toContainEqual(
      expect.objectContaining({
        ...{ ...shown, node: "first", alive: null, version: null },
        alive_unknown_because: "its version answers no roll call",
      }),
    );
    expect(all).toContainEqual(
      expect.objectContaining({ ...shown, node: "second", alive: false, version: "0.1.0" }),
    );
    expect(all).toContainEqual(
      expect.objectContaining({ node: "left", state: "left", alive: false }),
    );
    expect(await operate("nodes", store)).toMatch(
      /first +member {2}unknown +unknown +unknown +nothing/,
    );
    const { rows } = await shared.read(["cluster"]);
    await put("cluster", { ...JSON.parse(rows.get("cluster")!.value), mark: "it went back" });
    expect(await operate("nodes", store)).toContain(
      "alive unknown: the store went back in time, so no node writes",
    );
    expect(await messageOf(() => forgetting(store, "second"))).toContain(
      "it cannot be asked, as the store went back in time",
    );
    await shared.close();
  });

  const forgetting = (store: string, node: string, ...flags: string[]) =>
    operate("forget", store, {
      operands: [node],
      flags: new Map(["confirm", ...flags].map((flag) => [flag, ""])),
    });

  test("forget writes off a living node only with a further word, and stops it", async () => {
    const store = await emptyStore();
    const [one, two] = [await start(store), await start(store)];
    const client = await TestClient.connect(one.port);
    await client.command("HSET", "o", "type", "3");
    await client.command("GET", "o");
    client.close();
    const node = nodeIn(one);
    expect(await messageOf(() => operate("forget", store, { operands: [node] }))).toContain(
      "cluster forget needs -confirm",
    );
    expect(await messageOf(() => forgetting(store, "x"))).toBe(
      "CannotStart: the cluster has no node x",
    );
    expect(await messageOf(() => forgetting(store, node))).toMatch(
      new RegExp(
        `^CannotStart: node ${node} seems to be alive: it answered \\d+ ms after it was asked\\. Stop it first, or say ` +
          "-alive as well: ",
      ),
    );
    expect((await nodesIn(store)).map(({ state }) => state)).toEqual(["member", "member"]);
    expect(await forgetting(store, node, "alive")).toContain(`node ${node} is written off`);
    expect(await one.exited()).toBe(1);
    expect(one.log).toContain(`error="node ${node} was written off (cluster forget)"`);
    const again = await one.startAgain();
    expect(again.log).toContain("this folder goes on as a new node");
    const other = await TestClient.connect(two.port);
    expect(await other.command("GET", "o")).toBe("100");
    expect(await other.info("o")).toMatchObject({ cluster_nodes: "2", cluster_wasted: "100" });
    other.close();
    for (const server of [again, two]) await server.end("SIGTERM");
  });

  test("forget writes off a dead node with -confirm alone, once that is sure", async () => {
    const store = await emptyStore();
    const server = await start(store);
    const node = nodeIn(server);
    await server.end("SIGKILL");
    expect(await messageOf(() => forgetting(store, node))).toMatch(
      new RegExp(
        `^CannotStart: node ${node} seems to be alive: it wrote to the store \\d+ s ago, .*wait a minute and run this again`,
      ),
    );
    // Two minutes later.
    const shared = openLeaseStore(store);
    const key = `node/${node}`;
    const record = JSON.parse((await shared.read([key])).rows.get(key)!.value);
    const past = JSON.stringify({ ...record, writtenAtMs: record.writtenAtMs - 120_000 });
    await shared.write({ guards: new Map(), puts: new Map([[key, past]]) });
    await shared.close();
    expect((await nodesIn(store))[0]).toMatchObject({
      alive: false,
      last_seen_by: "clock of its machine",
    });
    expect(await forgetting(store, node)).toContain(`node ${node} is written off`);
    expect(await nodesIn(store)).toEqual([expect.objectContaining({ state: "written off" })]);
  });

  test("advance moves all lines ahead by the margin", async () => {
    const store = await emptyStore();
    const server = await start(store);
    const client = await TestClient.connect(server.port);
    for (const name of ["o", "p"]) await client.command("HSET", name, "type", "3");
    await client.command("GET", "o");
    for (const [flags, reason] of [
      [new Map(), "cluster advance needs -margin N"],
      [new Map([["margin", "1"]]), "cluster advance needs -confirm"],
      [new Map([["margin", "-1"]]), "-margin: '-1' must be a whole number"],
    ] as const) {
      expect(await messageOf(() => operate("advance", store, { flags: new Map(flags) }))).toContain(
        reason,
      );
    }
    const flags = new Map([...confirmed, ["margin", "5000"]]);
    expect(await operate("advance", store, { flags })).toContain(
      "2 lines moved ahead by 5000 numbers",
    );
    const shared = openLeaseStore(store);
    const { rows } = await shared.list("line/");
    await shared.close();
    expect([...rows.values()].map((row) => readLine(row)!.next)).toEqual([5100n, 5000n]);
    // The node hears of it within a second, and goes on by itself.
    let last = Number.NaN;
    await until(async () => {
      last = Number((await client.pipeline(gets("o", 100))).at(-1));
      return !Number.isNaN(last);
    });
    expect(last).toBeGreaterThanOrEqual(5100);
    client.close();
    await server.end("SIGTERM");
  });

  test("a store that is not there is said to be", async () => {
    const nobody = "postgres://dispenser@127.0.0.1:1/x";
    expect(await messageOf(() => operate("nodes", nobody))).toMatch(
      /^CannotStart: store postgres:\/\/127.0.0.1:1\/x unavailable: /,
    );
  });
});
