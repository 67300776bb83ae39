/** Opens the lease store that a URL names. */

import { CannotStart } from "../../base/errors.ts";
import { encodedPassword, readServiceUrl } from "../../base/secrets.ts";
import { EtcdStore } from "./etcd.ts";
import { parseEtcdUrl } from "./etcd-url.ts";
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
    try {
      return new PostgresStore(url);
    } catch (error) {
      // Bun's client repeats the value that it refuses.
      const reason = (error as Error).message.replace(/\.? Received .*/s, "");
      throw new CannotStart(`storage.store: ${reason}`);
    }
  }
  throw new CannotStart(
    "storage.store: the URL must be postgres://user:password@host:port/database, or " +
      "etcd://user:password@host:port,host:port/prefix with the parameters tls, ca, cert and key, " +
      encodedPassword,
  );
}
