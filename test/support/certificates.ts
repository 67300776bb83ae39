/** Certificates for the tests of TLS, made by openssl in a folder of their own. */

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { temporaryFolder } from "../../testkit/folder.ts";

/** Why no certificate can be made here; undefined if they can. */
export const noCertificates =
  Bun.which("openssl") === null ? "openssl is missing: nothing is known of TLS" : undefined;

/** A certificate and its key, as paths of PEM files. */
export interface Certificate {
  readonly cert: string;
  readonly key: string;
}

function openssl(...args: string[]): void {
  const { success, stderr } = Bun.spawnSync(["openssl", ...args]);
  if (!success) throw new Error(`openssl ${args[0]}: ${stderr}`);
}

const newKey = ["-newkey", "rsa:2048", "-nodes"];

/** Makes an authority, whose certificate is self-signed. */
export function makeAuthority(name: string): Certificate {
  const folder = temporaryFolder();
  const [cert, key] = [join(folder, `${name}.pem`), join(folder, `${name}.key`)];
  openssl("req", "-x509", ...newKey, "-keyout", key, "-out", cert, "-subj", `/CN=${name}`);
  return { cert, key };
}

/** Makes a certificate for localhost, 127.0.0.1 and ::1, signed by an authority. */
export function makeCertificate(name: string, authority: Certificate): Certificate {
  const folder = temporaryFolder();
  const [cert, key, request, extensions] = [".pem", ".key", ".csr", ".ext"].map((ending) =>
    join(folder, name + ending),
  ) as [string, string, string, string];
  writeFileSync(extensions, "subjectAltName=DNS:localhost,IP:127.0.0.1,IP:::1\n");
  openssl("req", "-new", ...newKey, "-keyout", key, "-out", request, "-subj", `/CN=${name}`);
  const by = ["-CA", authority.cert, "-CAkey", authority.key, "-CAcreateserial"];
  openssl("x509", "-req", "-in", request, ...by, "-extfile", extensions, "-out", cert);
  return { cert, key };
}
