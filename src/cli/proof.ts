/**
 * Whether what listens at an address is the server. A password goes to nobody who has not proven
 * it: over TLS by the certificate of the settings, without it by the user whose program listens.
 */

import { X509Certificate } from "node:crypto";
import { statSync } from "node:fs";
import { reasonOf } from "../base/errors.ts";
import { type Address, addressText, isLoopback } from "../config/address.ts";
import type { Config } from "../config/settings.ts";
import { readRegular } from "../platform/files.ts";
import { listenersAt } from "../platform/listeners.ts";
import type { Client } from "./client.ts";
import { Unreachable } from "./unreachable.ts";

export type Proofs = Pick<Config, "dataDir" | "tlsCert">;

/**
 * The certificate must be the first one of tls.cert. Another one of the same authority is not
 * enough, because an authority signs for others, too. Throws Unreachable.
 */
export function proveCertificate(client: Client, address: Address, proofs: Proofs): void {
  const own = ownCertificate(proofs.tlsCert);
  if (client.certificate?.equals(own)) return;
  const what =
    `what listens on ${addressText(address)} has another certificate than the first one of tls.cert ` +
    `(${proofs.tlsCert}), so it was sent nothing`;
  const untrusted = untrustedAt(client, address, proofs.dataDir);
  if (untrusted === "unknown" || untrusted === "none") {
    throw new Unreachable(
      "not_ours",
      `${what}: if that file was renewed, send the server SIGHUP; if not, it is another program`,
    );
  }
  if (untrusted !== undefined) {
    throw new Unreachable("not_ours", `${what}: it is another program, of user ${untrusted}`);
  }
  throw new Unreachable(
    "certificate_renewed",
    `${what}: its user is the server's, so the file was probably renewed; send the server SIGHUP, and it reads the file`,
  );
}

/** The user of what listens must be the server's, this one, or root. Throws Unreachable. */
export function proveUser(client: Client, address: Address, { dataDir }: Proofs): void {
  const untrusted = untrustedAt(client, address, dataDir);
  if (untrusted === undefined || untrusted === "unknown") return;
  if (untrusted === "none") {
    throw new Unreachable(
      "not_ours",
      `something answers on ${addressText(address)}, but no program of this machine listens there, so it was not sent the ` +
        "password: run this where the server runs, as in its container",
    );
  }
  throw new Unreachable(
    "not_ours",
    `what listens on ${addressText(address)} is a program of user ${untrusted}, who is neither root, nor you, nor the ` +
      `owner of the data folder ${dataDir}, so it was not sent the password: name the server's settings with -config`,
  );
}

/**
 * The id of a user who listens there and is not trusted; undefined if all are trusted, "unknown" if
 * the system does not tell, "none" if nobody listens there although the address is this machine's.
 */
function untrustedAt(client: Client, address: Address, dataDir: string): string | undefined {
  const users = usersAt(client, address);
  if (users === undefined) return "unknown";
  if (users.size === 0) return "none";
  const trusted = [0, process.getuid?.(), ownerOf(dataDir)];
  const untrusted = [...users].find((user) => !trusted.includes(user));
  return untrusted === undefined ? undefined : String(untrusted);
}

/** The users whose programs listen at the address to which the client is connected. */
function usersAt({ peer }: Client, address: Address): ReadonlySet<number> | undefined {
  if ("unix" in address) {
    const owner = ownerOf(address.unix);
    return owner === undefined ? undefined : new Set([owner]);
  }
  if (peer === undefined) return undefined;
  const users = listenersAt(peer.host, peer.port);
  // Nobody here listens at the address of another machine.
  return users?.size === 0 && !isLoopback(peer.host) ? undefined : users;
}

function ownerOf(path: string): number | undefined {
  try {
    return statSync(path).uid;
  } catch {
    return undefined;
  }
}

/** The certificate that the server shows, in DER. Throws Unreachable. */
function ownCertificate(file: string): Buffer {
  try {
    return new X509Certificate(readRegular(file)).raw;
  } catch (error) {
    throw new Unreachable(
      "not_ours",
      `cannot read tls.cert ${file}, by which the server is known: ${reasonOf(error)}`,
    );
  }
}
