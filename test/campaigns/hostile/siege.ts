/** Runs one attack on a server of its own, while a well-behaved client takes numbers. */

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { root, ServerProcess } from "../../../testkit/process.ts";
import { TestClient } from "../../../testkit/resp.ts";
import type { Attack } from "./attacks.ts";

export interface Borne {
  /** How long a GET took, beside the attack, in milliseconds. */
  readonly p99: number;
  readonly max: number;
  readonly count: number;
  /** By how much the server's memory grew at its peak, in bytes. */
  readonly grewBy: number;
}

/** Throws where the server does not live through it. */
export async function besiege(attack: Attack, scale: number): Promise<Borne> {
  const server = await ServerProcess.start();
  const client = await TestClient.connect(server.port);
  await client.command("HSET", "probe", "type", "3", "auto_disk", "pre_close");
  await client.command("HSET", "memory", "type", "3", "auto_disk", "memory");
  await client.command("HSET", "durable", "type", "3");
  const before = residentBytes(server.pid, "VmRSS");
  const probe = Bun.spawn(
    [process.execPath, join(root, "test/campaigns/hostile/probe.ts"), String(server.port)],
    { stdin: "pipe", stdout: "pipe", stderr: "inherit" },
  );
  while (Number((await client.info("probe")).generated) < 200) await client.command("PING");
  await attack.run(server.port, scale);
  await probe.stdin.end();
  const figures = JSON.parse(await probe.stdout.text());
  const grewBy = residentBytes(server.pid, "VmHWM") - before;
  if ((await client.command("PING")) !== "PONG") throw new Error("the server does not answer");
  const status = await server.end("SIGTERM");
  if (status !== 0) throw new Error(`the server ended with ${status}:\n${server.log}`);
  return { ...figures, grewBy };
}

function residentBytes(pid: number, field: "VmRSS" | "VmHWM"): number {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  return Number(new RegExp(`${field}:\\s+(\\d+)`).exec(status)![1]) * 1024;
}
