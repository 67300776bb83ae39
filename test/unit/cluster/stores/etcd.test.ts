import { describe, expect, test } from "bun:test";
import { EtcdStore } from "../../../../src/cluster/stores/etcd.ts";
import { parseEtcdUrl } from "../../../../src/cluster/stores/etcd-url.ts";
import type { LeaseStore } from "../../../../src/cluster/stores/store.ts";
import { makeAuthority, makeCertificate } from "../../../support/certificates.ts";
import { EtcdCluster } from "../../../support/etcd.ts";
import { noEtcd } from "../../../support/installed.ts";
import { messageOf } from "../../../support/message-of.ts";

const put = (store: LeaseStore, key: string, value: string) =>
  store.write({ guards: new Map(), puts: new Map([[key, value]]) });
const textAt = async (store: LeaseStore, key: string) =>
  (await store.read([key])).rows.get(key)?.value;
describe("a URL of etcd", () => {
  test("names members, a prefix, a user and TLS", () => {
    expect(parseEtcdUrl("etcd://a:2379,[::1]:2380")).toEqual({
      endpoints: ["http://a:2379", "http://[::1]:2380"],
      prefix: "number-dispenser/",
      user: undefined,
      tls: undefined,
    });
    expect(parseEtcdUrl("etcd://me:p%40ss@a:1/orders?tls=true")).toEqual({
      endpoints: ["https://a:1"],
      prefix: "orders/",
      user: { name: "me", password: "p@ss" },
      tls: {},
    });
  });

  test.each(["etcd://", "etcd://a", "etcd://a:1,b", "etcd://a:1?x=1", "http://a:1"])(
    "%s is none",
    (url) => expect(parseEtcdUrl(url)).toBeUndefined(),
  );

  test("names files that can be read", () => {
    expect(() => parseEtcdUrl("etcd://a:1?ca=/nowhere")).toThrow(/cannot read \/nowhere/);
    expect(() => parseEtcdUrl("etcd://a:1?ca=/dev/null")).toThrow(/it is not a regular file/);
  });
});

describe.skipIf(noEtcd !== undefined)("etcd as it fails", () => {
  test("another member answers when one is gone, and none when most are", async () => {
    const cluster = new EtcdCluster(3);
    await cluster.start();
    const store = new EtcdStore(parseEtcdUrl(cluster.url)!);
    await put(store, "a", "1");
    await cluster.kill(await cluster.leader());
    for (let isBack = false; !isBack; )
      isBack = (await messageOf(put(store, "a", "2"))) === "no error";
    expect(await textAt(store, "a")).toBe("2");
    await cluster.kill(await cluster.leader());
    expect(await messageOf(store.read(["a"]))).toStartWith("LeaseStoreUnavailable: ");
    expect(await messageOf(put(store, "a", "3"))).toStartWith("LeaseStoreUnavailable: ");
    await store.close();
    await cluster.stop();
  }, 30_000);

  test("logs in, again when its token ended, and is refused with a wrong password", async () => {
    // Passwords are compared fast, so that a busy machine does so in the time that an answer may take.
    const cluster = new EtcdCluster(1, undefined, { "bcrypt-cost": "4" });
    await cluster.start();
    const ask = async (path: string, body: object) =>
      expect(
        (
          await fetch(`http://127.0.0.1:${cluster.clientPorts[0]}/v3/auth/${path}`, {
            method: "POST",
            body: JSON.stringify(body),
          })
        ).ok,
      ).toBe(true);
    await ask("user/add", { name: "root", password: "secret" });
    await ask("user/grant", { user: "root", role: "root" });
    await ask("enable", {});
    const open = (user: string) =>
      new EtcdStore(parseEtcdUrl(cluster.url.replace("etcd://", `etcd://${user}@`))!);
    const store = open("root:secret");
    await put(store, "a", "1");
    // A member that was started anew knows no tokens.
    await cluster.kill(0);
    cluster.startMember(0);
    await cluster.healthy(0);
    expect(await textAt(store, "a")).toBe("1");
    const stranger = open("root:wrong");
    expect(await messageOf(stranger.read(["a"]))).toContain("authentication failed");
    const nobody = new EtcdStore(parseEtcdUrl(cluster.url)!);
    expect(await messageOf(nobody.read(["a"]))).toStartWith("LeaseStoreUnavailable: ");
    for (const each of [store, stranger, nobody]) await each.close();
    await cluster.stop();
  }, 30_000);

  test("speaks TLS with an authority of its own", async () => {
    const authority = makeAuthority("authority");
    const cluster = new EtcdCluster(1, makeCertificate("etcd", authority));
    await cluster.start();
    const store = new EtcdStore(parseEtcdUrl(`${cluster.url}?ca=${authority.cert}`)!);
    await put(store, "a", "1");
    expect(await textAt(store, "a")).toBe("1");
    const distrustful = new EtcdStore(parseEtcdUrl(`${cluster.url}?tls=true`)!);
    expect(await messageOf(distrustful.read(["a"]))).toStartWith("LeaseStoreUnavailable: ");
    for (const each of [store, distrustful]) await each.close();
    await cluster.stop();
  }, 30_000);
});
