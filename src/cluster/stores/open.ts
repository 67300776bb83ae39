/** Opens the lease store that a URL names. */

import { CannotStart } from "../../base/errors.ts";
import { EtcdStore } from "./etcd.ts";
import { parseEtcdUrl } from "./etcd-url.ts";
import { PostgresStore } from "./postgres.ts";
import type { LeaseStore } from "./store.ts";

/**
 * Opens a store, which connects with the first call. Throws CannotStart if the URL is not valid.
 */
export function openLeaseStore(url: string): LeaseStore {
  if (url.startsWith("etcd:")) {
    const options = parseEtcdUrl(url);
    if (options !== undefined) return new EtcdStore(options);
  } else if (/^postgres(ql)?:\/\/[^/?]/.test(url) && URL.canParse(url)) {
    try {
      return new PostgresStore(url);
    } catch (error) {
      throw new CannotStart(`storage.store: ${(error as Error).message}`);
    }
  }
  throw new CannotStart(
    "storage.store: the URL must be postgres://user:password@host:port/database, or " +
      "etcd://host:port,host:port/prefix with the parameters tls, ca, cert and key",
  );
}
