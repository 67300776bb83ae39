/** Opens the lease store that a URL names. */

import { CannotStart } from "../../base/errors.ts";
import { encodedPassword, readServiceUrl } from "../../base/secrets.ts";
import { EtcdStore } from "./etcd.ts";
import { parseEtcdUrl, readFile } from "./etcd-url.ts";
import { PostgresStore } from "./postgres.ts";
import type { LeaseStore } from "./store.ts";

/**
 * Opens a store, which connects with the first call. Throws CannotStart if the URL is not valid.
 */
export function openLeaseStore(url: string): LeaseStore {
  const read = readServiceUrl(url);
  if (read?.scheme === "etcd") {
    const options = parseEtcdUrl(url);
    if (options !== undefined) return new EtcdStore(options);
  } else if (/^postgres(ql)?$/.test(read?.scheme ?? "") && read!.hosts[0] !== "") {
    const parameters = new URLSearchParams(read!.query);
    requirePostgresParameters(parameters);
    try {
      return new PostgresStore(url);
    } catch {
      // Bun's client refuses something else of it, and would repeat the password.
    }
  }
  throw new CannotStart(
    "storage.store: the URL must be postgres://user:password@host:port/database, or " +
      "etcd://user:password@host:port,host:port/prefix with the parameters tls, ca, cert and key, " +
      encodedPassword,
  );
}

const SSL_MODES = ["disable", "allow", "prefer", "require", "verify-ca", "verify-full"];

/** Throws CannotStart if the TLS parameters of libpq have values that cannot be used. */
function requirePostgresParameters(parameters: URLSearchParams): void {
  const mode = parameters.get("sslmode");
  if (mode !== null && !SSL_MODES.includes(mode)) {
    throw new CannotStart(`storage.store: sslmode must be one of ${SSL_MODES.join(", ")}`);
  }
  for (const key of ["sslrootcert", "sslcert", "sslkey"]) {
    const file = parameters.get(key);
    if (file !== null && file !== "system") readFile(file);
  }
}
