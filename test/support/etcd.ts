/** An etcd cluster for the tests, on the loopback interface. */

import { rmSync } from "node:fs";
import { join } from "node:path";
import { temporaryFolder } from "../../testkit/folder.ts";
import { freePort } from "../../testkit/ports.ts";
import { endOnExit } from "../../testkit/process.ts";
import { succeeds, until } from "../../testkit/until.ts";
import type { Certificate } from "./certificates.ts";

interface Member {
  readonly name: string;
  readonly clientPort: number;
  readonly peerPort: number;
  child: Bun.Subprocess | undefined;
}

async function etcdctl(...args: string[]): Promise<void> {
  const env = { ...process.env, ETCDCTL_API: "3" };
  const child = Bun.spawn(["etcdctl", ...args], { env, stdout: "ignore", stderr: "pipe" });
  const said = await child.stderr.text();
  if ((await child.exited) !== 0) throw new Error(`etcdctl: ${said}`);
}

export class EtcdCluster {
  private readonly folder = temporaryFolder();
  private readonly members: Member[];

  private readonly tls: Certificate | undefined;
  private readonly flags: Readonly<Record<string, string>>;

  /** With a certificate, clients speak TLS; `flags` are further flags of etcd. */
  constructor(count: number, tls?: Certificate, flags: Readonly<Record<string, string>> = {}) {
    this.tls = tls;
    this.flags = flags;
    this.members = Array.from({ length: count }, (_, index) => ({
      name: `m${index}`,
      clientPort: freePort(),
      peerPort: freePort(),
      child: undefined,
    }));
  }

  get clientPorts(): readonly number[] {
    return this.members.map(({ clientPort }) => clientPort);
  }

  get url(): string {
    return `etcd://${this.clientPorts.map((port) => `127.0.0.1:${port}`).join(",")}`;
  }

  async start(): Promise<void> {
    for (const index of this.members.keys()) this.startMember(index);
    for (const index of this.members.keys()) await this.healthy(index);
  }

  startMember(index: number): void {
    const member = this.members[index]!;
    const { name, clientPort, peerPort } = member;
    const [client, peer] = [this.urlOf(clientPort), `http://127.0.0.1:${peerPort}`];
    const flags = {
      name,
      "data-dir": join(this.folder, name),
      "listen-client-urls": client,
      "advertise-client-urls": client,
      "listen-peer-urls": peer,
      "initial-advertise-peer-urls": peer,
      "initial-cluster": this.peers,
      "initial-cluster-state": "new",
      "log-level": "error",
      ...(this.tls && { "cert-file": this.tls.cert, "key-file": this.tls.key }),
    };
    const args = Object.entries({ ...flags, ...this.flags }).map(
      ([flag, value]) => `--${flag}=${value}`,
    );
    member.child = Bun.spawn(["etcd", ...args], {
      stdin: "ignore",
      stdout: "ignore",
      stderr: "ignore",
      // Debian's etcd demands this on architectures that its makers do not test.
      env: { ...process.env, ETCD_UNSUPPORTED_ARCH: process.arch },
    });
    endOnExit(member.child);
  }

  private urlOf(port: number): string {
    return `${this.tls === undefined ? "http" : "https"}://127.0.0.1:${port}`;
  }

  async healthy(index: number): Promise<void> {
    const url = `${this.urlOf(this.members[index]!.clientPort)}/health`;
    const tls = { rejectUnauthorized: false };
    await succeeds(async () => {
      const response = await fetch(url, { signal: AbortSignal.timeout(500), tls });
      if (!(await response.text()).includes('"true"')) throw new Error("not healthy yet");
    });
  }

  async kill(index: number): Promise<void> {
    const { child } = this.members[index]!;
    child?.kill("SIGKILL");
    await child?.exited;
  }

  /** The index of the member that leads. */
  async leader(): Promise<number> {
    let found: number | undefined;
    await until(async () => {
      for (const [index, { clientPort }] of this.members.entries()) {
        try {
          const response = await fetch(`http://127.0.0.1:${clientPort}/v3/maintenance/status`, {
            method: "POST",
            body: "{}",
            signal: AbortSignal.timeout(500),
          });
          const { header, leader } = (await response.json()) as {
            header: { member_id: string };
            leader?: string;
          };
          if (header.member_id === leader) found = index;
        } catch {
          // This member is down.
        }
      }
      return found !== undefined;
    }, 50);
    return found!;
  }

  /** Makes room after the store was full: compacts, defragments, and clears the alarm. */
  async makeRoom(): Promise<void> {
    const [{ clientPort }] = this.members as [Member];
    const endpoints = `--endpoints=127.0.0.1:${clientPort}`;
    const url = `http://127.0.0.1:${clientPort}/v3/maintenance/status`;
    const response = await fetch(url, { method: "POST", body: "{}" });
    const { header } = (await response.json()) as { header: { revision: string } };
    await etcdctl(endpoints, "compact", header.revision);
    await etcdctl(endpoints, "defrag");
    await etcdctl(endpoints, "alarm", "disarm");
  }

  /** Makes a snapshot with etcdctl. Answers a function that restarts all members from it. */
  async snapshot(): Promise<() => Promise<void>> {
    const file = join(temporaryFolder(), "snapshot.db");
    const [{ clientPort }] = this.members as [Member];
    await etcdctl("--endpoints", `127.0.0.1:${clientPort}`, "snapshot", "save", file);
    return async () => {
      await this.stop();
      for (const { name, peerPort } of this.members) {
        const folder = join(this.folder, name);
        rmSync(folder, { recursive: true });
        await etcdctl(
          ...["snapshot", "restore", file, "--name", name, "--data-dir", folder],
          ...["--initial-cluster", this.peers],
          ...["--initial-advertise-peer-urls", `http://127.0.0.1:${peerPort}`],
        );
      }
      await this.start();
    };
  }

  /** The list of all members that each of them is started with. */
  private get peers(): string {
    return this.members.map((each) => `${each.name}=http://127.0.0.1:${each.peerPort}`).join(",");
  }

  async stop(): Promise<void> {
    for (const index of this.members.keys()) await this.kill(index);
  }
}
