/** A redis-server with a port, a port of TLS, users, and keys of every kind. */

import { temporaryFolder } from "../../testkit/folder.ts";
import { freePort } from "../../testkit/ports.ts";
import { endOnExit } from "../../testkit/process.ts";
import { TestClient } from "../../testkit/resp.ts";
import { succeeds } from "../../testkit/until.ts";
import { type Certificate, makeAuthority, makeCertificate } from "./certificates.ts";

export class RedisServer {
  readonly port = freePort();
  readonly tlsPort = freePort();
  readonly authority = makeAuthority("authority");
  /** For localhost, signed by the authority. */
  readonly certificate: Certificate = makeCertificate("localhost", this.authority);
  private readonly child: Bun.Subprocess;

  constructor(more: readonly string[] = ["--tls-auth-clients", "no"]) {
    const { cert, key } = this.certificate;
    const tls = ["--tls-cert-file", cert, "--tls-key-file", key];
    const ports = ["--port", `${this.port}`, "--tls-port", `${this.tlsPort}`];
    const files = ["--tls-ca-cert-file", this.authority.cert, "--dir", temporaryFolder()];
    this.child = Bun.spawn(["redis-server", ...ports, ...tls, ...files, "--save", "", ...more], {
      stdout: "ignore",
    });
    endOnExit(this.child);
  }

  /** Runs commands, whose words are byte strings, once the server is there. */
  async run(...commands: readonly string[][]): Promise<void> {
    await succeeds(() => TestClient.connect(this.port).then((client) => client.close()));
    const client = await TestClient.connect(this.port);
    for (const words of commands) {
      const reply = await client.command(...words);
      if (reply instanceof Error) throw new Error(`${words.join(" ")}: ${reply.message}`);
    }
    client.close();
  }

  async stop(): Promise<void> {
    this.child.kill();
    await this.child.exited;
  }
}
